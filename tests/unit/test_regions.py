"""The list of an image's regions: small, and the same when it is read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.geometry import Box
from common.regions import ListedRegion, RegionList, packed

side = st.integers(0, 200_000)
boxes = st.tuples(side, side, side, side).map(lambda s: Box(s[0], s[1], s[0] + s[2], s[1] + s[3]))
confidences = st.none() | st.integers(0, 10_000).map(lambda step: step / 10_000)
labels = st.none() | st.text(max_size=9)
regions = st.builds(ListedRegion, boxes, st.sampled_from(["tile", "whole"]), labels, confidences)


@settings(deadline=None, max_examples=50)
@given(st.lists(regions, max_size=30))
def test_a_list_is_read_as_it_was_written(listed: list[ListedRegion]) -> None:
    kept = RegionList(packed(listed))
    assert len(kept) == len(listed)
    assert list(kept) == listed


def test_a_region_takes_a_few_bytes() -> None:
    grid = [(x, y) for x in range(0, 640, 24) for y in range(0, 480, 24)]
    tiles = [ListedRegion(Box(x, y, x + 48, y + 48), "tile", None, None) for x, y in grid]
    assert len(packed(tiles)) < 4 * len(tiles)


@pytest.mark.parametrize("content", [b"", b'[{"box": [0, 0, 1, 1]}]', b"\x78\x9c"])
def test_something_else_is_no_list(content: bytes) -> None:
    with pytest.raises(ValueError, match="no list of regions"):
        RegionList(content)


def test_a_place_outside_the_list_is_an_error() -> None:
    with pytest.raises(IndexError):
        RegionList(packed([]))[0]
