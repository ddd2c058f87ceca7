"""An index that may be interrupted and goes on: what the service has is not sent again."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

from needle import ids, remote
from needle.api import Needle
from needle.bulk import IN_FLIGHT, Bulk, OnStop, images_of_urls, outcome_of
from needle.errors import NeedleApiError
from needle.journal import Journal, JournalFault
from needle.known import ASKED_AT_ONCE, Known
from needle.listings import StoredObject
from needle.parcels import Address, parcels
from needle.sources import Sources
from needle.tally import OnTally, Outcome
from needle.uploads import Upload, is_image, together

T = TypeVar("T")
REQUEST_BYTES, REQUEST_FILES = 16 * 2**20, 20
"""Small, because Ctrl-C waits for the requests in flight."""


class ResumableIndex:
    """Indexes into one collection; may run again and again."""

    def __init__(
        self,
        needle: Needle,
        journal: Journal,
        address: Address,
        *,
        resume: bool = True,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        """Without `resume`, everything is sent, whatever the service has."""
        self._needle, self._journal, self._address = needle, journal, address
        self._resume = resume
        self._in_flight = in_flight

    def run(self, sources: Sources, on_tally: OnTally, on_stop: OnStop) -> Outcome:
        """Index what the service does not have, wait for it and for what earlier runs have sent.

        `on_stop` is told, after Ctrl-C, how many uploads are waited for. Raises NeedleClientError
        when the service itself fails, JournalFault when the journal does.
        """
        bulk = Bulk(
            self._needle,
            self._address,
            in_flight=self._in_flight,
            notes=self._journal,
            on_tally=on_tally,
            on_stop=on_stop,
        )
        bulk.expect(sources.count())
        fresh = _Fresh(bulk, self._journal, self._address.collection, self._needle.objects)
        if self._resume:
            fresh.pending = self._adopt(bulk)
            fresh.known = self._known(sources)
        load = parcels(
            fresh.files(sources),
            fresh.urls(sources),
            max_bytes=REQUEST_BYTES,
            max_files=REQUEST_FILES,
        )
        outcome = bulk.run(load)
        self._journal.keep()
        return outcome

    def _known(self, sources: Sources) -> Known:
        unknown = sources.archives or sources.buckets or sources.shards
        wanted = None if unknown else sources.count()
        return Known(self._needle, self._address.collection, wanted=wanted)

    def _adopt(self, bulk: Bulk) -> Container[str]:
        """Have the jobs awaited that still run; return the image ids and URLs in them."""
        pending: set[str] = set()
        for job_id, names in self._journal.open_jobs().items():
            try:
                job = self._needle.job(job_id)
            except NeedleApiError as exc:
                if exc.status != 404:
                    raise
                self._journal.ended(job_id, {})  # so long ago that the service has forgotten it
                continue
            if job.final:  # while nobody looked: what it indexed is known, the rest is sent again
                items = list(self._needle.items(job))
                self._journal.became(map(outcome_of, items), job_id)
                self._journal.ended(job_id, images_of_urls(items))
            else:
                bulk.adopt(job)
                pending.update(names)
        return pending


@dataclass(frozen=True)
class _Candidate(Generic[T]):
    """What may have to be sent: what it is known by, and how many bytes of it are in memory."""

    thing: T
    key: str
    image_id: str | None
    whereabouts: str
    path: str | None = None
    held_bytes: int = 0


class _Fresh:
    """Sorts out what need not be sent: what is `known`, and what is `pending` in a job."""

    def __init__(
        self,
        bulk: Bulk,
        journal: Journal,
        collection: str | None,
        listed: Callable[[str], Iterable[StoredObject]],
    ) -> None:
        """`listed` lists what is in a bucket."""
        self.known: Known | None = None
        self.pending: Container[str] = ()
        self._bulk, self._journal, self._collection = bulk, journal, collection
        self._listed = listed

    def files(self, sources: Sources) -> Iterator[Upload]:
        """Yield the files to send, each with its image id."""
        return self._unknown(self._identified(sources))

    def urls(self, sources: Sources) -> Iterator[str]:
        """Yield the URLs to send; one that became an image that is indexed is left out."""
        every = chain(sources.urls, self._in_buckets(sources.buckets))
        return self._unknown(_Candidate(u, u, self._journal.url_image(u), u) for u in every)

    def _identified(self, sources: Sources) -> Iterator[_Candidate[Upload]]:
        expected = sources.count() - len(sources.urls) - len(sources.absent)
        for seen, file in enumerate(
            sources.uploads(self._bulk.fault, self._bulk.leave_out), start=1
        ):
            if seen > expected:  # in a tar archive, which does not say how many it holds
                self._bulk.expect(1)
            try:
                image_id = self._image_id(file)
            except JournalFault:  # of every image, not of this one
                raise
            except OSError as exc:
                self._bulk.fault(file.whereabouts, exc.strerror or str(exc))
                continue
            named = replace(file, image_id=image_id)
            size = len(file.content) if isinstance(file.content, bytes) else 0
            yield _Candidate(named, image_id, image_id, file.whereabouts, file.name, size)

    def _unknown(self, candidates: Iterable[_Candidate[T]]) -> Iterator[T]:
        """Yield those that are wanted; the service is asked about several at a time."""
        known = self.known
        if known is None or known.listed:
            yield from (each.thing for each in candidates if self._wanted(each))
            return
        for some in together(candidates, lambda one: one.held_bytes, REQUEST_BYTES, ASKED_AT_ONCE):
            known.ask([each.image_id for each in some if each.image_id])
            yield from (each.thing for each in some if self._wanted(each))

    def _in_buckets(self, buckets: Iterable[str]) -> Iterator[str]:
        for each in remote.in_buckets(buckets, self._listed, self._bulk.fault):
            if is_image(each.url):
                self._bulk.expect(1)
                yield each.url
            else:
                self._bulk.leave_out(each.url)

    def _wanted(self, each: _Candidate[T]) -> bool:
        if each.key in self.pending:
            self._bulk.expect(-1)  # counted with its job
            return False
        if each.image_id and self.known is not None and self.known.has(each.image_id, each.path):
            self._bulk.skip(each.whereabouts, each.image_id)
            return False
        return True

    def _image_id(self, file: Upload) -> str:
        if isinstance(file.content, Path):
            return self._journal.image_id(file.content)
        return ids.image_id(ids.digest(file.content), self._collection)
