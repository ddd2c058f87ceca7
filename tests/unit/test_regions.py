"""Regions: the whole, the detections and the tiles, each once."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from common.geometry import Box
from common.vectors.base import Source
from worker.models.base import Detection
from worker.regions import Tiling, propose

TILING = Tiling((2, 3, 4), 0.0, 64)


def test_a_photo_without_detections_has_the_whole_and_its_tiles() -> None:
    found = propose(640, 480, [], TILING)
    assert found[0].box == Box(0, 0, 640, 480)
    assert [p.source for p in found].count(Source.TILE) == 4 + 9 + 16


def test_a_detection_keeps_its_label_and_is_clipped_to_the_photo() -> None:
    found = propose(640, 480, [Detection(-5.2, 10.7, 100.1, 900, "cat", 0.9)], TILING)
    assert found[1].box == Box(0, 10, 101, 480)
    assert (found[1].label, found[1].confidence) == ("cat", 0.9)


def test_one_box_under_two_labels_is_one_region_with_the_more_certain_label() -> None:
    found = propose(
        640,
        480,
        [Detection(10, 10, 50, 50, "cat", 0.9), Detection(10, 10, 50, 50, "dog", 0.4)],
        TILING,
    )
    assert [p.label for p in found if p.source is Source.DETECTOR] == ["cat"]


def test_a_tile_that_a_detection_already_covers_is_left_out() -> None:
    found = propose(640, 480, [Detection(0, 0, 320, 240, "cat", 0.9)], TILING)
    assert sum(p.box == Box(0, 0, 320, 240) for p in found) == 1


def test_grids_with_tiles_too_small_are_left_out() -> None:
    assert len(propose(120, 120, [], TILING)) == 1
    assert len(propose(640, 150, [], TILING)) == 1 + 4


@given(
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.lists(st.integers(1, 13), unique=True, max_size=4),
    st.floats(0, 0.9),
)
def test_tiles_lie_in_the_photo_and_each_grid_covers_it(
    width: int, height: int, grids: list[int], overlap: float
) -> None:
    for n in grids:
        boxes = list(Tiling((n,), overlap, 1).boxes(width, height))
        if min(width, height) < n:
            continue
        assert all(box.inside(width, height) for box in boxes)
        assert min(b.x1 for b in boxes) == 0
        assert max(b.x2 for b in boxes) == width
        lefts = sorted({(b.x1, b.x2) for b in boxes})
        assert all(right[0] <= left[1] for left, right in itertools.pairwise(lefts))
