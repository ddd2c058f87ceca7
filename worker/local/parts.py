"""A picture described whole, or in parts where it is large: memory must not grow with it.

The parts of a large picture have its fine keypoints; a reduced copy of it has the coarse ones,
which reach over the parts' edges.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.local.scales import CAMERA_SIGMA, GREY, Extrema, Floats, Indices, Levels, extrema
from worker.local.surroundings import descriptors, directions

Bytes = NDArray[np.uint8]
Grey = NDArray[np.uint8] | Levels

PART_PIXELS = 4_200_000
"""Pixels that are described together: 100 MB or so."""
CELL_PX = 100
"""Cells of about this side share a picture's keypoints: no plain corner of it is starved."""
HALO_PX = 48
"""What a part sees beyond its edges, for each octave twice as much: a keypoint's surroundings."""
COARSE_SHARE, COARSE_ENOUGH = 4, 10_000
"""Coarse keypoints are at least a fourth of all, or so many: they tell a thing that is reduced."""


@dataclass(frozen=True)
class Described:
    """Keypoints with descriptors, in pixels of the first octave, from the centre of its first.

    `points` float32 (N, 2), `radii` (N,), `angles` (N,) in radians, clockwise; `strengths` (N,):
    contrast, 0..255; `descriptors` uint8 (N, 128), RootSIFT of norm DESCRIPTOR_SCALE.
    """

    points: Floats
    radii: Floats
    angles: Floats
    strengths: Floats
    descriptors: Bytes

    @classmethod
    def of(cls, found: Extrema, most: int) -> Described:
        """Describe at most `most` of a picture's extrema."""
        given = _spread(found.points, found.strengths, most)
        rank = np.argsort(given)
        found = found.where(given[rank])
        rows, angles = directions(found)
        # A second direction at a place counts as a keypoint of its own: the last in turn make room.
        kept = np.sort(np.argsort(rank[rows], kind="stable")[:most])
        found, angles = found.where(rows[kept]), angles[kept]
        return cls(found.points, found.radii, angles, found.strengths, descriptors(found, angles))

    @classmethod
    def joined(cls, parts: list[Described]) -> Described:
        """Return all the keypoints, strongest first."""
        order = np.argsort(-np.concatenate([part.strengths for part in parts]), kind="stable")

        def column(name: str) -> Any:
            return np.concatenate([getattr(part, name) for part in parts])[order]

        return cls(*(column(name) for name in cls.__dataclass_fields__))

    def moved(self, x: float, y: float, factor: int = 1) -> Described:
        """Return the keypoints in a picture `factor` times finer, in which theirs lies at x, y."""
        half = np.float32((factor - 1) / 2)
        points = self.points * np.float32(factor) + half + np.array([x, y], np.float32)
        radii = self.radii * np.float32(factor)
        return Described(points, radii, self.angles, self.strengths, self.descriptors)


def described(grey: Grey, blur: float, most: int) -> Described:
    """Return at most `most` keypoints of a picture that comes with a blur of that sigma.

    `grey` is (height, width): 8-bit grey levels, or already in 16-bit steps (`scales.GREY`).
    """
    if grey.size <= PART_PIXELS:
        return Described.joined([Described.of(extrema(_levels(grey), blur), most)])
    octaves = math.ceil(math.log(grey.size / PART_PIXELS, 4))
    coarse = max(most >> 2 * octaves, min(most // COARSE_SHARE, COARSE_ENOUGH))
    height, width = grey.shape
    factor = 1 << octaves
    # Sides that the factor does not divide lose a few pixels, which the parts have.
    inner = grey[: height // factor * factor, : width // factor * factor]
    size = (inner.shape[1] // factor, inner.shape[0] // factor)
    reduced: Any = cv2.resize(inner, size, interpolation=cv2.INTER_AREA)
    parts = list(_fine(grey, blur, most - coarse, octaves))
    # A blurred picture has few that are fine: the coarse ones take what is left.
    left = most - sum(len(part.points) for part in parts)
    whole = Described.of(extrema(_levels(reduced), CAMERA_SIGMA), left)
    return Described.joined([whole.moved(0, 0, factor), *parts])


def _fine(grey: Grey, blur: float, most: int, octaves: int) -> Iterator[Described]:
    """Yield the keypoints of the first octaves, part by part."""
    height, width = grey.shape
    halo = HALO_PX << (octaves - 1)
    rows, columns = _split(height, width)
    for down in rows:
        for across in columns:
            top, left = max(0, down.start - halo), max(0, across.start - halo)
            seen = grey[top : down.stop + halo, left : across.stop + halo]
            found = extrema(_levels(seen), blur, octaves)
            points = found.points + np.array([left, top], np.float32)
            within = (points >= [across.start, down.start]) & (points < [across.stop, down.stop])
            inside = found.where(np.flatnonzero(within.all(axis=1)))
            area = (down.stop - down.start) * (across.stop - across.start)
            share = round(most * area / grey.size)
            yield Described.of(inside, share).moved(left, top)


def _split(height: int, width: int) -> tuple[list[slice], list[slice]]:
    """Return spans of rows and of columns that cut a picture into parts, as square as can be."""
    rows = columns = 1
    while height * width > PART_PIXELS * rows * columns:
        if height / rows >= width / columns:
            rows += 1
        else:
            columns += 1

    def spans(side: int, count: int) -> list[slice]:
        edges = np.linspace(0, side, count + 1).round().astype(int).tolist()
        return [slice(a, b) for a, b in itertools.pairwise(edges)]

    return spans(height, rows), spans(width, columns)


def _levels(grey: Grey) -> Levels:
    if grey.dtype == np.int16:
        return np.asarray(grey, np.int16)
    levels: Levels = grey.astype(np.int16) * np.int16(GREY)
    return levels


def _spread(points: Floats, strengths: Floats, most: int) -> Indices:
    """Return at most `most` rows, one of each cell of a grid in turn, its strongest first."""
    if not len(points):
        return np.zeros(0, np.intp)
    cells = (points // CELL_PX).astype(np.int64)
    cell = cells[:, 1] * 100_000 + cells[:, 0]
    order = np.lexsort((-strengths, cell))
    starts = np.flatnonzero(np.r_[True, np.diff(cell[order]) != 0])
    rank = np.empty(len(points), np.int64)
    rank[order] = np.arange(len(points)) - np.repeat(starts, np.diff(np.r_[starts, len(points)]))
    return np.lexsort((-strengths, rank))[:most]
