"""Jobs and their items as the service answers them, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FINAL = frozenset({"succeeded", "partial", "failed", "cancelled"})


@dataclass(frozen=True)
class Progress:
    """How far a job is: `done` items ended well, `failed` items did not."""

    total: int = 0
    done: int = 0
    failed: int = 0
    rate_per_s: float | None = None
    eta_s: float | None = None

    @property
    def ended(self) -> int:
        """Items that have ended, well or not."""
        return self.done + self.failed

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Progress:
        """Read the JSON form."""
        counts = {name: int(raw.get(name) or 0) for name in ("total", "done", "failed")}
        return cls(**counts, rate_per_s=raw.get("rate_per_s"), eta_s=raw.get("eta_s"))


@dataclass(frozen=True)
class Job:
    """A job as it stood when it was asked for.

    Images too many for one request become several jobs of the service; they are one `Job` here,
    whose `job_id` holds all their ids, joined by commas, and which every method of `Needle` takes.
    """

    job_id: str
    kind: str
    status: str
    progress: Progress = field(default_factory=Progress)
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    collection: str | None = None
    webhook: Mapping[str, Any] | None = None

    @property
    def final(self) -> bool:
        """Tell whether nothing can change any more."""
        return self.status in FINAL

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Job:
        """Read the JSON form."""
        return cls(
            job_id=str(raw["job_id"]),
            kind=str(raw.get("kind", "")),
            status=str(raw["status"]),
            progress=Progress.from_json(raw.get("progress") or {}),
            result=raw.get("result"),
            error=raw.get("error"),
            created_at=raw.get("created_at"),
            started_at=raw.get("started_at"),
            finished_at=raw.get("finished_at"),
            collection=raw.get("collection"),
            webhook=raw.get("webhook"),
        )

    @classmethod
    def merged(cls, jobs: Sequence[Job]) -> Job:
        """Return several jobs as one. Rates are those of the jobs that run now, added up."""
        if len(jobs) == 1:
            return jobs[0]
        parts = [job.progress for job in jobs]
        total, ended = sum(p.total for p in parts), sum(p.ended for p in parts)
        rate = sum(job.progress.rate_per_s or 0.0 for job in jobs if not job.final) or None
        return cls(
            job_id=",".join(job.job_id for job in jobs),
            kind=jobs[0].kind,
            collection=jobs[0].collection,
            status=_merged_status([job.status for job in jobs]),
            progress=Progress(
                total=total,
                done=sum(p.done for p in parts),
                failed=sum(p.failed for p in parts),
                rate_per_s=rate,
                eta_s=(total - ended) / rate if rate else None,
            ),
            error=next((job.error for job in jobs if job.error), None),
            created_at=jobs[0].created_at,
            started_at=jobs[0].started_at,
            finished_at=jobs[-1].finished_at,
        )


def _merged_status(statuses: Sequence[str]) -> str:
    """Return the one status of jobs that belong together."""
    if len(set(statuses)) == 1:
        return statuses[0]
    if any(status not in FINAL for status in statuses):
        return "started"
    return "cancelled" if "cancelled" in statuses else "partial"


@dataclass(frozen=True)
class Item:
    """One image of an index job: `indexed`, `unchanged`, `failed`, `cancelled` or `queued`.

    `warning` says what of it could not be read, where it is indexed all the same.
    """

    index: int
    name: str
    status: str
    image_id: str | None = None
    error: Mapping[str, Any] | None = None
    warning: str | None = None

    @property
    def reason(self) -> str | None:
        """Why it failed, in one sentence; None when it did not."""
        return str(self.error.get("message", "unknown")) if self.error else None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Item:
        """Read the JSON form."""
        return cls(
            index=int(raw["index"]),
            name=str(raw["name"]),
            status=str(raw["status"]),
            image_id=raw.get("image_id"),
            error=raw.get("error"),
            warning=raw.get("warning"),
        )
