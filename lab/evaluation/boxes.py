"""Arithmetic of many boxes at once, in floating point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def iou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Return intersection over union of (N, 4) and (M, 4) corners, shape (N, M), 0..1."""
    a = np.asarray(first, np.float64).reshape(-1, 1, 4)
    b = np.asarray(second, np.float64).reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(min=0).prod(axis=-1)
    union = _area(a) + _area(b) - shared
    ratio: Floats = shared / np.where(union > 0, union, 1)
    return ratio


def _area(boxes: Floats) -> Floats:
    area: Floats = (boxes[..., 2:] - boxes[..., :2]).clip(min=0).prod(axis=-1)
    return area
