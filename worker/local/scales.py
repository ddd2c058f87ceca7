"""Where a picture's keypoints lie: extrema over place and scale (Lowe, 2004), in whole arrays.

What OpenCV's own SIFT does point by point is done here by its filters and by numpy: a third of the
time, at the same places. Grey levels are kept as 16-bit numbers, 128 a level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.int16]
Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

SCALES = 3
"""Scales an octave."""
SIGMA = 1.6
"""The blur of an octave's first picture, in its pixels."""
CAMERA_SIGMA = 0.5
"""The blur that a picture comes with, in its pixels."""
GREY = 128
"""Steps a grey level."""
# Lower than Lowe's 0.03 and 10: a small region must keep a few keypoints, however faint.
CONTRAST = 0.01 / SCALES * 255 * GREY
"""Least difference of an extremum from its surroundings, in steps."""
EDGE = 12.0
"""Most that an extremum may curve one way over the other: places along an edge are not fixed."""
_LEAST = 0.6 * CONTRAST
"""What a pixel must reach: its extremum, between the pixels, may be more."""
BORDER_PX = 5
LEAST_SIDE_PX = 2 * BORDER_PX + 4
STRIP_PIXELS = 80_000
"""Pixels of the rows that are looked at together: what they need stays in the processor's cache."""
_RING = np.ones((3, 3), np.uint8)
MOVES = 3
"""How often an extremum's place is worked out again, from where the last time put it."""


@dataclass(frozen=True)
class Extrema:
    """A picture's extrema, in the order of the blurred pictures that they are described from.

    `pictures` are those, `steps` how many pixels of the first octave a pixel of each is; `owners`
    int (N,) says which of them is an extremum's. `places` float32 (N, 2) are in the owner's pixels,
    from the centre of its first, and so are `sigmas` (N,); `strengths` (N,): contrast, 0..255.
    """

    pictures: tuple[Levels, ...]
    steps: Indices
    owners: Indices
    places: Floats
    sigmas: Floats
    strengths: Floats

    def __len__(self) -> int:
        return len(self.owners)

    def where(self, rows: Indices) -> Extrema:
        """Return some of the extrema, in the order of `rows`."""
        return replace(
            self,
            owners=self.owners[rows],
            places=self.places[rows],
            sigmas=self.sigmas[rows],
            strengths=self.strengths[rows],
        )

    @property
    def points(self) -> Floats:
        """Places in pixels of the first octave, from the centre of its first, float32 (N, 2)."""
        points: Floats = self.places * self.steps[self.owners, None].astype(np.float32)
        return points

    @property
    def radii(self) -> Floats:
        """Sigmas in pixels of the first octave, float32 (N,)."""
        radii: Floats = self.sigmas * self.steps[self.owners].astype(np.float32)
        return radii


def extrema(levels: Levels, blur: float, octaves: int | None = None) -> Extrema:
    """Return the extrema of a picture that comes with a blur of that sigma.

    `octaves` are the first so many; None means all that there are.
    """
    first = _blurred(levels, math.sqrt(max(SIGMA**2 - blur**2, 0.01)))
    pictures: list[Levels] = []
    parts: list[_Tops] = []
    while min(first.shape) >= LEAST_SIDE_PX and (octaves is None or len(parts) < octaves):
        blurred = [first]
        for n in range(SCALES + 2):
            before, after = (SIGMA * 2 ** (m / SCALES) for m in (n, n + 1))
            blurred.append(_blurred(blurred[-1], math.sqrt(after**2 - before**2)))
        parts.append(_tops(blurred))
        pictures += blurred[1 : SCALES + 1]
        first = np.ascontiguousarray(blurred[SCALES][::2, ::2])
    owners = [top.layers - 1 + n * SCALES for n, top in enumerate(parts)]
    return Extrema(
        tuple(pictures),
        np.repeat(2 ** np.arange(len(parts)), SCALES),
        np.concatenate([np.zeros(0, np.intp), *owners]),
        np.concatenate([np.zeros((0, 2), np.float32), *(top.places for top in parts)]),
        np.concatenate([np.zeros(0, np.float32), *(top.sigmas for top in parts)]),
        np.concatenate([np.zeros(0, np.float32), *(top.strengths for top in parts)]),
    )


@dataclass(frozen=True)
class _Tops:
    """An octave's extrema; `layers` (N,), 1 to SCALES, ascending: in which of its pictures."""

    layers: Indices
    places: Floats
    sigmas: Floats
    strengths: Floats


def _blurred(levels: Levels, sigma: float) -> Levels:
    side = round(6 * sigma + 1) | 1
    blurred: Levels = cv2.GaussianBlur(levels, (side, side), sigma)  # type: ignore[assignment]
    return blurred


def _tops(blurred: list[Levels]) -> _Tops:
    height, width = blurred[0].shape
    differences = np.empty((SCALES + 2, height, width), np.int16)
    for n in range(SCALES + 2):
        cv2.subtract(blurred[n + 1], blurred[n], dst=differences[n])
    return _refined(differences, _candidates(differences))


