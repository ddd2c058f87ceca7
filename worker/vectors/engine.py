"""The seam behind which both forms of Qdrant stand: shelves of points, one sort on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
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
    """A point as it is written: `id` a UUID, the payload with `metadata` where there is any.

    A payload with `image_id` speaks for that image: `Engine.of_images` finds it.
    """

    id: str
    vector: Vector | SparseVector
    payload: dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """A point that is there, without its vector and its metadata."""

    id: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class Near:
    """A point that is near to a query, and its score; of the payload NEAR_PAYLOAD."""

    id: str
    score: float
    payload: dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """The `limit` points nearest to `vector`, of those that meet all conditions of `where`.

    `among` leaves only the points with those ids. `exact` compares every point; otherwise the index
    of the engine answers where there is one.
    """

    vector: Vector | SparseVector
    limit: int
    where: Sequence[Condition] = ()
    among: Sequence[str] | None = None
    exact: bool = True


@dataclass(frozen=True)
class State:
    """How far an engine's index reaches: `indexed` of the `points`; others are compared one by one.

    `optimizing` tells whether the engine is at work on it, `deferred` that it is told not to be.
    """

    points: int = 0
    indexed: int = 0
    optimizing: bool = False
    deferred: bool = False

    @property
    def pending(self) -> int:
        """How many points the index does not hold."""
        return max(0, self.points - self.indexed)


LOOKED_AT = 512
"""Points that a search of an index looks closely at (HNSW's ef); more where it returns more."""
NEAR_PAYLOAD = ("image_id", "box", "source", "label", "confidence")
"""What is read of the payloads of near points; the rest is there to be filtered by."""
PAYLOAD = ("regions", *NEAR_PAYLOAD)
"""What is read of payloads otherwise."""


class Engine(Protocol):
    """Keeps points. All methods raise StoreUnavailable, and StoreRefused for what it cannot hold.

    What writes or makes a copy raises DiskFull where there is no room for it.

    A shelf that was not made is an empty one; only writing needs it.
    """

    builds_itself: bool
    """Whether the engine indexes what is pending without `optimize`."""

    def make(self, shelf: Shelf, dim: int | None) -> None:
        """Make a shelf unless it is there: of embeddings of `dim` numbers, of words for None."""
        ...

    def write(self, shelf: Shelf, rows: Sequence[Row]) -> None:
        """Write points over those of equal ids. Safe to repeat."""
        ...

    def delete(self, shelf: Shelf, ids: Sequence[str]) -> None:
        """Remove points, in that order; absent ones are no error."""
        ...

    def of_images(self, shelf: Shelf, image_ids: Sequence[str]) -> list[Kept]:
        """Return the points whose payload names one of the images."""
        ...

    def every(self, shelf: Shelf) -> Iterator[Kept]:
        """Yield every point, by id. Of those that come and go meanwhile some may be missing."""
        ...

    def read(self, shelf: Shelf, ids: Sequence[str]) -> list[Kept]:
        """Return those of the points that are there, in no order."""
        ...

    def nearest(self, shelf: Shelf, wanted: Wanted) -> list[Near]:
        """Return the nearest points, best first."""
        ...

    def count(self, shelf: Shelf) -> int:
        """Return the number of points."""
        ...

    def state(self, shelf: Shelf) -> State:
        """Return how far the index reaches."""
        ...

    def optimize(self, shelf: Shelf) -> bool:
        """Index what is pending; tell whether it was done. Takes minutes, others work meanwhile.

        An engine that does this by itself does nothing.
        """
        ...

    def defer(self, shelf: Shelf, on: bool) -> bool:
        """Have the engine put off indexing what is written, or take it up again.

        False where there is no such shelf, or the engine indexes only when it is told to.
        """
        ...

    def snapshot(self, folder: Path, meanwhile: Callable[[], None]) -> bool:
        """Copy every shelf into the folder, to `SORT/COLLECTION`, all as they are at one moment.

        Nothing is written from that moment until `meanwhile` has returned. False, after
        `meanwhile`, where the points lie elsewhere. Raises OSError as well.
        """
        ...

    def drop(self, shelf: Shelf) -> None:
        """Remove a shelf; an absent one is no error."""
        ...

    def aside(self) -> list[str]:
        """Return the names of what could not be opened, and was set aside and kept."""
        ...

    def close(self) -> None:
        """Write everything down and release what is held; may be called twice."""
        ...
