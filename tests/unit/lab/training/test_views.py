"""The pictures that models are trained on: drawn from the seed, showing what is said of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lab.training.batches import PairBatches
from lab.training.canvases import CanvasBatches, visible
from lab.training.kinds import kind_of
from lab.training.photos import TrainingPhoto
from lab.training.regions import MAX_OVERLAP, MIN_SIDE_PX, Region, Regions, random_box
from lab.training.views import INDEXED, SEARCHED, Strength, Views
from worker.models.base import Detection

PLAIN = Strength(framing=0, mirror=0, tilt=0, colour=0, dark=0, grey=0, blur=0)


def photos(count: int = 12) -> list[TrainingPhoto]:
    rng = np.random.default_rng(0)
    categories = ("goldfinch", "magpie", "candle", "BACKGROUND_Google")
    return [
        TrainingPhoto(f"p{n}", categories[n % 4], rng.integers(0, 256, (120, 160, 3), np.uint8))
        for n in range(count)
    ]


def regions(of: list[TrainingPhoto]) -> Regions:
    return Regions(of, {photo.name: [Detection(10, 10, 90, 90, "dog", 0.9)] for photo in of})


def overlap(a: Region, b: Region) -> float:
    w = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    h = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    areas = [(r.box[2] - r.box[0]) * (r.box[3] - r.box[1]) for r in (a, b)]
    return max(0.0, w) * max(0.0, h) / min(areas)


def test_names_of_one_group_are_one_kind() -> None:
    assert kind_of("goldfinch") == kind_of("magpie") == "bird"
    assert kind_of("abacus") == "abacus"
    assert kind_of("BACKGROUND_Google") is None


def test_a_batch_depends_on_the_seed_and_its_number_alone() -> None:
    pictures = photos()
    batches = PairBatches(pictures, regions(pictures), pairs=8, side=32, seed=3, late_from=9)
    again = PairBatches(pictures, regions(pictures), pairs=8, side=32, seed=3, late_from=9)
    other = PairBatches(pictures, regions(pictures), pairs=8, side=32, seed=4, late_from=9)
    views, kinds = batches[5]
    assert views.shape == (16, 3, 32, 32) and views.dtype == torch.uint8
    assert kinds.shape == (8,)
    again[4]
    assert torch.equal(views, again[5][0])
    assert not torch.equal(views, batches[6][0])
    assert not torch.equal(views, other[5][0])


def test_two_regions_of_a_photo_lie_apart() -> None:
    drawn = regions(photos()).draw(10, np.random.default_rng(1))
    for n, region in enumerate(drawn):
        x1, y1, x2, y2 = region.box
        assert 0 <= x1 < x2 <= 160 and 0 <= y1 < y2 <= 120
        assert min(x2 - x1, y2 - y1) >= MIN_SIDE_PX
        assert all(
            overlap(region, other) <= MAX_OVERLAP
            for other in drawn[n + 1 :]
            if other.photo == region.photo
        )


def test_a_small_part_of_a_photo_has_no_kind() -> None:
    pictures = [p for p in photos() if p.category == "goldfinch"]
    without = Regions(pictures, {photo.name: [] for photo in pictures})
    rng = np.random.default_rng(0)
    drawn = [region for _ in range(40) for region in without.draw(3, rng)]
    shares = {r: (r.box[2] - r.box[0]) * (r.box[3] - r.box[1]) / (120 * 160) for r in drawn}
    assert {r.kind for r in drawn if shares[r] > 0.5} == {"bird"}
    assert {r.kind for r in drawn if shares[r] < 0.2} == {None}


def test_a_view_that_changes_nothing_is_the_crop() -> None:
    photo = photos(1)[0].pixels
    view = Views(32).view(photo, (8, 16, 40, 48), PLAIN, np.random.default_rng(0), photo)
    assert np.array_equal(view, photo[16:48, 8:40])


@pytest.mark.parametrize("strength", [INDEXED, SEARCHED])
def test_views_are_squares_of_any_box(strength: Strength) -> None:
    photo, backdrop = photos(2)
    rng = np.random.default_rng(2)
    for _ in range(60):
        box = random_box(160, 120, rng)
        view = Views(48).view(photo.pixels, box, strength, rng, backdrop.pixels)
        assert view.shape == (48, 48, 3) and view.dtype == np.uint8


def test_cutouts_lie_where_their_boxes_say() -> None:
    grey = [TrainingPhoto(f"g{n}", "x", np.full((90, 90, 3), 40, np.uint8)) for n in range(3)]
    bright = TrainingPhoto("b", "x", np.full((90, 90, 3), 250, np.uint8))

    class Bright(CanvasBatches):
        def _photo(self, rng: np.random.Generator) -> np.ndarray:  # type: ignore[type-arg]
            return bright.pixels

    pictures, boxes = Bright(grey, size=16, sides_px=(96,), seed=1)[0]
    assert pictures.shape == (16, 3, 96, 96)
    assert len(boxes) > 10
    corners = boxes[:, 1:]
    assert (corners >= 0).all() and (corners <= 96).all()
    assert (corners[:, 2:] - corners[:, :2] >= 1).all()


def test_a_cutout_under_another_is_no_longer_there() -> None:
    under, over, beside = (0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 8.0), (50.0, 0.0, 60.0, 10.0)
    assert visible([under, beside, over]) == [beside, over]
