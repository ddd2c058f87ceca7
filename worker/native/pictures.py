"""Kernels over pictures: a picture's extrema, and what lies around keypoints."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worker.native.arrays import Bytes, Floats, Integers, Levels
from worker.native.library import library

PICTURES = 6
"""Blurred pictures of an octave: of three scales, and what these are compared with."""
MOST_TURNS = 18
"""Ways that one keypoint turns at most: of 36, no two beside each other."""


def extrema(
    blurred: Sequence[Levels], border: int, least: int, contrast: float, edge: float
) -> tuple[Integers, Floats, Floats]:
    """Return an octave's extrema: places, offsets and contrasts, each place once, ascending.

    `blurred` are six pictures (height, width). A pixel counts that none of its 26 neighbours
    exceeds and that differs by `least`; its extremum, by `contrast`, and it may curve `edge` times
    as much one way as the other. Places int64 (N,): flat among (layers, height, width); offsets
    float32 (N, 3), in x, y and scale from there; contrasts float32 (N,).
    """
    height, width = blurred[0].shape
    if len(blurred) != PICTURES or any(one.shape != (height, width) for one in blurred):
        raise ValueError("an octave has six pictures of one size")
    if border < 1 or min(height, width) <= 2 * border:
        raise ValueError(f"a border of {border} leaves nothing of {width} x {height}")
    work = np.empty(28 * width, np.int16)
    room = max(1024, height * width // 32)
    while True:
        at, contrasts = np.empty(room, np.int64), np.empty(room, np.float32)
        offsets = np.empty((room, 3), np.float32)
        size, bounds = (height, width, border), (least, contrast, edge)
        found = library().needle_extrema(
            _pointers(blurred), *size, *bounds, work, at, offsets, contrasts, room
        )
        if found <= room:
            break
        room = found
    # Two that began apart may have ended in one place.
    places, first = np.unique(at[:found], return_index=True)
    return places, offsets[first], contrasts[first]


@dataclass(frozen=True)
class Spots:
    """Keypoints in pictures: `owners` int64 (N,) says which, `places` float32 (N, 2) where.

    `sigmas` float32 (N,) are in the owner's pixels, as places are.
    """

    pictures: Sequence[Levels]
    owners: Integers
    places: Floats
    sigmas: Floats

    def __post_init__(self) -> None:
        count = len(self.owners)
        if self.places.shape != (count, 2) or self.sigmas.shape != (count,):
            raise ValueError("every keypoint has a picture, a place and a sigma")
        if count and not 0 <= self.owners.min() <= self.owners.max() < len(self.pictures):
            raise ValueError("a keypoint is in a picture that is not there")

    def _arguments(self) -> tuple[Any, ...]:
        sides = np.array([one.shape for one in self.pictures], np.int64).reshape(-1, 2)
        return _pointers(self.pictures), sides, self.owners, self.places, self.sigmas

    def turns(self, reach: float, weights: Floats, rival: float) -> tuple[Integers, Floats]:
        """Return which turn which way, int64 and float32 (M,), in radians; some turn several ways.

        Gradients are read between 13 x 13 places, `reach` sigmas around; `weights` float32 (144,)
        says how much each counts. A way counts from `rival` of the strongest one on.
        """
        count = len(self.owners)
        if weights.shape != (144,):
            raise ValueError("there are 144 weights")
        rows = np.empty(count * MOST_TURNS, np.int64)
        angles = np.empty(count * MOST_TURNS, np.float32)
        found = library().needle_directions(
            *self._arguments(), count, reach, weights, rival, rows, angles
        )
        return rows[:found].copy(), angles[:found].copy()

    def descriptors(
        self, angles: Floats, reach: float, near: Floats, most: float, scale: float
    ) -> Bytes:
        """Return RootSIFT of norm `scale` of keypoints that turn by `angles`, uint8 (N, 128).

        Gradients are read between 16 x 16 places; `near` float32 (15, 4) says how much a row or
        column of them counts for each of four bins, `most` what one number may be of the norm.
        """
        turns = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        count = len(self.owners)
        if angles.shape != (count,) or near.shape != (15, 4):
            raise ValueError("there is an angle of each keypoint, and 15 x 4 weights")
        bytes_of = np.empty((count, 128), np.uint8)
        library().needle_descriptors(
            *self._arguments(), turns, count, reach, near, most, scale, bytes_of
        )
        return bytes_of


def _pointers(pictures: Sequence[Levels]) -> Any:
    for one in pictures:
        if one.dtype != np.int16 or not one.flags.c_contiguous:
            raise TypeError("pictures are contiguous arrays of int16")
    return (ctypes.c_void_p * len(pictures))(*(one.ctypes.data for one in pictures))
