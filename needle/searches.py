"""Searches for many queries, as jobs of the service: steps, as in `needle.operations`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from needle import calls, operations, uploads
from needle.calls import Example
from needle.errors import NeedleApiError, NeedleClientError, NeedleUnreachable
from needle.exchange import Service
from needle.jobs import Item, Job
from needle.listings import Listing
from needle.results import Origin, SearchResult
from needle.steps import PREFIX, Call, Steps
from needle.uploads import Upload

QUERIES_PER_REQUEST = 1000
RESULTS_PER_ANSWER = 20
TOO_OLD = "too_old"
"""The code of the error where the service takes no searches in bulk."""
_TOO_OLD = (
    "The service is of an earlier version, which takes no searches for many queries; it has to be "
    "updated first. One query at a time is searched for as before."
)
Query = Example | Upload
"""A file, or {"url": ...} or {"image_id": ...}."""


@dataclass(frozen=True)
class Answer(Item):
    """What came of one of many queries; `result` is None unless its status is `answered`."""

    result: SearchResult | None = None


def search_many(
    service: Service,
    queries: Iterable[Query],
    *,
    negatives: Sequence[Example] = (),
    text: str | None = None,
    text_weight: float | None = None,
    detect: bool | None = None,
    rotate: bool | None = None,
    same_kind: float | None = None,
    limit: int | None = None,
    hits_per_image: int | None = None,
    min_score: float | None = None,
    aggregate: str | None = None,
    filter: Mapping[str, Any] | None = None,
    verify: bool | None = None,
    verify_budget_ms: int | None = None,
    zoom: int | None = None,
    collection: str | None = None,
) -> Steps[Job]:
    """Have the service search for each of many queries by itself; return the job at once.

    A query is a file (a folder stands for every image in it, without archives), {"url": ...} or
    {"image_id": ...}. Files go first, at most 1,000 and 64 MB a request. `answers` yields what was
    found, once the job has ended or before. Searches that somebody waits for go before it. The
    options are those of `search`. Where a later request is refused, the jobs of the earlier ones
    are cancelled, unless the service is away. Raises ValueError where there is no query.
    """
    options = calls.given(
        text=text,
        text_weight=text_weight,
        detect=detect,
        rotate=rotate,
        same_kind=same_kind,
        limit=limit,
        hits_per_image=hits_per_image,
        min_score=min_score,
        aggregate=aggregate,
        filter=filter,
        verify=verify,
        verify_budget_ms=verify_budget_ms,
        zoom=zoom,
        collection=collection,
    )
    jobs: list[Job] = []
    try:
        for call in _requests(list(queries), negatives, options):
            jobs.append((yield from _posted(service, call)))
    except NeedleUnreachable:  # what is away cancels nothing
        raise
    except (NeedleClientError, OSError, ValueError, KeyboardInterrupt):
        yield from _cancelled(service, jobs)
        raise
    if not jobs:
        raise ValueError("there is nothing to search for")
    return Job.merged(jobs)


def _cancelled(service: Service, jobs: Iterable[Job]) -> Steps[None]:
    """Cancel jobs that the caller does not get, and whose finds nobody else would fetch."""
    for job in jobs:
        try:
            yield from operations.cancel(service, job)
        except NeedleUnreachable:
            return
        except NeedleClientError:
            continue


def _posted(service: Service, call: Call) -> Steps[Job]:
    """Return the job of a request; a service that is too old for it is called that."""
    try:
        return (yield from service.read(call, Job.from_json))
    except NeedleApiError as exc:
        if exc.status == 404 and (yield from _is_too_old(service, call)):
            raise NeedleApiError(404, TOO_OLD, _TOO_OLD) from exc
        raise


def _is_too_old(service: Service, call: Call) -> Steps[bool]:
    """Tell whether the service's own description has no such route."""
    try:
        described = yield from service.json(Call("GET", "/openapi.json"))
    except NeedleClientError:
        return False
    return call.path not in (described.get("paths") or {call.path})


def answers(job: Job | str, *, collection: str | None = None) -> list[Listing[Answer]]:
    """Yield what came of each query of `search_many`, in the order in which they were sent.

    `collection` is the one that was searched, for whoever draws what was found.
    """
    return [
        Listing(
            f"{PREFIX}/jobs/{part}/results",
            "results",
            partial(_answer, part, collection),
            page=RESULTS_PER_ANSWER,
        )
        for part in calls.ids(job)
    ]


def _answer(job_id: str, collection: str | None, raw: Mapping[str, Any]) -> Answer:
    found = raw.get("result")
    job = Job(job_id, "searches", "succeeded", result=found)
    result = None if found is None else SearchResult.from_job(job, Origin(collection))
    return Answer(**vars(Item.from_json(raw)), result=result)


def _requests(
    queries: Sequence[Query], negatives: Sequence[Example], options: Mapping[str, Any]
) -> Iterator[Call]:
    unwanted, not_named = calls.divided(negatives)
    options = {**options, **calls.given(negatives=not_named or None)}
    batches = uploads.batches(
        _files(queries), max_bytes=uploads.REQUEST_BYTES, max_files=QUERIES_PER_REQUEST
    )
    for batch in batches:
        sent = [("files", batch), ("not_file", uploads.uploads(unwanted))]
        parts = partial(uploads.every_part, sent)
        yield _post(data=calls.form(**options), files=parts)
    named = (query for query in queries if isinstance(query, Mapping))
    while some := list(islice(named, QUERIES_PER_REQUEST)):
        if unwanted:
            raise ValueError("files of what is not wanted go with queries that are files")
        yield _post(body={"queries": some, **options})


def _post(**content: Any) -> Call:
    return Call("POST", f"{PREFIX}/searches", headers=calls.once(), **content)


def _files(queries: Iterable[Query]) -> Iterator[Upload]:
    for number, query in enumerate(queries):
        if isinstance(query, Upload):
            yield query
        elif isinstance(query, bytes):
            yield uploads.upload(query, number)
        elif not isinstance(query, Mapping):
            yield from uploads.each(query)
