"""Indexing very many images: several uploads in flight, progress, and no stop at a bad one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from needle.api import Needle
from needle.jobs import Item, Job
from needle.parcels import Address, Parcel, Receipt, parcels, send
from needle.sources import Sources
from needle.tally import Failure, ItemOutcome, OnProgress, OnTally, Outcome, Remark, Tally
from needle.uploads import ending

__all__ = ["Bulk", "Failure", "Notes", "OnProgress", "Outcome", "index_all"]

IN_FLIGHT = 4
MOST_WAITING = 20_000
"""Images that the service has taken and not ended yet, beyond which nothing more is sent."""
LANDING_S = 0.5
OnStop = Callable[[int], None]
"""Told, after Ctrl-C, how many uploads are waited for."""
WELL = frozenset({"indexed", "unchanged"})


class Notes(Protocol):
    """Who is told what the service has taken and what has ended: `Journal` is one."""

    def sent(self, job_id: str, keys: Iterable[str], whereabouts: Iterable[str]) -> None:
        """Note a job that the service has taken: image ids or URLs in it, and where they are."""

    def ended(self, job_id: str, images_of_urls: Mapping[str, str]) -> None:
        """Note that a job's end was seen, and which images its URLs became."""

    def became(self, outcomes: Iterable[ItemOutcome], job_id: str | None = None) -> None:
        """Note what became of images; of those of a job in the order in which they were sent."""

    def had(self, name: str, image_id: str) -> None:
        """Note an image that is left out, since the service has it."""

    def keep(self) -> None:
        """Have what was noted outlive the process: it may wait for long now."""


def index_all(
    needle: Needle,
    paths: Sequence[Path],
    *,
    collection: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
    in_flight: int = IN_FLIGHT,
) -> Outcome:
    """Index images, and the archives among the files, and wait for the end.

    An image that the service refuses, or a file that cannot be read, is a failure and the rest
    goes on. Raises NeedleClientError when the service itself fails.
    """

    def told(tally: Tally) -> None:
        if on_progress:
            on_progress(tally.done, tally.failed)

    bulk = Bulk(needle, Address(collection, metadata), in_flight=in_flight, on_tally=told)
    sources = Sources(images=tuple(Path(path) for path in paths))
    bulk.expect(sources.count())
    return bulk.run(parcels(sources.uploads(bulk.fault, bulk.leave_out)))


