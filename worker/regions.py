"""Which boxes of a photo are indexed. Pure: sizes and detections in, regions out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from common.geometry import Box
from common.vectors.base import Source
from worker.models.base import Detection

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
    """A multi-scale grid: for each N of `grids`, N x N tiles.

    Neighbours share `overlap` (0..0.9) of a side. A grid is left out when the shorter side of its
    tiles would be under `min_px`.
    """

    grids: tuple[int, ...]
    overlap: float
    min_px: int

    def boxes(self, width: int, height: int) -> Iterator[Box]:
        """Yield the tiles of a photo of that size in pixels, large ones first."""
        for n in self.grids:
            if min(width, height) / n >= self.min_px:
                columns = list(self._spans(width, n))
                for top, bottom in self._spans(height, n):
                    for left, right in columns:
                        yield Box.covering((left, top, right, bottom), width, height)

    def _spans(self, length: int, n: int) -> Iterator[tuple[float, float]]:
        """Yield evenly spread intervals of `length / n` that cover the whole side."""
        size = length / n
        steps = round((n - 1) / (1 - self.overlap))
        for step in range(steps + 1):
            start = (length - size) * step / steps if steps else 0.0
            yield start, start + size


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
    known = [proposal.box for proposal in proposals]
    proposals += [
        Proposal(tile, Source.TILE)
        for tile in tiling.boxes(width, height)
        if all(tile.iou(box) < SAME_IOU for box in known)
    ]
    return proposals
