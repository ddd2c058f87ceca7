"""Jobs: what a client polls. A job is a set of items; an item ends exactly once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from common.errors import NeedleError


class Kind(StrEnum):
    """What a job does."""

    INDEX = "index"
    SEARCH = "search"
    SEARCHES = "searches"  # many queries, one after the other
    DELETE = "delete"
    VERIFY = "verify"
    BACKUP = "backup"


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # recorded, no task has begun
    STARTED = "started"  # a task has begun
    SUCCEEDED = "succeeded"  # every item ended well
    PARTIAL = "partial"  # every item ended, some of them failed
    FAILED = "failed"  # every item failed, or the job as a whole did
    CANCELLED = "cancelled"  # the client ended it

    @property
    def final(self) -> bool:
        """Tell whether nothing can change any more."""
        return self not in (Status.QUEUED, Status.STARTED)


class ItemStatus(StrEnum):
    """Where an item stands."""

    QUEUED = "queued"
    INDEXED = "indexed"  # its regions were written by this job
    ANSWERED = "answered"  # a query, whose result is there
    DELETED = "deleted"  # it and all that belongs to it are gone
    UNCHANGED = "unchanged"  # they were there already, made with the same models and options
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Item:
    """One image or query within a job; `name` is the client's name for it (a path or a URL).

    `warning` says what of it could not be read, where it is indexed all the same.
    """

    index: int
    name: str
    image_id: str | None = None
    status: ItemStatus = ItemStatus.QUEUED
    error: Mapping[str, object] | None = None
    warning: str | None = None

    def failed(self, error: NeedleError) -> Item:
        """Return this item, failed for the reason given."""
        return Item(self.index, self.name, self.image_id, ItemStatus.FAILED, error.as_dict())

    def warned(self, warning: str | None) -> Item:
        """Return this item with one more warning, itself where there is none."""
        if warning is None:
            return self
        return replace(self, warning=f"{self.warning} {warning}" if self.warning else warning)

    def under(self, job: Job) -> Item:
        """Return the item as it stands in its job: one that was cancelled or failed queues nothing.

        What a job that failed as a whole did not come to has failed with it, for the same reason.
        """
        if self.status is not ItemStatus.QUEUED:
            return self
        if job.status is Status.CANCELLED:
            return replace(self, status=ItemStatus.CANCELLED)
        if job.status is Status.FAILED:
            return replace(self, status=ItemStatus.FAILED, error=job.error)
        return self

    def ended(self, status: ItemStatus, image_id: str | None) -> Item:
        """Return this item, ended well."""
        return Item(self.index, self.name, image_id, status, warning=self.warning)

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "index": self.index,
            "name": self.name,
            "image_id": self.image_id,
            "status": self.status.value,
            "error": self.error,
            "warning": self.warning,
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> Item:
        """Read the JSON form."""
        raw = json.loads(text)
        return cls(**{**raw, "status": ItemStatus(raw["status"])})


@dataclass(frozen=True)
class Webhook:
    """Whom to call when a job ends, and what came of it so far."""

    url: str
    delivered: bool = False
    attempts: int = 0
    last_error: str | None = None

    def tried(self, error: str | None) -> Webhook:
        """Return it after one more call, that failed for that reason or, for None, arrived."""
        return Webhook(self.url, error is None, self.attempts + 1, error)

    def to_json(self) -> str:
        """Return the JSON form."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Webhook:
        """Read the JSON form."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Job:
    """A job as one read of its record shows it.

    Times are Unix seconds, all by the clock of Redis; `seen_at` is when it was read.
    """

    job_id: str
    kind: Kind
    status: Status
    total: int
    done: int
    failed: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    result: Any = None
    error: Mapping[str, object] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    webhook: Webhook | None = None
    seen_at: float = field(default=0.0, compare=False)

    def rate_per_s(self) -> float | None:
        """Return items ended per second since the first task began, None before that.

        None as well where a clock was set back meanwhile: nobody knows how long it took.
        """
        ended = self.done + self.failed
        if self.started_at is None or not ended:
            return None
        took_s = (self.finished_at or self.seen_at) - self.started_at
        return ended / max(took_s, 1e-3) if took_s >= 0 else None

    def eta_s(self) -> float | None:
        """Return the seconds left at that rate; 0 for a job that has ended, None if unknown."""
        if self.status.final:
            return 0.0
        rate = self.rate_per_s()
        return (self.total - self.done - self.failed) / rate if rate else None


def parse(job_id: str, raw: Mapping[str, str], seen_at: float) -> Job:
    """Return a job of its record, as Redis held it at that time."""

    def moment(name: str) -> float | None:
        return float(raw[name]) if name in raw else None

    return Job(
        job_id=job_id,
        kind=Kind(raw["kind"]),
        status=Status(raw["status"]),
        total=int(raw["total"]),
        done=int(raw["done"]),
        failed=int(raw["failed"]),
        created_at=float(raw["created_at"]),
        started_at=moment("started_at"),
        finished_at=moment("finished_at"),
        result=json.loads(raw.get("result", "null")),
        error=json.loads(raw.get("error", "null")),
        details=json.loads(raw["details"]),
        webhook=Webhook.from_json(raw["webhook"]) if "webhook" in raw else None,
        seen_at=seen_at,
    )
