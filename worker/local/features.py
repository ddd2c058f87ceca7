"""Keypoints and their descriptors: what a picture looks like, place by place.

A picture is an image or a query.

SIFT (Lowe, 2004) with RootSIFT descriptors (Arandjelovic and Zisserman, 2012): `scales.py` finds
the keypoints, `surroundings.py` describes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.local.scales import CAMERA_SIGMA, GREY, Floats, Indices, Levels, extrema
from worker.local.surroundings import DIM, descriptors, directions

Bytes = NDArray[np.uint8]

DESCRIPTOR_SCALE = 512.0
"""A descriptor's norm in its bytes: RootSIFT's values stay under 0.5, so all 8 bits are used."""
WORK_PIXELS = 4_000_000
"""Pixels of the first octave: larger images are reduced to so many, small ones enlarged to them."""
MOST_ENLARGED = 2.0
MOST_SIDE_PX = 32_000
"""OpenCV reads places off pictures of less than 32,767 pixels a side."""
MIN_SIDE_PX = 8
CELLS = 64
"""About so many cells share a picture's keypoints, so that no plain corner of it is starved."""

# Bins of SIFT's descriptor as (row, column, direction): a mirror turns rows over and directions
# round; columns run along the keypoint's own direction, which the mirror carries with it.
_BINS = np.arange(DIM).reshape(4, 4, 8)
_MIRRORED_BINS = _BINS[::-1][:, :, (-np.arange(8)) % 8].reshape(-1)


@dataclass(frozen=True)
class LocalFeatures:
    """The keypoints of a picture, strongest first.

    `points` float32 (N, 2): x, y in pixels of the upright picture, from its corner; `sizes`
    float32 (N,): diameters in pixels; `angles` float32 (N,): degrees, clockwise on the screen;
    `descriptors` uint8 (N, 128): RootSIFT, of norm 512. `width` and `height` are the picture's.
    """

    width: int
    height: int
    points: Floats
    sizes: Floats
    angles: Floats
    descriptors: Bytes

    def __len__(self) -> int:
        return len(self.points)

    def mirrored(self) -> LocalFeatures:
        """Return the features of the picture mirrored left to right, without detecting again."""
        points = self.points.copy()
        points[:, 0] = self.width - points[:, 0]
        return LocalFeatures(
            self.width,
            self.height,
            points,
            self.sizes,
            (180.0 - self.angles) % 360.0,
            np.ascontiguousarray(self.descriptors[:, _MIRRORED_BINS]),
        )


def extract(image: Image.Image, most: int, pixels: int = WORK_PIXELS) -> LocalFeatures:
    """Return at most `most` keypoints of an upright picture, spread over its area.

    The finest of them are as fine as a picture of so many `pixels` has them.
    """
    levels, gains = _working_copy(image, pixels)
    found = extrema(levels, CAMERA_SIGMA * max(1.0, *gains.tolist()))
    given = _spread(found.points, found.strengths, levels.shape, most)
    rank = np.argsort(given)
    found = found.where(given[rank])
    rows, angles = directions(found)
    # A second direction at a place counts as a keypoint of its own: the last in turn make room.
    kept = np.sort(np.argsort(rank[rows], kind="stable")[:most])
    found, angles = found.where(rows[kept]), angles[kept]
    raw = descriptors(found, angles)
    order = np.argsort(-found.strengths, kind="stable")
    return LocalFeatures(
        image.width,
        image.height,
        # Places are those of pixels' centres; ours count from the picture's corner.
        (found.points[order] + np.float32(0.5)) / gains,
        found.radii[order] * np.float32(2 / math.sqrt(gains.prod())),
        np.degrees(angles[order]) % np.float32(360),
        _root(raw[order]),
    )


def _working_copy(image: Image.Image, pixels: int) -> tuple[Levels, Floats]:
    """Return the picture in steps of grey at the first octave's size, and its gains (x, y)."""
    size = np.array(image.size, np.float32)
    gain = min(MOST_ENLARGED, math.sqrt(pixels / size.prod()), MOST_SIDE_PX / size.max())
    width, height = (max(1, round(side * gain)) for side in image.size)
    grey = image.convert("L")
    if gain <= 0.5:
        grey = grey.reduce(int(1 / gain))
    levels: NDArray[Any] = np.asarray(grey).astype(np.int16) * np.int16(GREY)
    if grey.size != (width, height):
        levels = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)
    return levels, np.array([width, height], np.float32) / size


def _spread(points: Floats, strengths: Floats, shape: tuple[int, ...], most: int) -> Indices:
    """Return at most `most` rows, one of each cell of a grid in turn, its strongest first."""
    if not len(points):
        return np.zeros(0, np.intp)
    side = math.sqrt(shape[0] * shape[1] / CELLS)
    cells = (points // side).astype(np.int64)
    cell = cells[:, 1] * 100_000 + cells[:, 0]
    order = np.lexsort((-strengths, cell))
    starts = np.flatnonzero(np.r_[True, np.diff(cell[order]) != 0])
    rank = np.empty(len(points), np.int64)
    rank[order] = np.arange(len(points)) - np.repeat(starts, np.diff(np.r_[starts, len(points)]))
    return np.lexsort((-strengths, rank))[:most]


def _root(raw: Floats) -> Bytes:
    """Return RootSIFT: the square root of the L1-normalised descriptor, as bytes."""
    sums = np.maximum(raw.sum(axis=1, keepdims=True), 1e-6)
    scaled = np.sqrt(raw / sums) * np.float32(DESCRIPTOR_SCALE)
    rooted: Bytes = np.minimum(np.rint(scaled), 255).astype(np.uint8)
    return rooted
