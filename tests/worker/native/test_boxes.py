"""The kernel over boxes, against the same written plainly."""

from __future__ import annotations

import numpy as np
import pytest

from worker.boxes import overlaps
from worker.native.boxes import apart


def plainly(boxes: np.ndarray, same_iou: float, equal_is_same: bool) -> list[int]:
    kept: list[int] = []
    for row in range(len(boxes)):
        found = overlaps(boxes[row : row + 1], boxes[kept])[0]
        if not (found > same_iou).any() and not (equal_is_same and (found >= same_iou).any()):
            kept.append(row)
    return kept


@pytest.mark.parametrize("same_iou", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("equal_is_same", [True, False])
def test_of_boxes_that_show_the_same_the_first_stays(same_iou: float, equal_is_same: bool) -> None:
    rng = np.random.default_rng(7)
    corners = rng.integers(0, 60, (700, 2)).astype(float)
    boxes = np.hstack([corners, corners + rng.integers(1, 30, (700, 2))])
    found = apart(boxes, same_iou, equal_is_same)
    assert found.tolist() == plainly(boxes, same_iou, equal_is_same)
    assert apart(boxes, same_iou, equal_is_same, 5).tolist() == found[:5].tolist()


def test_a_limit_that_is_met_exactly_and_nothing_at_all() -> None:
    boxes = np.array([[0, 0, 3, 1], [1, 0, 4, 1], [9, 9, 9, 9]], float)  # IoU of 0.5
    assert apart(boxes, 0.5, True).tolist() == [0, 2]
    assert apart(boxes, 0.5, False).tolist() == [0, 1, 2]
    assert apart(np.zeros((0, 4)), 0.5, True).tolist() == []
