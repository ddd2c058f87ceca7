"""Which keypoints of a query and of an image look alike: the seam for another matcher."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from worker.local.features import LocalFeatures
from worker.local.keypoints import Keypoints
from worker.local.scales import Floats
from worker.local.stored import StoredKeypoints
from worker.local.vocabulary import Near, Vocabulary
from worker.native import matching as native

Indices = NDArray[np.intp]

RATIO = 0.85
"""A pair is nearer than this share of the distance to the nearest descriptor of other images."""
EACH = 64
"""Most pairs of one keypoint: an image may show the same thing so many times, or more."""
NEAR_CELLS = 32
"""Cells of each half, of 1,024, around a query's descriptor in which matches are looked for.

With 16 a tenth of the evidence of small altered crops is lost, with 64 none.
"""
FEWEST_CELLS = 8
FULL_UP_TO = 3000
"""Keypoints of an image up to which so many cells are looked through; of more, fewer cells."""
WORD_BITS = 64
Marks = tuple[NDArray[np.uint64], NDArray[np.uint64]]


@dataclass(frozen=True)
class Query:
    """What is searched for: keypoints, and where a match of each may be.

    `reach` float32 (N,): squared distances that a match must come within. `near`: the cells of
    either half around each descriptor, nearest first, with squared distances. `cells`: those that
    there are of a half.
    """

    keypoints: Keypoints
    reach: Floats
    near: tuple[Near, Near]
    cells: int
    mirrored: bool
    _marked: dict[int, Marks] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def both(cls, features: LocalFeatures, vocabulary: Vocabulary) -> tuple[Query, Query]:
        """Return the query as it is and mirrored."""
        keypoints = Keypoints.of(features, vocabulary)
        # How near unrelated images come is about the same whichever way round a query is.
        reach = RATIO**2 * vocabulary.nearest_background(keypoints.vectors)
        mirrored = Keypoints.of(features.mirrored(), vocabulary)
        return cls._of(keypoints, reach, vocabulary), cls._of(mirrored, reach, vocabulary, True)

    @classmethod
    def _of(
        cls, keypoints: Keypoints, reach: Floats, vocabulary: Vocabulary, mirrored: bool = False
    ) -> Query:
        near = vocabulary.near_cells(keypoints.vectors, NEAR_CELLS)
        return cls(keypoints, reach, near, vocabulary.cells, mirrored)

    def first(self, count: int) -> Query:
        """Return the query as its strongest keypoints show it."""
        (one, its), (other, theirs) = ((cells[:count], near[:count]) for cells, near in self.near)
        keypoints, reach = self.keypoints.first(count), self.reach[:count]
        return Query(keypoints, reach, ((one, its), (other, theirs)), self.cells, self.mirrored)

    def marks(self, count: int) -> Marks:
        """Return, for each cell of either half, which descriptors have it among their `count`.

        Both uint64 (cells, N / 64): a bit for each descriptor, the first of them the lowest.
        """
        if count not in self._marked:
            first, second = (_marks(cells[:, :count], self.cells) for cells, _ in self.near)
            self._marked[count] = first, second
        return self._marked[count]


@dataclass(frozen=True)
class Pairs:
    """Keypoints that look alike, best first: indices into the query's and into the image's."""

    query: Indices
    image: Indices

    def __len__(self) -> int:
        return len(self.query)

    def where(self, kept: NDArray[np.bool_]) -> Pairs:
        """Return the pairs for which `kept`, bool (N,), is true."""
        return Pairs(self.query[kept], self.image[kept])


class Matcher(Protocol):
    """Pairs keypoints by what they look like; where they lie is judged afterwards."""

    def pairs(self, query: Query, image: StoredKeypoints) -> Pairs:
        """Return the likely pairs, best first; a keypoint may be in several."""
        ...


@dataclass(frozen=True)
class NearestMatcher:
    """Pairs every keypoint with the nearest of the image that come within its reach.

    Lowe's ratio test compares with the second nearest of the same image, and so refuses whatever
    the image shows twice. Here the comparison is with a fixed sample of unrelated images. Only
    keypoints are compared whose words are near to the descriptor's own in both halves: an image of
    many megapixels has tens of thousands.
    """

    most: int = 1024

    def pairs(self, query: Query, image: StoredKeypoints) -> Pairs:
        """See Matcher."""
        count = NEAR_CELLS * math.sqrt(FULL_UP_TO / max(len(image), 1))
        rows, columns, distances = native.pairs(
            image.words,
            image.codes,
            image.code.coded,
            query.marks(round(min(NEAR_CELLS, max(FEWEST_CELLS, count)))),
            query.keypoints.vectors,
            query.reach,
        )
        nearness = 1 - distances / np.maximum(query.reach[rows], 1e-6)
        order = np.lexsort((-nearness, rows))
        rows, columns, nearness = rows[order], columns[order], nearness[order]
        starts = np.flatnonzero(np.r_[True, np.diff(rows) != 0]) if len(rows) else rows
        place = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
        first = np.flatnonzero(place < EACH)
        best = first[np.argsort(-nearness[first], kind="stable")][: self.most]
        return Pairs(rows[best], columns[best])


def _marks(near: Indices, cells: int) -> NDArray[np.uint64]:
    rows = -(-len(near) // WORD_BITS) * WORD_BITS
    marked = np.zeros((cells, rows), bool)
    marked[near, np.arange(len(near))[:, None]] = True
    return np.packbits(marked, axis=1, bitorder="little").view("<u8")
