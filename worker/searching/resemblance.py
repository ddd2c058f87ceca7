"""How well an image's pixels around a box look like a query's, and where exactly they do.

Normalised correlation of colours (Lewis, "Fast normalized cross-correlation", 1995), the query
mirrored as well, at sizes around the box's. An embedding says where to look; pixels tell the thing
itself from what is much like it. It is for what has too little texture for local features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
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
SIZES = tuple(2 ** (step / 4) for step in range(-3, 4))
"""Sizes that are tried, as ratios to the box's."""
PEAKS = 2
"""Places of each size, the most alike in the query's tint, that may be the thing."""
TOLD_APART = 6
"""Places, of all sizes, that are told apart in colour."""
PLAIN = 1.0
"""Levels, of 256, that a template's pixels span at least: less is like anything."""
NEAR = 0.12
"""How far a place that was found roughly may move, in its sides."""
NEAR_SIZES = (0.93, 1.0, 1.075)
NEAR_SHAPES = (0.94, 1.0, 1.06)
LEAST_SIDE = 6
"""Sides of a template in pixels; less tells nothing."""


@dataclass(frozen=True)
class _Level:
    """Sizes that are tried together, and how far around a box: in its sides.

    A thing of `unit` times the box's sides is looked for at COARSE_PX; `sizes` are ratios to that.
    """

    unit: float
    sizes: tuple[float, ...]
    margin: float


NEAR_BOX = _Level(1.0, SIZES, 0.8)
"""A thing that a region was made for: its box is of that size, and not far off."""
IN_BOX = _Level(0.42, SIZES[:5], 0.1)
"""A thing that no region was made for: the best region is one that shows it, and more."""
SMALL_PX = 64
"""Side of a query, the root of its area, under which a thing may have no region of its own."""


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
        every = {size: _sized(pixels, COARSE_PX * size) for size in SIZES}
        self._tint = _tint(every[1.0])
        self._sizes = {size: _pair(self._tinted(one)) for size, one in every.items()}
        small = math.sqrt(image.width * image.height) < SMALL_PX
        self._levels = (NEAR_BOX, IN_BOX) if small else (NEAR_BOX,)
        self._coarse, self._fine = (_pair(_sized(pixels, side)) for side in (COARSE_PX, FINE_PX))

    def roughly(self, image: Pixels, box: Box) -> Resemblance | None:
        """Return the place around a box of an RGB image (height, width, 3) that is most like it.

        The box has the query's shape. Places are found in the tint in which the query differs the
        most, the best of each size, and told apart in all colours. None where the query is too
        narrow or too plain to tell, or what is around the box is smaller than it.
        """
        height, width = self._coarse[0].shape[:2]
        if min(height, width) < LEAST_SIDE:
            return None
        found = [self._at(image, box, level) for level in self._levels]
        return max(filter(None, found), key=lambda one: one.score, default=None)

    def _at(self, image: Pixels, box: Box, level: _Level) -> Resemblance | None:
        height, width = self._coarse[0].shape[:2]
        if min(box.width, box.height) * level.unit < LEAST_SIDE:
            return None
        pixels, left, top = _window(image, box, level.margin)
        across, down = width / box.width / level.unit, height / box.height / level.unit
        seen = _scaled(pixels, across, down)
        places = sorted(self._places(seen, level.sizes), key=lambda place: -place.alike)
        best: Resemblance | None = None
        for place in places[:TOLD_APART]:
            thing = _resized(seen[place.rows, place.columns], width, height)
            alike = _correlation(thing.astype(np.float32), self._coarse[place.mirrored])
            if best is None or alike > best.score:
                x, y = place.columns, place.rows
                corners = (x.start / across, y.start / down, x.stop / across, y.stop / down)
                best = Resemblance(alike, _moved(corners, left, top, image), place.mirrored)
        return best

    def _places(self, seen: Pixels, sizes: Sequence[float]) -> Iterator[_Place]:
        """Yield the places of each size that are most like the query, mirrored as well."""
        tinted = self._tinted(seen)
        for size in sizes:
            for mirrored, template in enumerate(self._sizes[size]):
                height, width = template.shape
                for alike, x, y in _peaks(tinted, template, PEAKS):
                    rows, columns = slice(y, y + height), slice(x, x + width)
                    yield _Place(alike, rows, columns, mirrored > 0)

    def _tinted(self, pixels: Pixels) -> Floats:
        """Return the pixels as float32 (height, width): how much of the tint each has."""
        tinted: Any = cv2.transform(pixels.astype(np.float32), self._tint)
        return np.asarray(tinted, np.float32)

    def exactly(self, image: Pixels, rough: Resemblance) -> Resemblance:
        """Return a place that was found roughly with its box fitted, seen as closely as can be."""
        template, box = self._fine[rough.mirrored], rough.box
        height, width = template.shape[:2]
        pixels, left, top = _window(image, box, (max(NEAR_SIZES) - 1) / 2 + NEAR)
        # Reduced once to the finest that any size needs: a large box has a million pixels.
        finest = max(width / box.width, height / box.height) * 1.1 / min(NEAR_SIZES)
        finest = min(1.0, finest)
        pixels = _scaled(pixels, finest, finest)
        best: tuple[float, tuple[float, float, float, float]] | None = None
        for size, shape in product(NEAR_SIZES, NEAR_SHAPES):
            across = width / (box.width * size * math.sqrt(shape)) / finest
            down = height / (box.height * size / math.sqrt(shape)) / finest
            for alike, x, y in _peaks(_scaled(pixels, across, down).astype(np.float32), template):
                if best is None or alike > best[0]:
                    corners = (x / across, y / down, (x + width) / across, (y + height) / down)
                    best = alike, corners
        if best is None:
            return rough
        x1, y1, x2, y2 = (side / finest for side in best[1])
        return Resemblance(best[0], _moved((x1, y1, x2, y2), left, top, image), rough.mirrored)


