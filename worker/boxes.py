"""Arithmetic of boxes: how they cover a length, and which of them show the same.

What counts as the same differs from place to place, so each caller names its own threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from common.geometry import Box
from worker.native.boxes import apart as boxes_apart

Corners = NDArray[np.float64]
"""Rows of x1, y1, x2, y2 in pixels, shape (N, 4)."""


def corners(boxes: Iterable[Box]) -> Corners:
    """Return the boxes as rows of corners, float64 (N, 4)."""
    return np.array([box.as_tuple() for box in boxes], float).reshape(-1, 4)


def largest_overlaps(boxes: Corners, others: Corners) -> NDArray[np.float64]:
    """Return each box's largest IoU with any of the others, (N,); 0 where there are none."""
    if not len(others):
        return np.zeros(len(boxes))
    largest: NDArray[np.float64] = overlaps(boxes, others).max(axis=1)
    return largest


def overlaps(boxes: Corners, others: Corners) -> NDArray[np.float64]:
    """Return each box's IoU with each of the others, (N, M)."""
    a, b = boxes.T[:, :, None], others.T[:, None, :]
    width = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    height = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    shared = np.clip(width, 0, None) * np.clip(height, 0, None)
    areas = _areas(boxes)[:, None] + _areas(others)
    found: NDArray[np.float64] = shared / np.maximum(areas - shared, 1e-9)
    return found


def overlapping(boxes: Corners, others: Corners, least_iou: float) -> NDArray[np.bool_]:
    """Tell which boxes overlap any of the others by an IoU of at least `least_iou` (above 0), (N,).

    Boxes that overlap so much are about as large: only such are compared.
    """
    found = np.zeros(len(boxes), bool)
    areas, their_areas = _areas(boxes), _areas(others)
    order = np.argsort(their_areas)
    others, their_areas = others[order], their_areas[order]
    sizes, which = np.unique(areas, return_inverse=True)
    # A little more than may be needed, for what rounding does to a quotient.
    first = np.searchsorted(their_areas, sizes * least_iou * (1 - 1e-9))
    last = np.searchsorted(their_areas, sizes / least_iou * (1 + 1e-9), side="right")
    for n in np.flatnonzero(last > first):
        rows = np.flatnonzero(which == n)
        near = others[first[n] : last[n]]
        found[rows] = largest_overlaps(boxes[rows], near) >= least_iou
    return found


def _areas(boxes: Corners) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def clear_of(box: Box, others: Iterable[Box], same_iou: float) -> bool:
    """Tell whether a box overlaps each of the others by an IoU below `same_iou`."""
    return all(box.iou(other) < same_iou for other in others)


def apart(boxes: Corners, same_iou: float, *, equal_is_same: bool) -> list[int]:
    """Return the rows that show something else than the returned rows before them.

    Boxes show the same when they overlap by an IoU above `same_iou`, or of just that where
    `equal_is_same`. They come in the order of their merit: of two the first stays.
    """
    rows: list[int] = boxes_apart(boxes, same_iou, equal_is_same).tolist()
    return rows


def spans(length: float, side: float, overlap: float) -> list[tuple[float, float]]:
    """Return the fewest evenly spread intervals of `side` that cover `length`.

    Neighbours share at least `overlap` (0..1) of a side; a side beyond the length is cut to it.
    """
    side = min(side, length)
    steps = math.ceil((length - side) / (side * (1 - overlap)) - 1e-6)
    starts = [(length - side) * step / steps if steps else 0.0 for step in range(steps + 1)]
    return [(start, start + side) for start in starts]
