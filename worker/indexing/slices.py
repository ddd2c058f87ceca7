"""Which parts of a large image the detector sees on their own, so that small things stay large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from common.geometry import Box
from worker.boxes import apart, spans
from worker.models.base import Detection

MOST_SLICES = 48
"""Of one image."""
MOST = 1000
"""Detections that are compared with each other: the time grows with the square."""
CUT_PX = 2.0
"""A detection this near to a slice's inner edge is taken for a thing that the edge cuts."""
SAME_IOU = 0.7
"""Of detections that overlap this much, from whatever slice, the most confident stays."""


@dataclass(frozen=True)
class Slicing:
    """Square slices of `side_px` pixels of the image, neighbours sharing `overlap` of a side.

    An image not much larger than a slice (by a quarter) has none. `most` bounds the work: where
    there would be more, the slices are made larger.
    """

    side_px: int
    overlap: float = 0.2
    most: int = MOST_SLICES

    def boxes(self, width: int, height: int) -> list[Box]:
        """Return the slices of an image of that size, row by row."""
        if max(width, height) < 1.25 * self.side_px:
            return []
        side = float(self.side_px)
        while len(boxes := list(self._grid(width, height, side))) > self.most:
            side *= 1.25
        return boxes

    def _grid(self, width: int, height: int, side: float) -> Iterator[Box]:
        for top, bottom in spans(height, side, self.overlap):
            for left, right in spans(width, side, self.overlap):
                yield Box.covering((left, top, right, bottom), width, height)


def joined(
    width: int,
    height: int,
    whole: Sequence[Detection],
    slices: Sequence[tuple[Box, Sequence[Detection]]],
) -> list[Detection]:
    """Return the detections of the whole image and of its slices as one list, each thing once.

    Slices' detections are in the slice's own pixels; the result is in the image's, most confident
    first. What a slice cuts off is left to the neighbour or to the whole.
    """
    every = list(whole)
    for box, hits in slices:
        moved = (_moved(hit, box) for hit in hits)
        every += [hit for hit in moved if not _cut(hit, box, width, height)]
    best = sorted(every, key=lambda hit: -hit.confidence)[:MOST]
    corners = np.array([(d.x1, d.y1, d.x2, d.y2) for d in best], float).reshape(-1, 4)
    return [best[n] for n in apart(corners, SAME_IOU, equal_is_same=False)]


def _moved(hit: Detection, box: Box) -> Detection:
    return Detection(
        hit.x1 + box.x1,
        hit.y1 + box.y1,
        hit.x2 + box.x1,
        hit.y2 + box.y1,
        hit.label,
        hit.confidence,
    )


def _cut(hit: Detection, box: Box, width: int, height: int) -> bool:
    """Tell whether an edge of the slice that is no edge of the image cuts the detection."""
    return (
        (box.x1 > 0 and hit.x1 < box.x1 + CUT_PX)
        or (box.y1 > 0 and hit.y1 < box.y1 + CUT_PX)
        or (box.x2 < width and hit.x2 > box.x2 - CUT_PX)
        or (box.y2 < height and hit.y2 > box.y2 - CUT_PX)
    )
