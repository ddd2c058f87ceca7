"""What the service answers, as frozen values. Fields that a newer service adds are ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Box = tuple[int, int, int, int]
"""(x1, y1, x2, y2) in pixels of the upright image, half open."""

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

    Photos too many for one request become several jobs of the service; they are one `Job` here,
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
    """One photo of an index job: `indexed`, `unchanged`, `failed`, `cancelled` or `queued`."""

    index: int
    name: str
    status: str
    image_id: str | None = None
    error: Mapping[str, Any] | None = None

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
        )


@dataclass(frozen=True)
class Hit:
    """A place in a photo. `score` is the cosine similarity, -1..1; `confidence` the detector's."""

    box: Box
    score: float
    source: str = ""
    label: str | None = None
    confidence: float | None = None
    urls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Hit:
        """Read the JSON form."""
        x1, y1, x2, y2 = (int(value) for value in raw["box"])
        return cls(
            box=(x1, y1, x2, y2),
            score=float(raw["score"]),
            source=str(raw.get("source", "")),
            label=raw.get("label"),
            confidence=raw.get("confidence"),
            urls=raw.get("urls") or {},
        )


@dataclass(frozen=True)
class Match:
    """A photo that contains what was searched for, with its hits, best first."""

    image_id: str
    score: float
    distance: float
    filename: str
    width: int
    height: int
    hits: tuple[Hit, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Match:
        """Read the JSON form."""
        return cls(
            image_id=str(raw["image_id"]),
            score=float(raw["score"]),
            distance=float(raw.get("distance", 1 - raw["score"])),
            filename=str(raw.get("filename") or ""),
            width=int(raw.get("width") or 0),
            height=int(raw.get("height") or 0),
            hits=tuple(Hit.from_json(hit) for hit in raw.get("hits") or ()),
            metadata=raw.get("metadata") or {},
            urls=raw.get("urls") or {},
        )


@dataclass(frozen=True)
class SearchResult:
    """The photos found, best first. `index` says how many images and regions were searched."""

    job_id: str
    matches: tuple[Match, ...]
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    index: Mapping[str, int] = field(default_factory=dict)

    @property
    def best(self) -> Match | None:
        """The first match, None when nothing was found."""
        return self.matches[0] if self.matches else None

    @classmethod
    def from_job(cls, job: Job) -> SearchResult:
        """Read a finished search job."""
        raw = job.result or {}
        return cls(
            job_id=job.job_id,
            matches=tuple(Match.from_json(match) for match in raw.get("matches") or ()),
            timings_ms=raw.get("timings_ms") or {},
            index=raw.get("index") or {},
        )


@dataclass(frozen=True)
class Image:
    """An indexed photo. `regions` is how many of its regions are searched."""

    image_id: str
    filename: str
    width: int
    height: int
    bytes: int
    regions: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    indexed_at: float | None = None
    urls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Image:
        """Read the JSON form."""
        regions = raw.get("regions")
        return cls(
            image_id=str(raw["image_id"]),
            filename=str(raw.get("filename") or ""),
            width=int(raw.get("width") or 0),
            height=int(raw.get("height") or 0),
            bytes=int(raw.get("bytes") or 0),
            regions=len(regions) if isinstance(regions, list) else regions,
            metadata=raw.get("metadata") or {},
            indexed_at=raw.get("indexed_at"),
            urls=raw.get("urls") or {},
        )
