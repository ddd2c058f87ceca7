"""What a request may decide for its own job, over the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.contract.orders import IndexOrder
from common.settings import Settings


@dataclass(frozen=True)
class IndexOptions:
    """The options of an index job. `metadata` None leaves a known image's metadata alone."""

    collection: str
    confidence_threshold: float
    batch_size: int
    profile: str
    metadata: Mapping[str, Any] | None
    local_features: int

    @classmethod
    def of(cls, order: IndexOrder, settings: Settings) -> IndexOptions:
        """Read a job's order; what the request left open comes from the settings."""
        chosen = {
            name: getattr(settings, name) if given is None else given
            for name, given in vars(order).items()
            if hasattr(settings, name)
        }
        return cls(collection=order.collection, metadata=order.metadata, **chosen)
