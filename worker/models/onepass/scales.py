"""At which scales an image is seen, and which of them a box is read off."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEEN_PX = 128.0
"""A box is read off the scale at which its side, the root of its area, is nearest to this."""
KIND_PX = 181.0
"""Kinds are read off a scale half an octave finer: they are easier to tell there."""
LARGEST = 1.5
"""Images are enlarged this much at most: more shows nothing new."""
MULTIPLE = 32
"""Sides of what the network sees are multiples of this: its deepest map has cells of 32 pixels."""
LEAST_SIDE_PX = 64
TILE_PIXELS = 2_000_000
"""A larger scale is seen in parts: what the network holds meanwhile grows with them (170 MB)."""
HALO_PX = 64
"""Parts overlap by this much on either side: a cell near a part's edge would not see beyond it."""


@dataclass(frozen=True)
class Scale:
    """A size in pixels at which an image is seen, and its ratios to the image's own."""

    width: int
    height: int
    across: float
    down: float

    @property
    def factor(self) -> float:
        """The geometric mean of both ratios."""
        return math.sqrt(self.across * self.down)


def ladder(width: int, height: int, pixels: float) -> list[Scale]:
    """Return the scales of an image of that size, finest first, each half as fine as the last.

    The finest has at most about `pixels` pixels. The coarsest shows the whole image about as large
    as a box should be.
    """
    side = math.sqrt(width * height)
    factor = min(LARGEST, math.sqrt(pixels) / side)
    scales = [_scale(width, height, factor)]
    while side * factor > SEEN_PX * math.sqrt(2):
        factor /= 2
        scales.append(_scale(width, height, factor))
    return scales


def _scale(width: int, height: int, factor: float) -> Scale:
    across, down = (
        max(LEAST_SIDE_PX, round(side * factor / MULTIPLE) * MULTIPLE) for side in (width, height)
    )
    return Scale(across, down, across / width, down / height)


def nearest_scale(
    corners: NDArray[np.float64], scales: list[Scale], seen_px: float = SEEN_PX
) -> NDArray[np.int64]:
    """Return the number of the scale at which each box (N, 4) is nearest to a side, int64 (N,)."""
    sides = np.sqrt((corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1]))
    factors = np.array([scale.factor for scale in scales])
    seen = np.log(np.maximum(sides, 1e-6)[:, None] * factors[None] / seen_px)
    nearest: NDArray[np.int64] = np.abs(seen).argmin(axis=1)
    return nearest


@dataclass(frozen=True)
class Part:
    """A span of one side: what is seen of it, and what of that is kept (pixels, half open)."""

    seen: tuple[int, int]
    kept: tuple[int, int]


def parts(scale: Scale) -> Iterator[tuple[Part, Part]]:
    """Yield (down, across) parts that cover the scale, each of at most TILE_PIXELS pixels."""
    rows = columns = 1
    while _seen(scale.height, rows) * _seen(scale.width, columns) > TILE_PIXELS:
        if scale.height / rows >= scale.width / columns:
            rows += 1
        else:
            columns += 1
    for down in _spans(scale.height, rows):
        for across in _spans(scale.width, columns):
            yield down, across


def _seen(side: int, count: int) -> int:
    """Return how much of a side each of so many parts sees."""
    return side if count == 1 else -(-side // count) + 2 * HALO_PX


def _spans(side: int, count: int) -> Iterator[Part]:
    step = -(-side // (count * MULTIPLE)) * MULTIPLE
    for start in range(0, side, step):
        stop = min(side, start + step)
        yield Part((max(0, start - HALO_PX), min(side, stop + HALO_PX)), (start, stop))
