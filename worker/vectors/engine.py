"""The seam behind which both forms of Qdrant stand: shelves of points, one sort on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from common.vectors.filters import Condition
from worker.vectors.base import Vector
from worker.vectors.words import SparseVector


class Sort(StrEnum):
    """What the points of a shelf are: one a region with its embedding, or one an image's words."""

    REGIONS = "vectors"
    WORDS = "words"


@dataclass(frozen=True)
class Shelf:
    """Where an engine keeps the points of one sort of one collection.

    It is a folder of Qdrant Edge's, or a collection of a Qdrant server's.
    """

    sort: Sort
    collection: str


@dataclass(frozen=True)
class Row:
    """A point as it is written: `id` a UUID, the payload with `image_id` and `metadata`."""

    id: str
    vector: Vector | SparseVector
    payload: dict[str, Any]


@dataclass(frozen=True)
class Near:
    """A point that is near to a query, and its score."""

    id: str
    score: float
    payload: dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """The `limit` points nearest to `vector`, of those that meet all conditions of `where`.

    `image_id` leaves the points of one image. `exact` compares every point; otherwise the index of
    the engine answers where there is one.
    """

    vector: Vector | SparseVector
    limit: int
    where: Sequence[Condition] = ()
    image_id: str | None = None
    exact: bool = True


class Engine(Protocol):
    """Keeps points. All methods raise StoreUnavailable, and StoreRefused for what it cannot hold.

    A shelf that was not made is an empty one; only writing needs it.
    """

    def make(self, shelf: Shelf, dim: int | None) -> None:
        """Make a shelf unless it is there: of embeddings of `dim` numbers, of words for None."""
        ...

    def write(self, shelf: Shelf, rows: Sequence[Row], *, all_of: Sequence[str] = ()) -> None:
        """Write points over those of equal ids, and remove all others of the images `all_of`.

        Safe to repeat; a reader never sees an image without points in between.
        """
        ...

    def delete_image(self, shelf: Shelf, image_id: str) -> None:
        """Remove every point of an image."""
        ...

    def nearest(self, shelf: Shelf, wanted: Wanted) -> list[Near]:
        """Return the nearest points, best first."""
        ...

    def count(self, shelf: Shelf) -> int:
        """Return the number of points."""
        ...

    def drop(self, shelf: Shelf) -> None:
        """Remove a shelf; an absent one is no error."""
        ...

    def close(self) -> None:
        """Write everything down and release what is held; may be called twice."""
        ...
