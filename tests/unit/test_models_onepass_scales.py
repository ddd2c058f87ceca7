"""At which scales an image is seen, in which parts, and what cells say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from worker.models.onepass.detecting import Candidates, candidates, clipped, detections
from worker.models.onepass.scales import (
    HALO_PX,
    LARGEST,
    LEAST_SIDE_PX,
    MULTIPLE,
    SEEN_PX,
    TILE_PIXELS,
    Scale,
    ladder,
    nearest_scale,
    parts,
)

SIZES = [(640, 480), (4000, 3000), (3000, 4000), (170, 170), (1200, 300), (12_000, 8000)]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("pixels", [1_000_000, 3_600_000])
def test_each_scale_is_half_as_fine_as_the_last(width: int, height: int, pixels: int) -> None:
    rungs = ladder(width, height, pixels)
    finest, coarsest = rungs[0], rungs[-1]
    # Sides are rounded to whole cells.
    assert finest.width * finest.height <= pixels * 1.05
    assert finest.factor <= LARGEST * 1.1
    side = np.sqrt(width * height)
    assert SEEN_PX / np.sqrt(2) * 0.8 <= side * coarsest.factor <= SEEN_PX * np.sqrt(2) * 1.2
    for finer, coarser in pairwise(rungs):
        assert coarser.factor / finer.factor == pytest.approx(0.5, rel=0.2)
    for scale in rungs:
        assert scale.width % MULTIPLE == scale.height % MULTIPLE == 0
        assert scale.across == scale.width / width and scale.down == scale.height / height


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (20, 20), (30_000, 10)])
def test_the_smallest_and_the_thinnest_image_have_a_scale(size: tuple[int, int]) -> None:
    rungs = ladder(*size, 3_600_000)
    assert rungs and all(min(s.width, s.height) >= LEAST_SIDE_PX for s in rungs)


def test_a_box_is_read_off_the_scale_that_shows_it_at_the_right_size() -> None:
    rungs = ladder(1024, 1024, 1024 * 1024)
    assert [scale.width for scale in rungs] == [1024, 512, 256, 128]
    sides = np.array([10.0, 128, 180, 190, 250, 700, 1024])
    boxes = np.stack([0 * sides, 0 * sides, sides, sides], axis=1)
    assert nearest_scale(boxes, rungs).tolist() == [0, 0, 0, 1, 1, 2, 3]
    assert nearest_scale(boxes, rungs, 181.0).tolist() == [0, 0, 0, 0, 0, 2, 3]


@pytest.mark.parametrize(
    ("width", "height"),
    [(320, 256), (1024, 960), (1056, 992), (4032, 3008), (64, 40_000), (40_000, 64), (5792, 1984)],
)
def test_parts_keep_everything_once_and_see_around_it(width: int, height: int) -> None:
    scale = Scale(width, height, 1.0, 1.0)
    kept = np.zeros((height // MULTIPLE, width // MULTIPLE), int)
    for down, across in parts(scale):
        seen = 1
        for span, side in ((down, height), (across, width)):
            (first, last), (start, stop) = span.seen, span.kept
            assert all(edge % MULTIPLE == 0 for edge in (first, last, start, stop))
            assert first == max(0, start - HALO_PX) and last == min(side, stop + HALO_PX)
            seen *= last - first
        assert seen <= TILE_PIXELS * 1.1
        rows, columns = (slice(*(n // MULTIPLE for n in span.kept)) for span in (down, across))
        kept[rows, columns] += 1
    assert (kept == 1).all()


def said(**cells: tuple[float, ...]) -> np.ndarray:
    """Return what 2 anchors in 4 x 6 cells say: (anchor, row, column) -> five numbers."""
    maps = np.full((2, 5, 4, 6), -20.0, np.float32)
    for place, numbers in cells.items():
        anchor, row, column = (int(digit) for digit in place.removeprefix("at"))
        maps[anchor, :, row, column] = numbers
    return maps.reshape(10, 4, 6)


def test_what_cells_say_becomes_boxes_of_the_image() -> None:
    half = Scale(96, 64, 0.5, 0.25)
    found = candidates(said(at123=(0, 0, 0, 0, 2)), ((8, 8), (16, 8)), 16, half)
    # Centre (3.5, 2.5) cells of 16 px, size of the anchor; the image is larger than the scale.
    assert found.boxes.tolist() == [[48 * 2, 36 * 4, 64 * 2, 44 * 4]]
    assert found.confidences == pytest.approx([(1 / (1 + np.exp(-2))) ** 2])
    assert found.boxes.dtype == found.confidences.dtype == np.float32
    assert not len(candidates(said(), ((8, 8), (16, 8)), 16, half).boxes)


def test_boxes_are_cut_to_the_image_and_what_lies_beside_it_is_left_out() -> None:
    boxes = np.array([[-5, -5, 10, 10], [90, 40, 130, 50], [100, 0, 120, 9], [3, 3, 9, 9]])
    found = clipped(Candidates(boxes.astype(np.float32), np.float32([0.1, 0.2, 0.3, 0.4])), 100, 60)
    assert found.boxes.tolist() == [[0, 0, 10, 10], [90, 40, 100, 50], [3, 3, 9, 9]]
    assert found.confidences == pytest.approx([0.1, 0.2, 0.4])


def test_each_thing_is_said_once_the_most_confident_first() -> None:
    boxes = np.float32([[0, 0, 10, 10], [1, 0, 10, 10], [20, 20, 40, 40], [0, 0, 10, 4]])
    both = Candidates.joined(
        [
            Candidates(boxes[:2], np.float32([0.5, 0.6])),
            Candidates(boxes[2:], np.float32([0.25, 0.2])),
        ]
    )
    found = detections(both, 0.25)
    assert [(d.x1, d.y1, d.x2, d.y2) for d in found] == [(1, 0, 10, 10), (20, 20, 40, 40)]
    assert [d.confidence for d in found] == pytest.approx([0.6, 0.25])
    assert len(detections(both, 0.1)) == 3
    assert detections(Candidates(boxes[:0], np.float32([])), 0.1) == []
