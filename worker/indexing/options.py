"""What a request may decide for its own index job, over the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
        """Read a job's details; what the request left open comes from the settings."""
        details = job.details

        def chosen(name: str) -> Any:
            given = details.get(name)
            return getattr(settings, name) if given is None else given

        return cls(
            job_id=job.job_id,
            collection=details["collection"],
            confidence_threshold=chosen("confidence_threshold"),
            batch_size=chosen("batch_size"),
            profile=chosen("profile"),
            metadata=details.get("metadata"),
            local_features=chosen("local_features"),
        )
