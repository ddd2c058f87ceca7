"""Where a picture's keypoints lie: extrema over place and scale (Lowe, 2004).

They lie where OpenCV's own SIFT finds them, in a fifth of its time: the blur is OpenCV's, the rest
a kernel of ours (`worker/native/extrema.c`). Grey levels are kept as 16-bit numbers, 128 a level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.native.pictures import extrema as octave_extrema

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
LEAST = round(0.6 * CONTRAST)
"""What a pixel must reach: its extremum, between the pixels, may be more."""
BORDER_PX = 5
LEAST_SIDE_PX = 2 * BORDER_PX + 4


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
    at, offsets, contrasts = octave_extrema(blurred, BORDER_PX, LEAST, CONTRAST, EDGE)
    layers = at // (height * width)
    places = np.stack([at % width + offsets[:, 0], at // width % height + offsets[:, 1]], axis=1)
    sigmas = SIGMA * np.exp2((layers + offsets[:, 2]) / SCALES)
    return _Tops(
        layers, places.astype(np.float32), sigmas.astype(np.float32), contrasts / np.float32(GREY)
    )
