"""Which boxes of a photo are indexed. Pure: sizes and detections in, regions out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.geometry import Box
from worker.models.base import Detection
from worker.vectors.base import Source

MIN_SIDE_PX = 8
"""Detections smaller than this hold too few pixels to be told apart."""
SAME_IOU = 0.95
"""A tile that overlaps an earlier proposal this much would be the same crop again."""


@dataclass(frozen=True)
class Proposal:
    """A box to be indexed and what proposed it."""

    box: Box
    source: Source
    label: str | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Tiling:
    """A multi-scale grid of square tiles: for each N of `scales`, of 1/N of the shorter side.

    Neighbours share at least `overlap` (0..0.9) of a side. A scale is left out when the sides of
    its tiles would be under `min_px`, and so are all from the one on that would make more than
    `most` tiles: a very long panorama must not become a million regions.
    """

    scales: tuple[int, ...]
    overlap: float
    min_px: int
    most: int = 2000

    def boxes(self, width: int, height: int) -> Iterator[Box]:
        """Yield the tiles of a photo of that size in pixels, large ones first."""
        made = 0
        for n in self.scales:
            side = min(width, height) / n
            if side < self.min_px:
                continue
            columns, rows = list(self._spans(width, side)), list(self._spans(height, side))
            made += len(columns) * len(rows)
            if made > self.most:
                return
            for top, bottom in rows:
                for left, right in columns:
                    yield Box.covering((left, top, right, bottom), width, height)

    def _spans(self, length: int, side: float) -> Iterator[tuple[float, float]]:
        """Yield the fewest evenly spread intervals of `side` that cover `length` and overlap."""
        steps = math.ceil((length - side) / (side * (1 - self.overlap)) - 1e-6)
        for step in range(steps + 1):
            start = (length - side) * step / steps if steps else 0.0
            yield start, start + side


def propose(
    width: int, height: int, detections: Sequence[Detection], tiling: Tiling
) -> list[Proposal]:
    """Return the regions of a photo: the whole, every detection, then the tiles.

    A photo in which nothing is detected still has regions. `detections` come most confident
    first: of two with the same box (one thing under two labels) the first stays.
    """
    detected: dict[Box, Proposal] = {}
    for found in detections:
        box = Box.covering((found.x1, found.y1, found.x2, found.y2), width, height)
        if min(box.width, box.height) >= MIN_SIDE_PX:
            detected.setdefault(box, Proposal(box, Source.DETECTOR, found.label, found.confidence))
    proposals = [Proposal(Box(0, 0, width, height), Source.WHOLE), *detected.values()]
    tiles = list(tiling.boxes(width, height))
    fresh = _overlaps(tiles, [proposal.box for proposal in proposals]) < SAME_IOU
    proposals += [
        Proposal(tile, Source.TILE) for tile, new in zip(tiles, fresh, strict=True) if new
    ]
    return proposals


def _overlaps(boxes: Sequence[Box], known: Sequence[Box]) -> np.ndarray[tuple[int], Any]:
    """Return each box's largest IoU with any of the known ones, of which there is at least one."""
    a = np.array([box.as_tuple() for box in boxes], float).reshape(-1, 1, 4)
    b = np.array([box.as_tuple() for box in known], float).reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(sides, 0, None).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    largest: np.ndarray[tuple[int], Any] = (shared / union).max(axis=1)
    return largest
