"""Slices, detail, budget and profiles: what of an image becomes regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from common.contract.fields import HitSource
from common.geometry import Box
from common.settings import Settings
from worker.indexing.budget import choose
from worker.indexing.detail import Detail
from worker.indexing.profiles import PROFILES, profile_of
from worker.indexing.proposing import Proposer
from worker.indexing.regions import Proposal, propose
from worker.indexing.slices import Slicing, joined
from worker.models.base import Detection


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


@given(st.integers(50, 4000), st.integers(50, 4000), st.integers(60, 900))
@hypothesis_settings(deadline=None)
def test_slices_cover_every_pixel_within_their_number(width: int, height: int, side: int) -> None:
    boxes = Slicing(side, 0.2, most=30).boxes(width, height)
    assert len(boxes) <= 30
    seen = np.zeros((height, width), bool)
    for box in boxes:
        assert box.inside(width, height)
        seen[box.y1 : box.y2, box.x1 : box.x2] = True
    assert not boxes or seen.all()


def test_an_image_about_as_large_as_a_slice_is_not_sliced() -> None:
    assert Slicing(640).boxes(640, 480) == Slicing(640).boxes(790, 600) == []
    assert len(Slicing(640).boxes(1280, 640)) == 3


def test_one_thing_seen_by_two_slices_and_the_whole_is_one_detection() -> None:
    left, right = Box(0, 0, 100, 100), Box(80, 0, 180, 100)
    whole = [Detection(85, 10, 97, 30, "cup", 0.5)]
    slices = [
        (left, [Detection(85, 10, 97, 30, "cup", 0.6)]),
        (right, [Detection(5, 10, 17, 30, "cup", 0.7), Detection(50, 50, 60, 60, "hen", 0.4)]),
    ]
    found = joined(180, 100, whole, slices)
    assert [(d.x1, d.label, d.confidence) for d in found] == [(85, "cup", 0.7), (130, "hen", 0.4)]


def test_what_a_slice_cuts_off_is_left_to_others() -> None:
    left = Box(0, 0, 100, 100)
    cut, edge = Detection(80, 10, 100, 30, "cup", 0.9), Detection(0, 0, 20, 100, "door", 0.8)
    assert joined(180, 100, [], [(left, [cut, edge])]) == [edge]


def test_detail_is_where_the_edges_are() -> None:
    image = Image.new("RGB", (800, 400), "skyblue")
    image.paste(noise(400, 400), (400, 0))
    sky, crowd = Detail(image).within([Box(0, 0, 380, 400), Box(420, 0, 800, 400)])
    assert sky < 1 < 20 < crowd
    assert len(Detail(Image.new("RGB", (3, 2000))).within([Box(0, 0, 1, 1)])) == 1


def tile(x: int, y: int, side: int) -> Proposal:
    return Proposal(Box(x, y, x + side, y + side), HitSource.TILE)


def test_an_image_that_fits_the_budget_keeps_everything() -> None:
    proposals = propose(640, 480, [], PROFILES["fast"].tiling)
    most = len(proposals)
    assert choose(proposals, most, most, noise(640, 480)) == proposals


@given(st.integers(1, 120), st.integers(0, 80))
@hypothesis_settings(deadline=None)
def test_the_budget_is_kept_and_the_whole_stays(budget: int, detections: int) -> None:
    hits = [Detection(n, n, n + 30, n + 30, "x", 1 / (n + 1)) for n in range(detections)]
    proposals = propose(640, 480, hits, PROFILES["balanced"].tiling)
    kept = choose(proposals, budget, budget, noise(640, 480))
    assert len(kept) <= budget
    assert kept[0].source is HitSource.WHOLE
    assert kept == [p for p in proposals if p in kept]


def test_tiles_with_nothing_on_them_go_first() -> None:
    image = Image.new("RGB", (400, 400), "white")
    image.paste(noise(200, 200), (200, 200))
    tiles = [tile(x, y, 100) for x, y in product(range(0, 400, 100), repeat=2)]
    kept = choose([Proposal(Box(0, 0, 400, 400), HitSource.WHOLE), *tiles], 5, 5, image)
    assert {p.box.x1 for p in kept[1:]} == {p.box.y1 for p in kept[1:]} == {200, 300}


def test_sizes_take_turns() -> None:
    small = [tile(x, y, 50) for x, y in product(range(0, 400, 50), repeat=2)]
    large = [tile(0, 0, 200), tile(200, 200, 200)]
    kept = choose([*small, *large], 6, 6, noise(400, 400))
    assert [p.box.width for p in kept].count(200) == 2


def test_near_copies_of_a_detection_do_not_use_up_the_budget() -> None:
    copies = [Detection(n / 10, 0, 100 + n / 10, 100, "a", 0.9) for n in range(20)]
    other = Detection(200, 200, 300, 300, "b", 0.1)
    proposals = propose(400, 400, [*copies, other], PROFILES["fast"].tiling)
    kept = choose(proposals, 6, 6, noise(400, 400))
    assert "b" in [p.label for p in kept]


def test_fine_tiles_make_up_for_what_the_detector_leaves_out() -> None:
    def sizes(detections: int) -> list[int]:
        hits = [Detection(9 * n, 0, 9 * n + 8, 8, "x", 0.5) for n in range(detections)]
        proposals = propose(640, 480, hits, PROFILES["balanced"].tiling)
        kept = choose(proposals, 600, 100, noise(640, 480))
        return [p.box.width for p in kept if p.source is HitSource.TILE]

    few, many = sizes(1), sizes(70)
    assert min(few) == 80 and len(few) == 98
    assert min(many) == 160 and sorted(few)[-len(many) :] == sorted(many)


class Listening:
    """A detector that notes the sizes it is shown, and finds one thing in the middle of each."""

    id = "listening"
    side_px = 640

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def detect(
        self, images: Sequence[Image.Image], *, confidence_threshold: float
    ) -> list[list[Detection]]:
        self.seen += [image.size for image in images]
        return [
            [
                Detection(
                    i.width / 2 - 8, i.height / 2 - 8, i.width / 2 + 8, i.height / 2 + 8, "x", 1
                )
            ]
            for i in images
        ]


def test_slices_of_all_images_go_through_the_detector_together() -> None:
    detector = Listening()
    images = [noise(1400, 960), noise(640, 480)]
    found = Proposer(detector, Settings()).propose(
        images, profile="balanced", confidence_threshold=0.05
    )
    assert detector.seen == [(1400, 960), (640, 480), (960, 960), (960, 960)]
    middles = [[p.box.x1 + 8 for p in f if p.source is HitSource.DETECTOR] for f in found]
    assert middles == [[700, 480, 920], [320]]


def test_profiles_grow() -> None:
    tiles = [len(propose(640, 480, [], profile.tiling)) for profile in PROFILES.values()]
    budgets = [profile.budget for profile in PROFILES.values()]
    assert list(PROFILES) == ["fast", "balanced", "thorough"]
    assert tiles == sorted(set(tiles)) and budgets == sorted(set(budgets))


def test_settings_come_before_the_profile() -> None:
    settings = Settings(tile_scales="", tile_min_px=7, tile_overlap=0.1, regions_per_image=9)
    chosen = profile_of("balanced", settings, detects=True)
    assert chosen.tiling.scales == ()
    assert (chosen.tiling.min_px, chosen.tiling.overlap, chosen.budget) == (7, 0.1, 9)
    assert profile_of("balanced", Settings(), detects=False).tiling.overlap == 0.5
    described = {replace(chosen, budget=budget).describe() for budget in (1, 2)} | {
        PROFILES["balanced"].describe()
    }
    assert len(described) == 3
