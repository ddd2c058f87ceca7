"""The kernel over a network's maps: what a box shows."""

from __future__ import annotations

import numpy as np

from worker.native.arrays import Floats
from worker.native.library import library

MOST_CHANNELS, MOST_GRID = 64, 8


def pooled(maps: Floats, boxes: Floats, grid: int) -> Floats:
    """Return what a map (channels, rows, columns) shows in boxes, (N, channels, grid, grid).

    RoIAlign (He et al., 2017), each cell the mean of 2 x 2 places; all float32, `boxes` (N, 4) in
    the map's cells. Places off the map count as nothing.
    """
    channels, rows, columns = maps.shape
    if channels > MOST_CHANNELS or grid > MOST_GRID:
        raise ValueError(f"at most {MOST_CHANNELS} channels and {MOST_GRID} cells a side")
    if boxes.shape != (len(boxes), 4) or not rows or not columns:
        raise ValueError("a box has four sides, and a map some cells")
    boxes = np.ascontiguousarray(boxes, np.float32)
    result = np.empty((len(boxes), channels, grid, grid), np.float32)
    # A place's channels lie side by side: it is read at once.
    turned = np.ascontiguousarray(maps.transpose(1, 2, 0))
    library().needle_pooled(turned, rows, columns, channels, boxes, len(boxes), grid, result)
    return result
