"""The kernel over boxes: which show something else than those before them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.native.arrays import Integers
from worker.native.library import library


def apart(
    boxes: NDArray[np.float64], same_iou: float, equal_is_same: bool, most: int | None = None
) -> Integers:
    """Return the rows, int64 (K,), of boxes (N, 4) that are no copies of returned rows before them.

    Boxes are copies when they overlap by an IoU above `same_iou`, or of just that where
    `equal_is_same`. At most `most` are returned.
    """
    count = len(boxes)
    if boxes.shape != (count, 4):
        raise ValueError("a box has four sides")
    kept, room = np.empty(count, np.int64), np.empty(5 * count, np.float64)
    found = library().needle_apart(
        np.ascontiguousarray(boxes, np.float64),
        count,
        same_iou,
        equal_is_same,
        count if most is None else most,
        room,
        kept,
    )
    return kept[:found]
