"""What an image may have on a slow device: coarse, steady numbers, which recipes name."""

from __future__ import annotations

import pytest

from common.settings import Settings
from tests.fakes import DensePixelEncoder, FixedDetector, PixelEncoder
from worker.indexing.means import LEAST_REGIONS, Costs, Means
from worker.indexing.profiles import PROFILES
from worker.indexing.seeing import seer_of

NOW = {"name": "standard", "encoder": "clip", "device": "cpu"}


@pytest.mark.parametrize(
    ("crop_s", "view_s", "regions", "views"),
    [
        (0.135, 0.25, 32, 4),  # ViT-B/32 and YOLOv5s at 65 GFLOP/s
        (0.01, 0.02, 256, 64),
        (60.0, 60.0, LEAST_REGIONS, 1),
        (0.0, 0.0, 2**20, 2**20),  # nothing to pay
    ],
)
def test_means_are_powers_of_two_that_fit_into_the_seconds(
    crop_s: float, view_s: float, regions: int, views: int
) -> None:
    assert Means.of(6, Costs(crop_s, view_s)) == Means(regions, views)


def test_a_measurement_that_differs_a_little_changes_nothing() -> None:
    first = Means.of(6, Costs(0.1, 0.1))
    for factor in (0.6, 0.9, 1.1, 1.7):
        assert Means.of(6, Costs(0.1 * factor, 0.1 * factor), first) == first
    assert Means.of(6, Costs(0.001, 0.1), first).regions == 4096


def test_only_means_of_the_same_models_and_device_are_taken_up() -> None:
    told = {**NOW, "means": {"regions": 32, "views": 4}}
    assert Means.told(told, NOW) == Means(32, 4)
    assert Means.told({**told, "device": "cuda:0"}, NOW) is None
    assert Means.told(NOW, NOW) is None
    assert Means.told(None, NOW) is None


def test_a_slow_device_has_fewer_regions_and_a_recipe_that_says_so() -> None:
    fast = seer_of(PixelEncoder(), FixedDetector(), Settings(), Means(2**20, 2**20))
    slow = seer_of(PixelEncoder(), FixedDetector(), Settings(), Means(32, 4))
    plain = seer_of(PixelEncoder(), FixedDetector(), Settings())
    assert fast.recipe("balanced", 0.05) == plain.recipe("balanced", 0.05)
    assert slow.recipe("balanced", 0.05) != plain.recipe("balanced", 0.05)
    assert (slow.profile("balanced").budget, slow.profile("balanced").slices) == (32, 4)
    assert slow.seconds("balanced", Costs(0.1, 0.2)) == pytest.approx(32 * 0.1 + 5 * 0.2)


def test_regions_that_the_settings_ask_for_are_given_whatever_they_cost() -> None:
    seer = seer_of(PixelEncoder(), None, Settings(regions_per_image=100), Means(32, 4))
    assert seer.profile("balanced").budget == 100


def test_a_dense_encoder_is_timed_and_not_bounded() -> None:
    encoder = DensePixelEncoder()
    costs = Costs.measured(encoder, None)
    assert costs.megapixel_s > 0 and costs.crop_s == 0
    seer = seer_of(encoder, None, Settings(), Means.of(6, costs))
    assert seer.profile("balanced") == PROFILES["balanced"]
    assert seer.seconds("balanced", Costs(megapixel_s=0.1)) == pytest.approx(0.36)


def test_an_encoder_of_crops_is_timed_beside_its_detector() -> None:
    costs = Costs.measured(PixelEncoder(), FixedDetector())
    assert costs.crop_s > 0 and costs.view_s > 0 and costs.megapixel_s == 0
    assert Costs.measured(PixelEncoder(), None).view_s == 0
