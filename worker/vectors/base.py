"""Points, hits and the seam behind which both forms of Qdrant stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from common.geometry import Box
from common.vectors.filters import Condition

Vector = NDArray[np.float32]


class Source(StrEnum):
    """What proposed a region."""

    DETECTOR = "detector"
    TILE = "tile"
    WHOLE = "whole"
    ZOOM = "zoom"  # fitted at search time; never indexed
    LOCAL = "local"  # found by local features at search time; never indexed


@dataclass(frozen=True)
class Region:
    """A box of an image, as it is indexed. `label` and `confidence` come from the detector."""

    image_id: str
    box: Box
    source: Source
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
        values = {**payload, "box": Box(*payload["box"]), "source": Source(payload["source"])}
        return cls(**values)


@dataclass(frozen=True)
class Point:
    """A region with its id (a UUID) and its embedding, float32 of shape (dim,), L2 norm 1."""

    id: str
    vector: Vector
    region: Region


@dataclass(frozen=True)
class Hit:
    """A region that a query found. `score` is cosine similarity, -1..1."""

    id: str
    score: float
    region: Region


class VectorStore(Protocol):
    """Keeps the points of every collection. All methods raise StoreUnavailable."""

    def ensure_collection(self, name: str, dim: int) -> None:
        """Create a collection of embeddings of `dim` dimensions unless it is there."""
        ...

    def replace_images(self, collection: str, points: Mapping[str, Sequence[Point]]) -> None:
        """Make `points[image_id]` all the points of each of those images.

        Safe to repeat; a reader never sees an image without points in between.
        """
        ...

    def delete_image(self, collection: str, image_id: str) -> None:
        """Remove every point of an image."""
        ...

    def search(
        self,
        collection: str,
        vector: Vector,
        *,
        limit: int,
        where: Sequence[Condition] = (),
        image_id: str | None = None,
        exact: bool = True,
    ) -> list[Hit]:
        """Return the `limit` points nearest to `vector` (dim,), best first.

        `where` filters on metadata, `image_id` on one image. `exact` compares every point;
        otherwise the index of the engine answers where there is one. A collection that does not
        exist has no points.
        """
        ...

    def regions(self, collection: str, image_id: str) -> dict[str, Region]:
        """Return an image's regions by point id."""
        ...

    def count(self, collection: str) -> int:
        """Return the number of points."""
        ...

    def delete_collection(self, name: str) -> None:
        """Remove a collection; an absent one is no error."""
        ...

    def close(self) -> None:
        """Write everything down and release the store."""
        ...
