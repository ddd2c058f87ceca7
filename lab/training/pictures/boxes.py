"""Boxes drawn at random: which parts of a photo stand in for things."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lab.training.pictures.photos import Pixels

Corners = tuple[float, float, float, float]
"""(x1, y1, x2, y2) in pixels."""
SMALLEST_SHARE = 0.06
"""Least area of a cut-out, as a share of its photo: the photos are 170 px high."""
MIN_SIDE_PX = 24
"""Least side of a cut-out."""
LEAST_PX, LEAST_CROP_PX = 13, 10
"""Least root of the area of a region, and least side of its pixels."""
FLAT = 12.0
"""A region whose pixels deviate by less shows sky or wall; one is taken when all else failed."""
TRIES, PICKY_TRIES = 120, 90
WHOLE_CHANCE = 0.4
MOST_IOU = 0.5
"""Two regions of a photo are told apart: they overlap by no more."""


def random_box(width: int, height: int, rng: np.random.Generator) -> Corners:
    """Return a box in a photo of that size: from a small part of it to all of it."""
    share = math.exp(rng.uniform(math.log(SMALLEST_SHARE), 0.2))
    stretch = math.exp(rng.uniform(-0.6, 0.6))
    side = math.sqrt(min(1.0, share))
    w = min(width, max(MIN_SIDE_PX, width * side * stretch))
    h = min(height, max(MIN_SIDE_PX, height * side / stretch))
    x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
    return (x, y, x + w, y + h)


def regions(photo: Pixels, most: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return up to `most` boxes (N, 4) of all sizes, sometimes the whole photo among them."""
    height, width = photo.shape[:2]
    found: list[Corners] = []
    if rng.random() < WHOLE_CHANCE:
        found.append((0.0, 0.0, float(width), float(height)))
    for number in range(TRIES):
        if len(found) >= most:
            break
        box = _of_any_size(width, height, rng)
        crop = photo[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])]
        if min(crop.shape[:2]) < LEAST_CROP_PX or (crop.std() < FLAT and number < PICKY_TRIES):
            continue
        if all(iou(box, other) <= MOST_IOU for other in found):
            found.append(box)
    return np.array(found, np.float64).reshape(-1, 4)


def astray(
    boxes: NDArray[np.float64], width: int, height: int, reach: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return boxes whose sides moved by up to a share of the box's side, within the photo."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    moved = boxes + rng.uniform(-reach, reach, boxes.shape) * sides
    clipped: NDArray[np.float64] = moved.clip(0, (width, height, width, height))
    return clipped


def iou(a: Corners, b: Corners) -> float:
    """Return the area that two boxes share as a part of what they cover together."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, w) * max(0.0, h)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _of_any_size(width: int, height: int, rng: np.random.Generator) -> Corners:
    side = math.exp(rng.uniform(math.log(LEAST_PX), math.log(math.sqrt(width * height))))
    stretch = math.exp(rng.uniform(-0.7, 0.7))
    w, h = min(width, side * math.sqrt(stretch)), min(height, side / math.sqrt(stretch))
    x, y = rng.uniform(0, width - w + 1e-6), rng.uniform(0, height - h + 1e-6)
    return (x, y, min(width, x + w), min(height, y + h))
