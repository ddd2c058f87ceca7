"""Regions, what is written of an image, and the hits of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.contract.fields import HitSource
from common.geometry import Box
from common.regions import ListedRegion

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Region:
    """A box of an image, as it is indexed. `label` and `confidence` come from the detector."""

    image_id: str
    box: Box
    source: HitSource
    label: str | None
    confidence: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the region as JSON carries it."""
        return {
            "image_id": self.image_id,
            "box": self.box.as_list(),
            "source": self.source.value,
            "label": self.label,
            "confidence": self.confidence,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Region:
        """Read what `as_dict` wrote, or the payload that points had in an earlier version."""
        return cls(
            raw["image_id"],
            Box(*raw["box"]),
            HitSource(raw["source"]),
            raw["label"],
            raw["confidence"],
        )

    @classmethod
    def listed(cls, image_id: str, region: ListedRegion) -> Region:
        """Return a region of the image's list."""
        source = HitSource(region.source)
        return cls(image_id, region.box, source, region.label, region.confidence)


@dataclass(frozen=True)
class ImagePoints:
    """All that the index keeps of an image: its regions and their embeddings.

    `vectors` is float32 (regions, dim), each of L2 norm 1, made by the encoder of that name.
    `metadata` is what searches filter by. `listed` is the list of the regions as it is kept, where
    it has been packed before.
    """

    image_id: str
    encoder: str
    regions: Sequence[Region]
    vectors: Vector
    metadata: Mapping[str, Any] = field(default_factory=dict)
    listed: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Hit:
    """A region that a query found.

    `id` is its point's. `score` is cosine similarity, -1..1, or what a search makes of it.
    """

    id: str
    score: float
    region: Region
