"""Transforms of a query's pixels into an image's: affine ones and homographies, float64 (3, 3)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from worker.local.scales import Floats

Matrix = NDArray[np.float64]

MOST_SHEAR = 3.5
"""Most that a transform may stretch one direction over the other."""
SCALES = (1 / 40, 12.0)


def carried(matrix: Matrix, points: Floats | Matrix) -> Matrix:
    """Return points (N, 2) carried by a transform, float64 (N, 2)."""
    homogeneous: Matrix = np.hstack([points, np.ones((len(points), 1))])
    homogeneous = homogeneous @ matrix.T
    moved: Matrix = homogeneous[:, :2] / homogeneous[:, 2:]
    return moved


def corners(size: tuple[int, int]) -> Matrix:
    """Return a picture's corners (4, 2): top left, top right, bottom right, bottom left."""
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def growth_and_turn(matrix: Matrix, size: tuple[int, int]) -> tuple[float, float]:
    """Return a transform's scale (a factor) and turn (degrees) at the query's centre."""
    a, b, c, d = _linear(matrix, size)
    return math.sqrt(abs(a * d - b * c)), math.degrees(math.atan2(c - b, a + d))


def _linear(matrix: Matrix, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the transform's derivative at the query's centre, row by row."""
    (a, b, x), (c, d, y), (e, f, w) = matrix.tolist()
    across, down = size[0] / 2, size[1] / 2
    x, y, w = a * across + b * down + x, c * across + d * down + y, e * across + f * down + w
    square = w * w
    return (
        (a * w - x * e) / square,
        (b * w - x * f) / square,
        (c * w - y * e) / square,
        (d * w - y * f) / square,
    )


def sane(matrix: Matrix, size: tuple[int, int]) -> bool:
    """Tell whether a transform could be a thing seen from elsewhere: not folded, not flattened."""
    rows = matrix.tolist()
    if not all(math.isfinite(number) for row in rows for number in row):
        return False
    (e, f, w), (width, height) = rows[2], size
    depths = (w, w + e * width, w + f * height, w + e * width + f * height)
    if min(depths) <= 1e-9 or max(depths) > 4 * min(depths):
        return False
    a, b, c, d = _linear(matrix, size)
    area = a * d - b * c
    if area <= 0:
        return False
    # The larger of its singular values: how far it stretches one direction; the other is the rest.
    squares = a * a + b * b + c * c + d * d
    apart = math.sqrt(max(0.0, squares * squares - 4 * area * area))
    large = math.sqrt((squares + apart) / 2)
    return large <= MOST_SHEAR * area / large and SCALES[0] < math.sqrt(area) < SCALES[1]