def _candidates(differences: Levels) -> Indices:
    """Return flat indices of what none of its 26 neighbours exceeds, above and below zero."""
    _, height, width = differences.shape
    found: list[list[Indices]] = [[] for _ in range(SCALES)]
    step = max(8, STRIP_PIXELS // width)
    for top in range(BORDER_PX, height - BORDER_PX, step):
        rows = min(step, height - BORDER_PX - top)
        strip: Any = differences[:, top - 1 : top + rows + 1]
        high = [cv2.dilate(one, _RING) for one in strip]
        low = [cv2.erode(one, _RING) for one in strip]
        for n in range(1, SCALES + 1):
            one = strip[n]
            highest = cv2.max(cv2.max(high[n - 1], high[n + 1]), cv2.max(high[n], _LEAST))  # type: ignore[call-overload]
            lowest = cv2.min(cv2.min(low[n - 1], low[n + 1]), cv2.min(low[n], -_LEAST))  # type: ignore[call-overload]
            extreme = (one >= highest) | (one <= lowest)
            start = (n * height + top) * width
            found[n - 1].append(np.flatnonzero(extreme[1:-1]) + start)
    at = np.concatenate([part for parts in found for part in parts])
    x = at % width
    within: Indices = at[(x >= BORDER_PX) & (x < width - BORDER_PX)]
    return within


def _refined(differences: Levels, at: Indices) -> _Tops:
    """Put extrema where a parabola through their neighbours has its top, and drop the unfixed."""
    _, height, width = differences.shape
    flat = differences.reshape(-1)
    area = height * width
    lasting = np.ones(len(at), bool)
    for move in range(MOVES):
        gradient, hessian, value = _derivatives(flat, at, width, area)
        offset = _solved(hessian, gradient)
        far = np.abs(offset) > 0.5
        if move + 1 == MOVES or not far.any():
            break
        # Farther than this is no top at all; it would only lead astray.
        step = np.where(far, np.clip(np.rint(offset), -1, 1), 0).astype(np.intp)
        moved = at + step[0] + step[1] * width + step[2] * area
        layer, y, x = moved // area, moved // width % height, moved % width
        inside = (layer >= 1) & (layer <= SCALES)
        inside &= (x >= BORDER_PX) & (x < width - BORDER_PX)
        inside &= (y >= BORDER_PX) & (y < height - BORDER_PX)
        lasting &= inside
        at = np.where(inside, moved, at)
    lasting &= (np.abs(offset) <= 0.6).all(axis=0)
    contrast = np.abs(value + 0.5 * (gradient * offset).sum(axis=0))
    lasting &= contrast >= CONTRAST
    xx, yy, _, xy, _, _ = hessian
    bent, flatness = xx + yy, xx * yy - xy * xy
    lasting &= (flatness > 0) & (bent * bent * EDGE < (EDGE + 1) ** 2 * flatness)
    kept = np.flatnonzero(lasting)
    # Two that began apart may have ended in one place.
    at, first = np.unique(at[kept], return_index=True)
    kept = kept[first]
    offset = offset[:, kept]
    layers = at // area
    places = np.stack([at % width + offset[0], at // width % height + offset[1]], axis=1)
    sigmas = SIGMA * np.exp2((layers + offset[2]) / SCALES)
    return _Tops(
        layers,
        places.astype(np.float32),
        sigmas.astype(np.float32),
        (contrast[kept] / GREY).astype(np.float32),
    )


def _derivatives(flat: Levels, at: Indices, width: int, area: int) -> tuple[Floats, Floats, Floats]:
    """Return gradients (3, N), second derivatives (6, N) as xx, yy, ss, xy, xs, ys, and values."""

    def near(offset: int) -> Floats:
        return flat[at + offset].astype(np.float32)

    steps = (1, width, area)
    value = near(0)
    ahead, behind = [near(step) for step in steps], [near(-step) for step in steps]
    gradient = [(a - b) / 2 for a, b in zip(ahead, behind, strict=True)]
    own = [a + b - 2 * value for a, b in zip(ahead, behind, strict=True)]
    mixed = [
        (near(a + b) - near(a - b) - near(b - a) + near(-a - b)) / 4
        for a, b in ((1, width), (1, area), (width, area))
    ]
    return np.stack(gradient), np.stack([*own, *mixed]), value


def _solved(hessian: Floats, gradient: Floats) -> Floats:
    """Return -H^-1 g for each column, (3, N), by cofactors; far off where there is no solution."""
    a, b, c, d, e, f = hessian  # [[a, d, e], [d, b, f], [e, f, c]]
    bc, de, ef = b * c - f * f, e * f - d * c, d * f - b * e
    whole = a * bc + d * de + e * ef
    ac, ab, mixed = a * c - e * e, a * b - d * d, d * e - a * f
    x, y, s = gradient
    tops = np.stack(
        [bc * x + de * y + ef * s, de * x + ac * y + mixed * s, ef * x + mixed * y + ab * s]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        offset: Floats = -tops / whole
    return np.nan_to_num(offset, nan=9.0, posinf=9.0, neginf=-9.0)
