"""What runs the network: ONNX Runtime on a CPU, torch on a GPU, with the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

FINE_GRID, DEEP_GRID = 6, 3
"""Cells a side that a box is pooled into, of the map at stride 8 and of that at stride 32."""


@dataclass(frozen=True)
class Seen:
    """Maps of one part of one scale, float32 (channels, rows, columns).

    `things` is what boxes are read off, at stride 8; `sixteenth`, at stride 16, is what
    `Engine.deep` goes on from. `large` and `small` are what the detector says of each cell, at
    strides 16 and 8.
    """

    things: Floats
    sixteenth: Floats
    large: Floats
    small: Floats


class Engine(Protocol):
    """Runs the parts of the network. Safe to use from several threads."""

    device: str
    precision: str

    def see(self, pixels: Pixels) -> Seen:
        """Return the maps of RGB pixels (height, width, 3), whose sides are multiples of 32."""
        ...

    def deep(self, sixteenth: Floats) -> Floats:
        """Return the map that kinds are read off, at stride 32, of a whole scale."""
        ...

    def things(self, fine: Floats, deep: Floats, fine_boxes: Floats, deep_boxes: Floats) -> Floats:
        """Return what is in boxes (N, 4), L2 norm 1; corners in cells of either map."""
        ...

    def kinds(self, deep: Floats, boxes: Floats) -> Floats:
        """Return which kind of thing is in boxes (N, 4), L2 norm 1; corners in cells."""
        ...
