"""How well an image's pixels around a box look like a query's, and where exactly they do.

Normalised correlation of colours (Lewis, "Fast normalized cross-correlation", 1995), the query
mirrored as well, at sizes around the box's. An embedding says where to look; pixels tell the thing
itself from what is much like it. It is for what has too little texture for local features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from common.geometry import Box

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

COARSE_PX, FINE_PX = 24, 56
"""The query's side, the root of its area, while it is looked for, and while its box is fitted."""
MARGIN = 0.45
"""How far around a box is looked, in its sides."""
SIZES = tuple(2 ** (step / 4) for step in range(-3, 4))
"""Sizes that are tried, as ratios to the box's."""
NEAR_SIZES = (0.93, 1.0, 1.075)
NEAR_SHAPES = (0.94, 1.0, 1.06)
LEAST_SIDE = 6
"""Sides of a template in pixels; less tells nothing."""


@dataclass(frozen=True)
class Resemblance:
    """How much an image is like a query, -1..1, and the box of the image where.

    `mirrored`: it is like the query mirrored.
    """

    score: float
    box: Box
    mirrored: bool


class Template:
    """A query that is looked for by its pixels."""

    def __init__(self, image: Image.Image) -> None:
        """Take an RGB image."""
        pixels = np.asarray(image)
        self._coarse, self._fine = (_pair(_sized(pixels, side)) for side in (COARSE_PX, FINE_PX))

    def roughly(self, image: Pixels, box: Box) -> Resemblance | None:
        """Return the place around a box of an RGB image (height, width, 3) that is most like it.

        None where the query is too narrow to tell, or what is around the box is smaller than it.
        """
        return self._best(image, box, self._coarse, MARGIN, SIZES, (1.0,))

    def exactly(self, image: Pixels, rough: Resemblance) -> Resemblance:
        """Return a place that was found roughly with its box fitted, seen as closely as can be."""
        template = self._fine[rough.mirrored]
        near = self._best(image, rough.box, [template], 0.12, NEAR_SIZES, NEAR_SHAPES)
        return rough if near is None else replace(near, mirrored=rough.mirrored)

    def _best(
        self,
        image: Pixels,
        box: Box,
        templates: Sequence[Floats],
        margin: float,
        sizes: Sequence[float],
        shapes: Sequence[float],
    ) -> Resemblance | None:
        height, width = templates[0].shape[:2]
        if min(height, width) < LEAST_SIDE:
            return None
        window, left, top = _window(image, box, (max(sizes) - 1) / 2 + margin)
        # Reduced once to the finest that any size needs: a large box has a million pixels.
        finest = min(1.0, max(width / box.width, height / box.height) * 1.1 / min(sizes))
        window = _reduced(window, finest)
        best: tuple[float, float, float, float, float] | None = None
        mirrored = False
        for size in sizes:
            for shape in shapes:
                across = width / (box.width * size * math.sqrt(shape)) / finest
                down = height / (box.height * size / math.sqrt(shape)) / finest
                seen = cv2.resize(
                    window,
                    None,
                    fx=across,
                    fy=down,
                    interpolation=cv2.INTER_AREA if across < 1 else cv2.INTER_LINEAR,
                )
                if seen.shape[0] < height or seen.shape[1] < width:
                    continue
                floats = seen.astype(np.float32)
                for number, template in enumerate(templates):
                    found = cv2.matchTemplate(floats, template, cv2.TM_CCOEFF_NORMED)
                    _, alike, _, (x, y) = cv2.minMaxLoc(found)
                    if np.isfinite(alike) and (best is None or alike > best[0]):
                        best = (alike, x / across, y / down, width / across, height / down)
                        mirrored = number > 0
        if best is None:
            return None
        score, dx, dy, wide, high = (best[0], *(side / finest for side in best[1:]))
        corners = (left + dx, top + dy, left + dx + wide, top + dy + high)
        return Resemblance(score, Box.covering(corners, image.shape[1], image.shape[0]), mirrored)


def _pair(pixels: Pixels) -> tuple[Floats, Floats]:
    """Return the pixels as floats, and mirrored."""
    floats = pixels.astype(np.float32)
    return floats, np.ascontiguousarray(floats[:, ::-1])


def _sized(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    gain = side / math.sqrt(width * height)
    size = (max(1, round(width * gain)), max(1, round(height * gain)))
    how = cv2.INTER_AREA if gain < 1 else cv2.INTER_LINEAR
    sized: Any = cv2.resize(pixels, size, interpolation=how)
    return np.asarray(sized, np.uint8)


def _reduced(pixels: Pixels, gain: float) -> Pixels:
    if gain >= 1:
        return pixels
    reduced: Any = cv2.resize(pixels, None, fx=gain, fy=gain, interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.uint8)


def _window(image: Pixels, box: Box, margin: float) -> tuple[Pixels, int, int]:
    """Return the pixels around a box, and its corner in the image."""
    height, width = image.shape[:2]
    dx, dy = math.ceil(box.width * margin), math.ceil(box.height * margin)
    left, top = max(0, box.x1 - dx), max(0, box.y1 - dy)
    right, bottom = min(width, box.x2 + dx), min(height, box.y2 + dy)
    return image[top:bottom, left:right], left, top
