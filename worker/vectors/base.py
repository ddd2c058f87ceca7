"""Regions, their points, and the hits of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.contract.fields import HitSource
from common.geometry import Box

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Region:
    """A box of an image, as it is indexed. `label` and `confidence` come from the detector."""

    image_id: str
    box: Box
    source: HitSource
    label: str | None
    confidence: float | None
    filename: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Return the payload of the region's point."""
        return {
            "image_id": self.image_id,
            "box": self.box.as_list(),
            "source": self.source.value,
            "label": self.label,
            "confidence": self.confidence,
            "filename": self.filename,
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Region:
        """Read a point's payload."""
        values = {**payload, "box": Box(*payload["box"]), "source": HitSource(payload["source"])}
        return cls(**values)


@dataclass(frozen=True)
class Point:
    """A region with its id (a UUID) and its embedding, float32 of shape (dim,), L2 norm 1."""

    id: str
    vector: Vector
    region: Region


@dataclass(frozen=True)
class Hit:
    """A region that a query found.

    `id` is its point's. `score` is cosine similarity, -1..1, or what a search makes of it.
    """

    id: str
    score: float
    region: Region
