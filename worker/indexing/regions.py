"""Which boxes of an image are indexed. Pure: sizes and detections in, regions out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from common.contract.fields import HitSource
from common.geometry import Box
from worker.boxes import corners, overlapping, spans
from worker.models.base import Detection

MIN_SIDE_PX = 8
"""Detections smaller than this hold too few pixels to be told apart."""
SAME_IOU = 0.95
"""A tile that overlaps an earlier proposal this much would be the same crop again."""


@dataclass(frozen=True)
class Proposal:
    """A box to be indexed and what proposed it."""

    box: Box
    source: HitSource
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
        """Yield the tiles of an image of that size in pixels, large ones first."""
        made = 0
        for n in self.scales:
            side = min(width, height) / n
            if side < self.min_px:
                continue
            columns, rows = spans(width, side, self.overlap), spans(height, side, self.overlap)
            made += len(columns) * len(rows)
            if made > self.most:
                return
            # Whole pixels of each row and column once, not of each tile: see `Box.covering`.
            sides = [_covering(span, width) for span in columns]
            for top, bottom in (_covering(span, height) for span in rows):
                for left, right in sides:
                    yield Box(left, top, right, bottom)


def propose(
    width: int, height: int, detections: Sequence[Detection], tiling: Tiling
) -> list[Proposal]:
    """Return the regions of an image: the whole, every detection, then the tiles.

    An image in which nothing is detected still has regions. `detections` come most confident
    first: of two with the same box (one thing under two labels) the first stays.
    """
    detected: dict[Box, Proposal] = {}
    for detection in detections:
        sides = (detection.x1, detection.y1, detection.x2, detection.y2)
        box = Box.covering(sides, width, height)
        if min(box.width, box.height) >= MIN_SIDE_PX:
            label, confidence = detection.label, detection.confidence
            detected.setdefault(box, Proposal(box, HitSource.DETECTOR, label, confidence))
    proposals = [Proposal(Box(0, 0, width, height), HitSource.WHOLE), *detected.values()]
    tiles = list(tiling.boxes(width, height))
    known = corners(proposal.box for proposal in proposals)
    copies = overlapping(corners(tiles), known, SAME_IOU).tolist()
    proposals += [
        Proposal(tile, HitSource.TILE) for tile, copy in zip(tiles, copies, strict=True) if not copy
    ]
    return proposals


def _covering(span: tuple[float, float], length: int) -> tuple[int, int]:
    return max(0, math.floor(span[0])), min(length, math.ceil(span[1]))