@dataclass(frozen=True)
class _Place:
    """A place in what is seen of an image, and how like the query its tint is, -1..1."""

    alike: float
    rows: slice
    columns: slice
    mirrored: bool


def _tint(pixels: Pixels) -> Floats:
    """Return the colour, float32 (1, 3), along which pixels differ the most: as a rule, grey."""
    colours = pixels.reshape(-1, 3).astype(np.float64)
    _, axes = np.linalg.eigh(np.cov(colours, rowvar=False))
    tint: Floats = axes[:, -1:].T.astype(np.float32)
    return tint


def _pair(pixels: Pixels | Floats) -> tuple[Floats, Floats]:
    """Return the pixels as floats, and mirrored."""
    floats = pixels.astype(np.float32)
    return floats, np.ascontiguousarray(floats[:, ::-1])


def _sized(pixels: Pixels, side: float) -> Pixels:
    height, width = pixels.shape[:2]
    gain = side / math.sqrt(width * height)
    return _resized(pixels, max(1, round(width * gain)), max(1, round(height * gain)))


def _scaled(pixels: Pixels, across: float, down: float) -> Pixels:
    height, width = pixels.shape[:2]
    return _resized(pixels, max(1, round(width * across)), max(1, round(height * down)))


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    how = cv2.INTER_AREA if width < pixels.shape[1] else cv2.INTER_LINEAR
    resized: Any = cv2.resize(pixels, (width, height), interpolation=how)
    return np.asarray(resized, np.uint8)


def _peaks(seen: Floats, template: Floats, most: int = 1) -> Iterator[tuple[float, int, int]]:
    """Yield the greatest correlations of a template, and where: x and y. None where it is plain.

    Peaks lie half of the template's sides apart.
    """
    if np.ptp(template, axis=(0, 1)).max() < PLAIN:
        return  # OpenCV says that it is equal to all
    height, width = template.shape[:2]
    if seen.shape[0] < height or seen.shape[1] < width:
        return
    found = cv2.matchTemplate(seen, template, cv2.TM_CCOEFF_NORMED)
    for _ in range(most):
        _, alike, _, (x, y) = cv2.minMaxLoc(found)
        if not math.isfinite(alike) or alike <= -1:
            return
        yield alike, x, y
        around = slice(max(0, y - height // 2), y + height // 2 + 1)
        found[around, max(0, x - width // 2) : x + width // 2 + 1] = -1


def _correlation(one: Floats, other: Floats) -> float:
    """Return how far the colours of two pictures of one shape agree, -1..1."""
    return next((alike for alike, _, _ in _peaks(one, other)), 0.0)


def _moved(corners: tuple[float, float, float, float], left: int, top: int, image: Pixels) -> Box:
    """Return a box of the image that was found in a window of it with that corner."""
    x1, y1, x2, y2 = corners
    return Box.covering((left + x1, top + y1, left + x2, top + y2), image.shape[1], image.shape[0])


def _window(image: Pixels, box: Box, margin: float) -> tuple[Pixels, int, int]:
    """Return the pixels around a box, and its corner in the image."""
    height, width = image.shape[:2]
    dx, dy = math.ceil(box.width * margin), math.ceil(box.height * margin)
    left, top = max(0, box.x1 - dx), max(0, box.y1 - dy)
    right, bottom = min(width, box.x2 + dx), min(height, box.y2 + dy)
    return image[top:bottom, left:right], left, top
