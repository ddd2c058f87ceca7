"""Boxes: overlaps agree with the definition, and what shows the same is left out once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.geometry import Box
from worker.boxes import apart, clear_of, corners, largest_overlaps, overlapping, spans

boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    st.integers(0, 30), st.integers(0, 30), st.integers(1, 30), st.integers(1, 30),
)  # fmt: skip


@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=5))
def test_the_largest_overlap_is_that_of_single_boxes(some: list[Box], others: list[Box]) -> None:
    expected = [max((box.iou(other) for other in others), default=0.0) for box in some]
    assert largest_overlaps(corners(some), corners(others)).tolist() == expected


@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=5), st.sampled_from([0.3, 0.8, 0.95]))
def test_boxes_that_overlap_others_are_told(
    some: list[Box], others: list[Box], least: float
) -> None:
    expected = [any(box.iou(other) >= least for other in others) for box in some]
    assert overlapping(corners(some), corners(others), least).tolist() == expected


@given(st.lists(boxes, max_size=12), st.sampled_from([0.3, 0.5, 0.8]), st.booleans())
def test_of_boxes_that_show_the_same_the_first_stays(
    some: list[Box], same_iou: float, equal_is_same: bool
) -> None:
    kept: list[Box] = []
    for box in some:
        overlaps = [box.iou(other) for other in kept]
        if not any(o > same_iou or (equal_is_same and o == same_iou) for o in overlaps):
            kept.append(box)
    rows = apart(corners(some), same_iou, equal_is_same=equal_is_same)
    assert [some[row] for row in rows] == kept


def test_an_overlap_of_just_the_threshold_counts_as_the_caller_says() -> None:
    pair = [Box(0, 0, 10, 10), Box(0, 0, 10, 8)]
    assert apart(corners(pair), 0.8, equal_is_same=False) == [0, 1]
    assert apart(corners(pair), 0.8, equal_is_same=True) == [0]
    assert not clear_of(pair[1], [pair[0]], 0.8) and clear_of(pair[1], [], 0.8)


@pytest.mark.parametrize(
    ("length", "side", "overlap", "count"),
    [(100, 100, 0.5, 1), (100, 150, 0.2, 1), (100, 50, 0.0, 2), (100, 50, 0.5, 3), (101, 50, 0, 3)],
)
def test_spans_are_few_and_cover_the_length(
    length: float, side: float, overlap: float, count: int
) -> None:
    found = spans(length, side, overlap)
    assert len(found) == count
    assert (found[0][0], found[-1][1]) == (0.0, pytest.approx(length))
