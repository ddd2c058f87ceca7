"""Regions: the whole, the detections and the tiles, each once."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from common.contract.fields import HitSource
from common.geometry import Box
from worker.indexing.regions import Tiling, propose
from worker.models.base import Detection

TILING = Tiling((2, 3, 4), 0.0, 64)


def test_an_image_without_detections_has_the_whole_and_its_tiles() -> None:
    found = propose(640, 480, [], TILING)
    assert found[0].box == Box(0, 0, 640, 480)
    assert [p.source for p in found].count(HitSource.TILE) == 3 * 2 + 4 * 3 + 6 * 4


def test_a_detection_keeps_its_label_and_is_clipped_to_the_image() -> None:
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
    assert [p.label for p in found if p.source is HitSource.DETECTOR] == ["cat"]


def test_a_tile_that_a_detection_already_covers_is_left_out() -> None:
    found = propose(640, 480, [Detection(0, 0, 240, 240, "cat", 0.9)], TILING)
    assert sum(p.box == Box(0, 0, 240, 240) for p in found) == 1


def test_grids_with_tiles_too_small_are_left_out() -> None:
    assert len(propose(120, 120, [], TILING)) == 1
    assert len(propose(640, 150, [], TILING)) == 1 + 9 * 2


def test_a_panorama_does_not_become_a_million_regions() -> None:
    found = propose(100_000, 1000, [], Tiling((1, 2, 4, 8), 0.5, 112))
    assert 100 < len(found) <= 2001


@given(
    st.integers(20, 5000),
    st.integers(20, 5000),
    st.sampled_from([1, 2, 3, 5, 8, 13]),
    st.sampled_from([0.0, 0.25, 0.5, 0.75]),
)
def test_tiles_are_square_lie_in_the_image_and_leave_no_gap(
    width: int, height: int, n: int, overlap: float
) -> None:
    boxes = list(Tiling((n,), overlap, 1).boxes(width, height))
    side = min(width, height) / n
    for box in boxes:
        assert box.inside(width, height)
        assert abs(box.width - side) <= 2 and abs(box.height - side) <= 2
    if boxes:
        columns = sorted({(box.x1, box.x2) for box in boxes})
        assert columns[0][0] == 0 and columns[-1][1] == width
        assert all(right[0] <= left[1] for left, right in itertools.pairwise(columns))
