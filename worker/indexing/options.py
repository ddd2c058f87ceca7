"""What an index job asks for, over the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.contract import orders
from common.contract.orders import IndexOrder
from common.jobs import Job
from common.settings import Settings


@dataclass(frozen=True)
class IndexOptions:
    """The options of an index job. `metadata` None leaves a known image's metadata alone."""

    job_id: str
    collection: str
    confidence_threshold: float
    batch_size: int
    profile: str
    metadata: Mapping[str, Any] | None
    local_features: int

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
            job_id=job.job_id, collection=order.collection, metadata=order.metadata, **chosen
        )
