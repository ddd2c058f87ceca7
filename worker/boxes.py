"""Arithmetic of boxes: how they cover a length, and which of them show the same.

What counts as the same differs from place to place, so each caller names its own threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from common.geometry import Box

Corners = NDArray[np.float64]
"""Rows of x1, y1, x2, y2 in pixels, shape (N, 4)."""


def corners(boxes: Iterable[Box]) -> Corners:
    """Return the boxes as rows of corners, float64 (N, 4)."""
    return np.array([box.as_tuple() for box in boxes], float).reshape(-1, 4)


def largest_overlaps(boxes: Corners, others: Corners) -> NDArray[np.float64]:
    """Return each box's largest IoU with any of the others, (N,); 0 where there are none."""
    if not len(others):
        return np.zeros(len(boxes))
    a, b = boxes.T[:, :, None], others.T[:, None, :]
    width = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    height = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    shared = np.clip(width, 0, None) * np.clip(height, 0, None)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    largest: NDArray[np.float64] = (shared / np.maximum(areas - shared, 1e-9)).max(axis=1)
    return largest


def clear_of(box: Box, others: Iterable[Box], same_iou: float) -> bool:
    """Tell whether a box overlaps each of the others by an IoU below `same_iou`."""
    return all(box.iou(other) < same_iou for other in others)


def apart(boxes: Corners, same_iou: float, *, equal_is_same: bool) -> list[int]:
    """Return the rows that show something else than the returned rows before them.

    Boxes show the same when they overlap by an IoU above `same_iou`, or of just that where
    `equal_is_same`. They come in the order of their merit: of two the first stays.
    """
    kept: list[int] = []
    for row in range(len(boxes)):
        overlap = float(largest_overlaps(boxes[row : row + 1], boxes[kept])[0])
        if overlap < same_iou or (overlap == same_iou and not equal_is_same):
            kept.append(row)
    return kept


def spans(length: float, side: float, overlap: float) -> list[tuple[float, float]]:
    """Return the fewest evenly spread intervals of `side` that cover `length`.

    Neighbours share at least `overlap` (0..1) of a side; a side beyond the length is cut to it.
    """
    side = min(side, length)
    steps = math.ceil((length - side) / (side * (1 - overlap)) - 1e-6)
    starts = [(length - side) * step / steps if steps else 0.0 for step in range(steps + 1)]
    return [(start, start + side) for start in starts]
