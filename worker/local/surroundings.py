"""Which way keypoints turn and what is around them: SIFT's descriptor, in whole arrays.

Around every keypoint a turned grid of places is read off the blurred picture of its scale, and
everything after that is done for all of them together.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from worker.local.scales import Extrema, Floats, Indices

DIM = 128
DIRECTIONS = 36
"""Bins of the histogram that tells which way a keypoint turns."""
RIVAL = 0.8
"""A second direction this strong makes a second keypoint at the same place."""
AROUND = 4.5
"""Reach of that histogram, in sigmas; its weight falls with 1.5 of them."""
TURN_GRID = 13
BIN = 3.0
"""Side of a descriptor's 4 x 4 bins, in sigmas."""
GRID = 16
"""Places a side at which a descriptor reads the picture, over five bins."""
MOST_ENERGY = 0.2
"""Most that one number of a descriptor may be of its norm: glare must not outweigh the rest."""
TOGETHER = 512
"""Keypoints that are described at a time: what they need stays in the processor's cache."""


def _corners(side: int, reach: float) -> Floats:
    """Return a square grid of places, (3, side * side): x, y around 0, and 1."""
    steps = np.linspace(-reach, reach, side, dtype=np.float32)
    y, x = np.meshgrid(steps, steps, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.ones(side * side, np.float32)])


def _pooling() -> Floats:
    """Return how much each place of the grid counts for each bin, (places, 16)."""
    edge = np.linspace(-2.5, 2.5, GRID)
    middles = (edge[1:] + edge[:-1]) / 2
    bins = np.arange(4) - 1.5
    near = np.maximum(0, 1 - np.abs(middles[:, None] - bins)) * np.exp(-(middles**2) / 8)[:, None]
    weights = np.einsum("ya,xb->yxab", near, near)
    pooling: Floats = weights.reshape(-1, 16).astype(np.float32)
    return pooling


_TURN_PLACES = _corners(TURN_GRID, AROUND)
_PLACES = _corners(GRID, 2.5 * BIN)
_POOLING = _pooling()


def _turn_weights() -> Floats:
    edge = np.linspace(-AROUND, AROUND, TURN_GRID)
    middles = (edge[1:] + edge[:-1]) / 2
    square = middles[:, None] ** 2 + middles**2
    weights = np.exp(-square / (2 * 1.5**2)) * (square <= AROUND**2)
    return weights.ravel().astype(np.float32)


_TURN_WEIGHTS = _turn_weights()


def _gradients(
    found: Extrema, some: slice, grid: Floats, angles: Floats | None
) -> tuple[Floats, Floats]:
    """Return gradients along and across some extrema's directions, between a grid's places.

    Shapes (N, (side - 1) ** 2); `grid` is in sigmas, `angles` in radians, none for upright.
    """
    places, sigmas = found.places[some], found.sigmas[some]
    along = sigmas if angles is None else sigmas * np.cos(angles)
    across = np.zeros_like(sigmas) if angles is None else sigmas * np.sin(angles)
    read = _read(
        found,
        some,
        np.stack([along, -across, places[:, 0]], axis=1) @ grid,
        np.stack([across, along, places[:, 1]], axis=1) @ grid,
    )
    side = round(grid.shape[1] ** 0.5)
    read = read.reshape(-1, side, side)
    falling = read[:, 1:, 1:] - read[:, :-1, :-1]
    rising = read[:, :-1, 1:] - read[:, 1:, :-1]
    count = len(read)
    return (falling + rising).reshape(count, -1), (falling - rising).reshape(count, -1)


def _read(found: Extrema, some: slice, x: Floats, y: Floats) -> Floats:
    """Return what each extremum's own picture shows at x, y (N, places), between its pixels."""
    read = np.empty(x.shape, np.uint16)
    owners = found.owners[some]
    starts = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(owners)]
    for first, last in itertools.pairwise(starts):
        part = slice(first, last)
        # Nothing in it is negative, and 16 bits without a sign are read faster.
        picture = found.pictures[owners[first]].view(np.uint16)
        cv2.remap(
            picture,
            x[part],
            y[part],
            cv2.INTER_LINEAR,
            dst=read[part],
            borderMode=cv2.BORDER_REPLICATE,
        )
    return read.astype(np.float32)


def _parts(count: int) -> list[slice]:
    return [slice(n, min(n + TOGETHER, count)) for n in range(0, count, TOGETHER)]


def directions(found: Extrema) -> tuple[Indices, Floats]:
    """Return which keypoints turn which way (radians, clockwise): one may turn several ways."""
    count = len(found)
    every = np.empty((count, DIRECTIONS), np.float32)
    for some in _parts(count):
        across, down = _gradients(found, some, _TURN_PLACES, None)
        length, angle = cv2.cartToPolar(across, down)
        strength = length * _TURN_WEIGHTS
        place = angle * np.float32(DIRECTIONS / (2 * np.pi))
        lower = place.astype(np.int32)
        share = place - lower
        row = np.arange(len(place), dtype=np.int32)[:, None] * (DIRECTIONS + 2)
        index = (row + lower).ravel()
        size = len(place) * (DIRECTIONS + 2)
        upper = strength * share
        sums = np.bincount(index, (strength - upper).ravel(), size)
        sums += np.bincount(index + 1, upper.ravel(), size + 1)[:size]
        sums = sums.reshape(-1, DIRECTIONS + 2)
        sums[:, :2] += sums[:, DIRECTIONS:]
        every[some] = sums[:, :DIRECTIONS]
    return _peaks(every)


def _peaks(sums: Floats) -> tuple[Indices, Floats]:
    wide = np.hstack([sums[:, -2:], sums, sums[:, :2]])
    n = DIRECTIONS
    smooth = (
        wide[:, 2 : n + 2] * 6 + (wide[:, 1 : n + 1] + wide[:, 3 : n + 3]) * 4 + wide[:, :n]
    ) + wide[:, 4 : n + 4]
    left, right = np.roll(smooth, 1, axis=1), np.roll(smooth, -1, axis=1)
    best = smooth.max(axis=1, keepdims=True)
    row, column = np.nonzero(
        (smooth > left) & (smooth >= right) & (smooth >= RIVAL * best) & (best > 0)
    )
    a, b, c = left[row, column], smooth[row, column], right[row, column]
    place = column + 0.5 * (a - c) / np.minimum(a - 2 * b + c, -1e-9)
    angle = (place % DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    return row, angle.astype(np.float32)


def descriptors(found: Extrema, angles: Floats) -> Floats:
    """Return SIFT's descriptors before they are normalised, float32 (N, 128)."""
    every = np.empty((len(angles), 16, 8), np.float32)
    for some in _parts(len(angles)):
        along, across = _gradients(found, some, _PLACES, angles[some])
        along, across = along.reshape(len(along), -1), across.reshape(len(along), -1)
        half = np.float32(0.5**0.5)
        # A gradient is shared by the two directions of eight that it lies between. Directions run
        # against the clock; the four after these are their opposites.
        towards = (along, (along - across) * half, -across, (-along - across) * half)
        for n in range(4):
            before = towards[n - 1] if n else -towards[3]
            after = towards[n + 1] if n < 3 else -towards[0]
            every[some, :, n] = np.maximum(np.minimum(before, after), 0) @ _POOLING
            every[some, :, n + 4] = np.maximum(-np.maximum(before, after), 0) @ _POOLING
    flat = every.reshape(-1, DIM)
    norms = np.sqrt((flat * flat).sum(axis=1, keepdims=True))
    bounded: Floats = np.minimum(flat, MOST_ENERGY * norms)
    return bounded
