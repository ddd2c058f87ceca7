"""Which way keypoints turn and what is around them: SIFT's descriptor (Lowe, 2004), as RootSIFT.

Around every keypoint a turned grid of places is read off the blurred picture of its scale, and its
gradients are summed (`worker/native/surroundings.c`).
"""

from __future__ import annotations

import numpy as np

from worker.local.scales import Extrema, Floats, Indices
from worker.native.arrays import Bytes
from worker.native.pictures import Spots

DIM = 128
RIVAL = 0.8
"""A second direction this strong makes a second keypoint at the same place."""
AROUND = 4.5
"""Reach of the histogram of directions, in sigmas; its weight falls with 1.5 of them."""
TURN_GRID = 13
"""Places a side at which that histogram reads the picture."""
BIN = 3.0
"""Side of a descriptor's 4 x 4 bins, in sigmas."""
GRID = 16
"""Places a side at which a descriptor reads the picture, over five bins."""
MOST_ENERGY = 0.2
"""Most that one number of a descriptor may be of its norm: glare must not outweigh the rest."""
DESCRIPTOR_SCALE = 512.0
"""A descriptor's norm in its bytes: RootSIFT's values stay under 0.5, so all 8 bits are used."""


def _turn_weights() -> Floats:
    edge = np.linspace(-AROUND, AROUND, TURN_GRID)
    middles = (edge[1:] + edge[:-1]) / 2
    square = middles[:, None] ** 2 + middles**2
    weights = np.exp(-square / (2 * 1.5**2)) * (square <= AROUND**2)
    return weights.ravel().astype(np.float32)


def _nearness() -> Floats:
    """Return how much each row or column of the grid counts for each of four bins, (15, 4)."""
    edge = np.linspace(-2.5, 2.5, GRID)
    middles = (edge[1:] + edge[:-1]) / 2
    bins = np.arange(4) - 1.5
    near = np.maximum(0, 1 - np.abs(middles[:, None] - bins)) * np.exp(-(middles**2) / 8)[:, None]
    nearness: Floats = near.astype(np.float32)
    return nearness


_TURN_WEIGHTS = _turn_weights()
_NEARNESS = _nearness()


def directions(found: Extrema) -> tuple[Indices, Floats]:
    """Return which keypoints turn which way (radians, clockwise): one may turn several ways."""
    return _spots(found).turns(AROUND, _TURN_WEIGHTS, RIVAL)


def descriptors(found: Extrema, angles: Floats) -> Bytes:
    """Return RootSIFT, uint8 (N, 128), of norm DESCRIPTOR_SCALE."""
    reach = 2.5 * BIN
    return _spots(found).descriptors(angles, reach, _NEARNESS, MOST_ENERGY, DESCRIPTOR_SCALE)


def _spots(found: Extrema) -> Spots:
    return Spots(found.pictures, found.owners, found.places, found.sigmas)
