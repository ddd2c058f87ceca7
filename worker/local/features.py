"""Keypoints and their descriptors: what a picture looks like, place by place.

A picture is an image or a query.

SIFT (Lowe, 2004) with RootSIFT descriptors (Arandjelovic and Zisserman, 2012), through OpenCV.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

DIM = 128
DESCRIPTOR_SCALE = 512.0
"""A descriptor's norm in its bytes: RootSIFT's values stay under 0.5, so all 8 bits are used."""
WORK_PIXELS = 1_000_000
"""Larger images are reduced to so many pixels; SIFT doubles them again for its first octave."""
MIN_SIDE_PX = 8
CELLS = 64
"""About so many cells share a picture's keypoints, so that no plain corner of it is starved."""

# Lower than OpenCV's 0.04 and 10: a small region must keep a few keypoints, however faint.
_CONTRAST = 0.01
_EDGE = 12.0
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

    A picture of more than so many `pixels` is reduced first.
    """
    grey, reduced = _working_copy(image, pixels)
    if min(grey.shape) < MIN_SIDE_PX:
        return _features(image, [], np.zeros((0, DIM), np.float32), reduced)
    sift = cv2.SIFT_create(  # type: ignore[attr-defined]
        contrastThreshold=_CONTRAST, edgeThreshold=_EDGE, enable_precise_upscale=True
    )
    found = _spread(sift.detect(grey, None), grey.shape, most)
    kept, raw = sift.compute(grey, found) if found else ([], None)
    if raw is None:
        kept, raw = [], np.zeros((0, DIM), np.float32)
    return _features(image, list(kept), raw, reduced)


def _working_copy(image: Image.Image, pixels: int) -> tuple[Bytes, float]:
    """Return the picture in grey, reduced if it is large, and the factor back to its pixels."""
    reduced = max(1.0, math.sqrt(image.width * image.height / pixels))
    grey = image.convert("L")
    if reduced > 1:
        size = (max(1, round(image.width / reduced)), max(1, round(image.height / reduced)))
        grey = grey.resize(size, Image.Resampling.BOX, reducing_gap=None)
    return np.asarray(grey, dtype=np.uint8), reduced


def _spread(found: list[cv2.KeyPoint], shape: tuple[int, ...], most: int) -> list[cv2.KeyPoint]:
    """Return the keypoints that each cell of a grid gives up last, at most `most`."""
    if not found:
        return []
    side = math.sqrt(shape[0] * shape[1] / CELLS)
    points = np.array([point.pt for point in found])
    strength = np.array([point.response for point in found])
    cells = (points // side).astype(np.int64)
    cell = cells[:, 1] * 100_000 + cells[:, 0]
    order = np.lexsort((-strength, cell))
    starts = np.flatnonzero(np.r_[True, np.diff(cell[order]) != 0])
    rank = np.empty(len(found), np.int64)
    rank[order] = np.arange(len(found)) - np.repeat(starts, np.diff(np.r_[starts, len(found)]))
    chosen = np.lexsort((-strength, rank))[:most]
    return [found[i] for i in chosen[np.argsort(-strength[chosen], kind="stable")]]


def _features(
    image: Image.Image, kept: list[cv2.KeyPoint], raw: Floats, reduced: float
) -> LocalFeatures:
    return LocalFeatures(
        image.width,
        image.height,
        # OpenCV's places are those of pixels' centres; ours count from the picture's corner.
        (np.array([p.pt for p in kept], np.float32).reshape(-1, 2) + 0.5) * np.float32(reduced),
        np.array([p.size for p in kept], np.float32) * np.float32(reduced),
        np.array([p.angle for p in kept], np.float32),
        _root(raw),
    )


def _root(raw: Floats) -> Bytes:
    """Return RootSIFT: the square root of the L1-normalised descriptor, as bytes."""
    sums = np.maximum(raw.sum(axis=1, keepdims=True), 1e-6)
    scaled = np.sqrt(raw / sums) * DESCRIPTOR_SCALE
    rooted: Bytes = np.minimum(np.rint(scaled), 255).astype(np.uint8)
    return rooted
