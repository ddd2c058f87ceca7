"""Searching a gallery of embeddings exactly, and judging what was found. Only numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.boxes import iou
from lab.evaluation.photos import Corners
from worker.models.base import Embeddings

_AT_ONCE = 16_000_000
"""Scores held at once: 64 MB."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Gallery:
    """Embeddings (N, dim) of regions, the number of the photo that each is of, its box (N, 4).

    The regions of a photo lie together, in the order of the photos, at least one a photo.
    """

    embeddings: Embeddings
    owners: Ints
    boxes: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not len(self.embeddings) == len(self.owners) == len(self.boxes):
            raise ValueError("a gallery needs one owner and one box an embedding")
        if (np.diff(self.owners) < 0).any():
            raise ValueError("the regions of a photo must lie together")
        if not np.array_equal(np.unique(self.owners), np.arange(self.photos)):
            raise ValueError("a photo of the gallery has no region")

    @property
    def photos(self) -> int:
        """How many photos there are."""
        return int(self.owners[-1]) + 1 if len(self.owners) else 0

    @cached_property
    def starts(self) -> Ints:
        """The first region of each photo, and the number of regions."""
        return np.searchsorted(self.owners, np.arange(self.photos + 1))


@dataclass(frozen=True)
class Truth:
    """What is right for a query: numbers of photos; `box` is where it lies in the right photo.

    Photos of `left_out` are not searched.
    """

    right: frozenset[int]
    left_out: frozenset[int] = frozenset()
    box: Corners | None = None


@dataclass(frozen=True)
class Outcomes:
    """What a search found for each of n queries, as arrays of length n.

    `rank`: place of the first right photo, from 1. `precision`: average precision over the right
    photos, 0..1. `iou_right`: between the query's box and the best region of the best right
    photo. `iou_top`: the same for the top hit, 0 where that is in a wrong photo. Both are NaN
    where no box is known.
    """

    rank: Ints
    precision: NDArray[np.float64]
    iou_right: NDArray[np.float64]
    iou_top: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rank)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Outcomes:
        """Return the outcomes of the chosen queries."""
        return Outcomes(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def recall(self, at: int) -> NDArray[np.bool_]:
        """Tell of each query whether a right photo is among the best `at`."""
        return self.rank <= at


def look_up(gallery: Gallery, queries: Embeddings, truths: Sequence[Truth]) -> Outcomes:
    """Search for each of (n, dim) queries: photos are ranked by their best region's score.

    Of equal scores the wrong photo goes first, so that an encoder gains nothing by ties.
    """
    found = []
    step = max(1, _AT_ONCE // max(1, len(gallery.owners)))
    for start in range(0, len(truths), step):
        scores = queries[start : start + step] @ gallery.embeddings.T
        best = np.maximum.reduceat(scores, gallery.starts[:-1], axis=1)
        for one in zip(scores, best, truths[start : start + step], strict=True):
            found.append(_judge(gallery, *one))
    columns = np.array(found, np.float64).reshape(-1, 4).T
    return Outcomes(columns[0].astype(np.int64), columns[1], columns[2], columns[3])


def _judge(
    gallery: Gallery, scores: Embeddings, best: Embeddings, truth: Truth
) -> tuple[float, float, float, float]:
    """Return one query's outcome from the scores of regions (N,) and of photos (P,)."""
    best = best.copy()
    best[list(truth.left_out)] = -np.inf
    right = np.zeros(len(best), bool)
    right[list(truth.right)] = True
    order = np.lexsort((right, -best))
    places = np.flatnonzero(right[order]) + 1
    if not len(places):
        return len(best) + 1, 0.0, np.nan, np.nan
    precision = float((np.arange(1, len(places) + 1) / places).mean())
    first = int(places[0])
    if truth.box is None:
        return first, precision, np.nan, np.nan
    overlap = _overlap(gallery, scores, int(order[first - 1]), truth.box)
    return first, precision, overlap, overlap if first == 1 else 0.0


def _overlap(gallery: Gallery, scores: Embeddings, photo: int, box: Corners) -> float:
    """Return the IoU of the box and the photo's best region."""
    start, end = gallery.starts[photo], gallery.starts[photo + 1]
    region = start + int(scores[start:end].argmax())
    return float(iou(gallery.boxes[region], box)[0, 0])
