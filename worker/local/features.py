"""Keypoints and their descriptors: what a picture looks like, place by place.

A picture is an image or a query.

SIFT (Lowe, 2004) with RootSIFT descriptors (Arandjelovic and Zisserman, 2012): `scales.py` finds
the keypoints, `surroundings.py` describes them, `parts.py` does both for pictures of any size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image

from worker.local.parts import Bytes, Grey, described
from worker.local.scales import CAMERA_SIGMA, GREY, Floats
from worker.local.surroundings import DIM

WORK_PIXELS = 4_000_000
"""Pixels of the first octave, unless told: larger pictures are reduced, smaller ones enlarged."""
MOST_ENLARGED = 1.5
"""Twice the size finds no more in images of 0.3 megapixels, for 1.8 times the pixels."""
MOST_SIDE_PX = 32_000
"""A longer picture is reduced: kernels tell places in single precision."""
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

    def joined(self, other: LocalFeatures) -> LocalFeatures:
        """Return these features, and behind them those of the same picture seen otherwise."""
        return LocalFeatures(
            self.width,
            self.height,
            np.concatenate([self.points, other.points]),
            np.concatenate([self.sizes, other.sizes]),
            np.concatenate([self.angles, other.angles]),
            np.concatenate([self.descriptors, other.descriptors]),
        )

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
    """Return at most `most` keypoints of an upright picture, spread over its area, strongest first.

    The finest of them are as fine as a picture of so many `pixels` has them.
    """
    grey, gains = _working_copy(image, pixels)
    found = described(grey, CAMERA_SIGMA * max(1.0, *gains.tolist()), most)
    return LocalFeatures(
        image.width,
        image.height,
        # Places are those of pixels' centres; ours count from the picture's corner.
        (found.points + np.float32(0.5)) / gains,
        found.radii * np.float32(2 / math.sqrt(gains.prod())),
        np.degrees(found.angles) % np.float32(360),
        found.descriptors,
    )


def _working_copy(image: Image.Image, pixels: int) -> tuple[Grey, Floats]:
    """Return the picture in grey at the first octave's size, and its gains (x, y)."""
    size = np.array(image.size, np.float32)
    gain = min(MOST_ENLARGED, math.sqrt(pixels / size.prod()), MOST_SIDE_PX / size.max())
    width, height = (max(1, round(side * gain)) for side in image.size)
    grey = image.convert("L")
    if gain <= 0.5:
        grey = grey.reduce(int(1 / gain))
    pixels_of: Any = np.asarray(grey)
    if grey.size != (width, height):
        # Between grey levels lie steps: what is enlarged has them.
        levels = pixels_of.astype(np.int16) * np.int16(GREY)
        pixels_of = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)
    return pixels_of, np.array([width, height], np.float32) / size
