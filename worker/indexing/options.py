"""What an index job asks for, over the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.contract import orders
from common.contract.fields import Noted
from common.contract.orders import IndexOrder
from common.jobs import Job
from common.settings import Settings


@dataclass(frozen=True)
class IndexOptions:
    """The options of an index job.

    `metadata` is added to what a known image has, None is nothing, and what of its file the request
    wants to be noted; `changes` are made to it.
    """

    job_id: str
    collection: str
    confidence_threshold: float
    batch_size: int
    profile: str
    metadata: Mapping[str, Any] | None
    local_features: int
    changes: Mapping[str, Any] | None = None
    note: Sequence[Noted] = ()

    def kept(self) -> dict[str, Any]:
        """Return those that decide an image's regions, as a request says them."""
        names = ("profile", "confidence_threshold", "local_features")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of(cls, job: Job, settings: Settings) -> IndexOptions:
        """Read a job's order; what it leaves open comes from the settings.

        Raises IncompatibleJob.
        """
        order = orders.of(job, IndexOrder)
        chosen = {
            name: getattr(settings, name) if given is None else given
            for name, given in vars(order).items()
            if hasattr(settings, name)
        }
        return cls(
            job_id=job.job_id,
            collection=order.collection,
            metadata=order.metadata,
            changes=order.changes,
            note=order.note or (),
            **chosen,
        )
