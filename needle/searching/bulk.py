"""Many queries as jobs of the service: a bad one does not stop the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from needle import searches, uploads
from needle.api import Needle
from needle.errors import NeedleApiError, NeedleClientError, NeedleUnreachable
from needle.jobs import Job
from needle.results import SearchResult
from needle.searches import QUERIES_PER_REQUEST
from needle.searching.notes import Notes
from needle.searching.queries import Query
from needle.uploads import Upload

TOO_LARGE, ONE_QUERYS_FAULT = 413, frozenset({413, 415, 422})
OnJob = Callable[[Job], None]


@dataclass(frozen=True)
class Answer:
    """What came of a query: a result, or why there is none."""

    query: Query
    result: SearchResult | None = None
    reason: str = ""


@dataclass(frozen=True)
class Sent:
    """Queries that are in a job, in its order; None for those that are answered already."""

    job: Job
    queries: Sequence[Query | None]


@dataclass(frozen=True)
class Asking:
    """Asks for many queries with the same options; `notes` outlive a run that is cut off."""

    needle: Needle
    options: Mapping[str, Any]
    notes: Notes | None = None
    on_progress: OnJob | None = None

    def ask(self, queries: Mapping[Query, str]) -> Iterator[Answer]:
        """Yield the answer to each query, of those that an earlier run has sent as well.

        Queries come with the keys that they are noted by. Without notes, nobody would fetch what is
        found after Ctrl-C or a refusal: jobs are cancelled then, unless the service is away. Raises
        what the service itself fails with.
        """
        open_jobs = list(self._adopted(queries))
        adopted = {query for sent in open_jobs for query in sent.queries}
        try:
            for batch in _batches(query for query in queries if query not in adopted):
                for one in self._sent(batch):
                    if isinstance(one, Answer):
                        yield one
                        continue
                    open_jobs.append(one)
                    if self.notes:
                        keys = [queries[query] for query in one.queries if query]
                        self.notes.sent(one.job.job_id, keys)
            for sent in open_jobs:
                yield from self._answers(sent)
        except NeedleUnreachable:  # what is away cancels nothing
            raise
        except (KeyboardInterrupt, NeedleClientError, OSError):
            if not self.notes:
                self._cancel(open_jobs)
            raise

    def _cancel(self, open_jobs: Iterable[Sent]) -> None:
        """Cancel jobs as far as it goes: what ends the run is known, whatever fails."""
        for sent in open_jobs:
            try:
                self.needle.cancel(sent.job)
            except NeedleUnreachable:
                return
            except NeedleClientError:
                continue

    def _adopted(self, queries: Mapping[Query, str]) -> Iterator[Sent]:
        """Yield the jobs that an earlier run has sent, and that have something to fetch."""
        by_key: defaultdict[str, list[Query]] = defaultdict(list)
        for query, key in queries.items():
            by_key[key].append(query)
        for job_id, keys in (self.notes.jobs() if self.notes else {}).items():
            try:
                job = self.needle.job(job_id)
            except NeedleApiError as exc:
                if exc.status != 404:  # so long ago that the service has forgotten it
                    raise
                continue
            if job.status not in ("failed", "cancelled"):
                yield Sent(job, [by_key[key].pop(0) if by_key[key] else None for key in keys])

    def _sent(self, batch: Sequence[Query]) -> Iterator[Sent | Answer]:
        """Send queries; where one of them spoils the request, it goes in halves."""
        try:
            job = self.needle.search_many([_source(query) for query in batch], **self.options)
        except (NeedleApiError, OSError) as exc:
            faults = exc.details.get("items") or () if isinstance(exc, NeedleApiError) else ()
            if len(faults) == len(batch):
                for query, fault in zip(batch, faults, strict=True):
                    yield Answer(query, reason=str(fault["message"]))
                return
            if len(batch) > 1 and _is_a_part_at_fault(exc):
                half = len(batch) // 2
                yield from self._sent(batch[:half])
                yield from self._sent(batch[half:])
                return
            if len(batch) > 1 or not _is_its_fault(exc):
                raise
            yield Answer(batch[0], reason=_reason(exc))
            return
        yield Sent(job, batch)

    def _answers(self, sent: Sent) -> Iterator[Answer]:
        """Wait for a job, and yield the answers to its queries."""
        job = self.needle.wait(sent.job, on_progress=self.on_progress)
        left = list(sent.queries)
        same = job.progress.total == len(left)
        otherwise = str((job.error or {}).get("message") or f"The job was {job.status}.")
        for answer in self.needle.answers(job, collection=self.options.get("collection")):
            place = answer.index if same else _place(left, answer.name)
            query = None if place is None else left[place]
            if place is None or query is None:
                continue
            left[place] = None
            if answer.result is None:
                yield Answer(query, reason=answer.reason or otherwise)
            else:
                yield Answer(query, answer.result)
        for query in filter(None, left):
            yield Answer(query, reason="The service took no query of that name.")


def _batches(queries: Iterable[Query]) -> Iterator[list[Query]]:
    """Yield the queries of each request: files, by their size, and then what is named."""
    files, named = list[Query](), list[Query]()
    held = 0
    for query in queries:
        if query.content is None:
            named.append(query)
            continue
        size = _size(query)
        if files and (held + size > uploads.REQUEST_BYTES or len(files) == QUERIES_PER_REQUEST):
            yield files
            files, held = [], 0
        files.append(query)
        held += size
    if files:
        yield files
    for first in range(0, len(named), QUERIES_PER_REQUEST):
        yield named[first : first + QUERIES_PER_REQUEST]


def _size(query: Query) -> int:
    if isinstance(query.content, Path):
        try:
            return query.content.stat().st_size
        except OSError:
            return 0  # found out when it is sent
    return len(query.content or b"")


def _source(query: Query) -> searches.Query:
    """Return a query as `Needle.search_many` takes it, under its own name. Raises OSError."""
    if query.content is None:
        return dict(query.asked)
    if isinstance(query.content, Path):
        return uploads.from_disk(query.content, query.name)
    return Upload(query.name, len(query.content), query.content)


def _is_a_part_at_fault(error: NeedleApiError | OSError) -> bool:
    """Tell whether some queries of a request could be taken without the others."""
    if not isinstance(error, NeedleApiError):
        return True
    return error.status == TOO_LARGE or bool(error.details.get("items"))


def _is_its_fault(error: NeedleApiError | OSError) -> bool:
    """Tell whether a request of one query failed for that query, not for what goes with it."""
    return not isinstance(error, NeedleApiError) or error.status in ONE_QUERYS_FAULT


def _reason(error: NeedleApiError | OSError) -> str:
    return error.message if isinstance(error, NeedleApiError) else error.strerror or str(error)


def _place(queries: Sequence[Query | None], name: str) -> int | None:
    """Return where the first query of a name is that has no answer yet."""
    found = (place for place, query in enumerate(queries) if query and query.name == name)
    return next(found, None)
