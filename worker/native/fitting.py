"""Kernels over pairs of keypoints: fitting transforms to them, and who agrees with these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.native.arrays import Floats
from worker.native.library import library

Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]


def affine(source: Floats, target: Floats, used: Mask) -> Matrix | None:
    """Return the affine transform (3, 3) that fits some pairs best; None where none is fixed.

    `source` and `target` float32 (N, 2), `used` bool (N,).
    """
    _check(source, target, used)
    matrix = np.empty((3, 3), np.float64)
    fixed = library().needle_affine(source, target, used.view(np.uint8), len(used), matrix)
    return matrix if fixed else None


def agreeing(
    source: Floats,
    target: Floats,
    turned: Floats,
    log_growth: Floats,
    matrix: Matrix,
    *,
    near_px: float,
    turn: float,
    grown: float,
    most_turned: float,
    most_grown: float,
) -> Mask:
    """Tell which pairs a transform (3, 3) carries to within `near_px` of their place, bool (N,).

    And which turn (degrees, 0..360) and grow (logarithms) as it does, to `most_turned` and
    `most_grown`.
    """
    agree = np.empty(len(source), np.uint8)
    _check(source, target, agree, turned, log_growth)
    library().needle_agreeing(
        source,
        target,
        turned,
        log_growth,
        len(source),
        np.ascontiguousarray(matrix, np.float64),
        near_px,
        turn,
        grown,
        most_turned,
        most_grown,
        agree,
    )
    return agree.view(np.bool_)


def crowd(points: Floats, places: Floats, near_px: float) -> float:
    """Return how many of `points` lie within `near_px` of a place, the mean of all places.

    `points` float32 (N, 2), `places` (M, 2), M at least 1.
    """
    if points.shape != (len(points), 2) or places.shape != (len(places), 2) or not len(places):
        raise ValueError("points and places are pairs of numbers")
    found = library().needle_crowd(points, len(points), places, len(places), near_px)
    return float(found / len(places))


def _check(source: Floats, target: Floats, *columns: NDArray[np.generic]) -> None:
    count = len(source)
    if source.shape != (count, 2) or target.shape != (count, 2):
        raise ValueError("a pair leads from one place to another")
    if any(column.shape != (count,) for column in columns):
        raise ValueError("every pair has one number of each kind")