class Bulk:
    """One bulk index. Its methods belong to one thread; the uploads run in threads of their own."""

    def __init__(
        self,
        needle: Needle,
        address: Address,
        *,
        in_flight: int = IN_FLIGHT,
        notes: Notes | None = None,
        on_tally: OnTally | None = None,
        on_stop: OnStop | None = None,
    ) -> None:
        """Prepare; `notes` are taken of what the service has accepted."""
        self._needle, self._address = needle, address
        self._in_flight = in_flight
        self._notes, self._on_tally, self._on_stop = notes, on_tally, on_stop
        self._flying: set[Future[list[Receipt]]] = set()
        self._open: dict[str, Job] = {}
        self._tally = Tally()
        self._indexed = self._unchanged = 0
        self._failures: list[Failure] = []
        self._remarks: list[Remark] = []
        self._left_out: Counter[str] = Counter()
        self._image_ids: set[str] = set()

    def expect(self, images: int) -> None:
        """Count so many more images into the total; fewer for a negative number."""
        self._count(total=images)

    def skip(self, whereabouts: str, image_id: str) -> None:
        """Leave out an image that was expected: the service has it."""
        self._count(total=-1, skipped=1)
        if self._notes:
            self._notes.had(whereabouts, image_id)

    def leave_out(self, name: str) -> None:
        """Note a file that is no image."""
        self._left_out[ending(name)] += 1

    def fault(self, whereabouts: str, reason: str) -> None:
        """Note an image that cannot be sent."""
        self._refuse(Failure(whereabouts, reason), whereabouts)

    def adopt(self, job: Job) -> None:
        """Wait for a job of an earlier run as well."""
        self._open[job.job_id] = job
        self._count(total=job.progress.total, sent=job.progress.total)

    def run(self, load: Iterable[Parcel]) -> Outcome:
        """Send everything and wait until all of it has ended.

        On KeyboardInterrupt, or when the service itself fails (NeedleClientError), nothing new is
        sent, what is in flight lands and is noted, and the exception is raised again.
        """
        self._tell()
        pool = ThreadPoolExecutor(self._in_flight, thread_name_prefix="upload")
        try:
            for parcel in load:
                self._flying.add(pool.submit(send, self._needle, parcel, self._address))
                while len(self._flying) >= self._in_flight:
                    self._land()
                self._look()
                while self._open and self._waiting() > MOST_WAITING:
                    self._wait_for_oldest()
            while self._flying:
                self._land()
        except BaseException:
            self._finish_flying()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        while self._open:
            self._wait_for_oldest()
        self._tell()
        return Outcome(
            indexed=self._indexed,
            unchanged=self._unchanged,
            failures=tuple(self._failures),
            image_ids=frozenset(self._image_ids),
            skipped=self._tally.skipped,
            remarks=tuple(self._remarks),
            left_out=dict(self._left_out),
        )

    def _land(self) -> None:
        """Wait a moment for uploads to end, and look after the jobs."""
        done, _ = wait(self._flying, timeout=LANDING_S, return_when=FIRST_COMPLETED)
        self._take(done)
        if not done:
            self._look()

    def _take(self, landed: set[Future[list[Receipt]]]) -> None:
        self._flying -= landed
        for future in landed:
            for receipt in future.result():
                self._receive(receipt)

    def _receive(self, receipt: Receipt) -> None:
        if receipt.refused:
            for failure, where in zip(receipt.refused, receipt.parcel.whereabouts, strict=True):
                self._refuse(failure, where)
        if receipt.job:
            if self._notes:
                parcel = receipt.parcel
                self._notes.sent(receipt.job.job_id, parcel.keys, parcel.whereabouts)
            self._open[receipt.job.job_id] = receipt.job
            # An archive without an archive's name holds more images than were counted.
            more = receipt.job.progress.total - len(receipt.parcel)
            self._count(total=more, sent=receipt.job.progress.total)

    def _finish_flying(self) -> None:
        if self._on_stop and self._flying:
            self._on_stop(len(self._flying))
        done, _ = wait(self._flying)
        for future in done:
            if not future.cancelled() and future.exception() is None:
                self._take({future})

    def _waiting(self) -> int:
        """Return how many images of jobs that run have not ended, as far as it is known."""
        parts = [job.progress for job in self._open.values()]
        return sum(part.total - part.ended for part in parts)

    def _wait_for_oldest(self) -> None:
        if self._notes:
            self._notes.keep()
        self._needle.wait(next(iter(self._open.values())), on_progress=self._update)

    def _look(self) -> None:
        """Ask how the oldest job is doing."""
        oldest = next(iter(self._open.values()), None)
        if oldest:
            self._update(self._needle.job(oldest.job_id))

    def _update(self, job: Job) -> None:
        self._open[job.job_id] = job
        if job.final:
            del self._open[job.job_id]
            self._close(job)
        self._tell()

    def _close(self, job: Job) -> None:
        items = list(self._needle.items(job))
        well = [item for item in items if item.status in WELL]
        for item in items:
            if item.status not in WELL:
                self._fail(Failure(item.name, item.reason or item.status))
        self._remarks += [Remark(item.name, item.warning) for item in well if item.warning]
        self._count(done=len(well))
        self._indexed += sum(item.status == "indexed" for item in well)
        self._unchanged += sum(item.status == "unchanged" for item in well)
        self._image_ids |= {item.image_id for item in well if item.image_id}
        if self._notes:
            self._notes.became(map(outcome_of, items), job.job_id)
            self._notes.ended(job.job_id, images_of_urls(well))

    def _refuse(self, failure: Failure, whereabouts: str) -> None:
        """Note an image that came into no job."""
        self._fail(failure)
        if self._notes:
            self._notes.became([ItemOutcome(whereabouts, "failed", None, failure.reason)])

    def _fail(self, failure: Failure) -> None:
        self._failures.append(failure)
        self._count(failed=1)

    def _count(self, **more: int) -> None:
        changed = {name: getattr(self._tally, name) + by for name, by in more.items()}
        self._tally = replace(self._tally, **changed)

    def _tell(self) -> None:
        """Tell the tally, with what the jobs that still run have done so far.

        What nobody had counted, as an archive that cannot be read, may have failed as well.
        """
        if self._on_tally:
            parts = [job.progress for job in self._open.values()]
            done = self._tally.done + sum(part.done for part in parts)
            failed = self._tally.failed + sum(part.failed for part in parts)
            total = max(self._tally.total, done + failed)
            self._on_tally(replace(self._tally, total=total, done=done, failed=failed))


def outcome_of(item: Item) -> ItemOutcome:
    """Return what became of an item of a job that has ended."""
    return ItemOutcome(item.name, item.status, item.image_id, item.reason)


def images_of_urls(items: Iterable[Item]) -> dict[str, str]:
    """Return the image that each item's URL became, for those that are URLs."""
    web = ("http://", "https://", "s3://")
    return {i.name: i.image_id for i in items if i.image_id and i.name.startswith(web)}
