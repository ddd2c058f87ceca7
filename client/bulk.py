"""Indexing very many photos: progress while they are sent, and no stop at a bad one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from client import uploads
from client.api import Needle
from client.errors import NeedleApiError
from client.results import Job

OnProgress = Callable[[int, int], None]
"""(photos ended well, photos failed), of all that are to be indexed."""


@dataclass(frozen=True)
class Failure:
    """A photo that was not indexed, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """How a bulk index ended. `image_ids` are the photos that are indexed now."""

    indexed: int = 0
    unchanged: int = 0
    failures: tuple[Failure, ...] = ()
    image_ids: frozenset[str] = frozenset()


@dataclass
class _Run:
    """The jobs sent so far, as they stood when last asked for, and the photos refused at once."""

    jobs: dict[str, Job] = field(default_factory=dict)
    refused: list[Failure] = field(default_factory=list)

    def tell(self, on_progress: OnProgress | None) -> None:
        if on_progress:
            parts = [job.progress for job in self.jobs.values()]
            failed = sum(part.failed for part in parts) + len(self.refused)
            on_progress(sum(part.done for part in parts), failed)

    def open(self) -> Job | None:
        """Return the first job that has not ended."""
        return next((job for job in self.jobs.values() if not job.final), None)


def index_all(
    needle: Needle,
    paths: Sequence[Path],
    *,
    collection: str | None = None,
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Index photos and wait for the end.

    A photo that the service refuses is a failure and the rest goes on. Raises NeedleClientError
    when the service itself fails, OSError when a file cannot be read.
    """
    run = _Run()
    for batch in uploads.requests(paths):
        _send(needle, batch, collection, run)
        waiting = run.open()
        if waiting:
            run.jobs[waiting.job_id] = needle.job(waiting.job_id)
        run.tell(on_progress)
    while waiting := run.open():

        def told(job: Job) -> None:
            run.jobs[job.job_id] = job
            run.tell(on_progress)

        needle.wait(waiting, on_progress=told)
    return _outcome(needle, run)


def _send(
    needle: Needle, batch: Sequence[uploads.Upload], collection: str | None, run: _Run
) -> None:
    try:
        job = needle.index_batch(batch, collection=collection)
    except NeedleApiError as exc:
        faults = exc.details.get("items")
        if not faults:
            raise
        # Every photo of this request is bad. The service lists the first reasons only.
        reasons = {str(fault["name"]): str(fault["message"]) for fault in faults}
        run.refused += [Failure(f.name, reasons.get(f.name, exc.message)) for f in batch]
    else:
        run.jobs[job.job_id] = job


def _outcome(needle: Needle, run: _Run) -> Outcome:
    items = [item for job in run.jobs for item in needle.items(job)]
    well = [item for item in items if item.status in ("indexed", "unchanged")]
    bad = [item for item in items if item.status not in ("indexed", "unchanged")]
    return Outcome(
        indexed=sum(item.status == "indexed" for item in well),
        unchanged=sum(item.status == "unchanged" for item in well),
        failures=(*run.refused, *(Failure(i.name, i.reason or i.status) for i in bad)),
        image_ids=frozenset(item.image_id for item in well if item.image_id),
    )
