"""All of them: every place of an image that shows a thing again and again."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from common.geometry import Box
from tests.textures import texture
from tests.worker.conftest import World, png
from tests.worker.searching.test_search import matches
from worker.local.placement import AGAIN, Placement
from worker.searching import agreeing, counting
from worker.searching.agreeing import AS_GOOD, as_good, best_first
from worker.searching.opening import Opened, Opener
from worker.searching.question import Thing
from worker.searching.verifying import Proof

PACKAGE = (90, 120)
SHELF = (900, 720)
BRAND = texture(40, (90, 60))


def package(flavour: int) -> Image.Image:
    """Return a package: the same upper half for every flavour."""
    whole = texture(50 + flavour, PACKAGE)
    whole.paste(BRAND, (0, 0))
    return whole


def shelf(flavours: list[int], seed: int = 0) -> tuple[Image.Image, list[Box]]:
    """Return a photo of packages, seven in a row, each a little turned and lit, and their boxes."""
    rng = np.random.default_rng(seed)
    photo, boxes = texture(seed + 9, SHELF).point(lambda level: level // 4 + 60), []
    for number, flavour in enumerate(flavours):
        light = rng.uniform(0.8, 1.15)
        seen = package(flavour).point(lambda level, light=light: level * light)
        angle = rng.uniform(-4, 4)
        mask = Image.new("L", PACKAGE, 255).rotate(angle, expand=True)
        x, y = 15 + number % 7 * 125, 15 + number // 7 * 170
        photo.paste(seen.rotate(angle, Image.Resampling.BICUBIC, expand=True), (x, y), mask)
        boxes.append(Box(x, y, x + mask.width, y + mask.height))
    return photo, boxes


def proven(evidence: float, agreement: float | None) -> Placement:
    """Return a place, proven so far."""
    quad = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
    return Placement(Box(0, 0, 9, 9), quad, 0, 1, False, 9, 9, evidence, 0.5, agreement)


@pytest.fixture
def shelves(world: World) -> World:
    """Return a worker that has a shelf of twelve of flavour 0 and eight others, and one of one."""
    verifying = world.verifying()
    verifying.post(png(shelf([0, 0, 1, 0, 2] * 4)[0]), png(shelf([0, 3, 4, 5], seed=1)[0]))
    verifying.index()
    return verifying


def count(world: World, query: Image.Image, **options: Any) -> dict[str, int]:
    """Return each verified image's count, by its name."""
    found = matches(world.search(query, **options))
    return {match["filename"]: match["count"] for match in found if match["verified"]}


def test_every_package_of_a_shelf_is_counted_and_no_other_flavour(shelves: World) -> None:
    assert sorted(count(shelves, package(0)).values()) == [1, 12]


def test_hits_are_as_many_as_are_asked_for_and_each_is_one_of_the_packages(shelves: World) -> None:
    few = matches(shelves.search(package(0), hits_per_image=3))
    assert [len([h for h in m["hits"] if h["verified"]]) for m in few if m["count"] == 12] == [3]
    every = matches(shelves.search(package(0), hits_per_image=100))
    hits = next(m["hits"] for m in every if m["count"] == 12)
    boxes = [Box(*hit["box"]) for hit in hits if hit["verified"]]
    right = [box for n, box in enumerate(shelf([0, 0, 1, 0, 2] * 4)[1]) if n % 5 in (0, 1, 3)]
    assert all(max(box.iou(other) for other in boxes) > 0.7 for box in right)
    assert len(boxes) == 12


def test_what_is_mirrored_is_counted_as_well(shelves: World) -> None:
    query = package(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert sorted(count(shelves, query).values()) == [1, 12]


def test_what_is_not_wanted_is_not_counted(shelves: World) -> None:
    image_id = next(m["image_id"] for m in matches(shelves.search(package(0))) if m["count"] == 12)
    _, boxes = shelf([0, 0, 1, 0, 2] * 4)
    negative = {"image_id": image_id, "box": boxes[0].as_tuple()}
    assert 12 not in count(shelves, package(0), negatives=[negative]).values()


def test_the_flavour_that_was_asked_for_comes_before_one_with_more_evidence() -> None:
    other, asked = proven(90.0, 0.4), proven(60.0, 0.95)
    assert best_first((other, asked)) == (asked, other)
    assert best_first((proven(90.0, 0.9), asked))[0].agreement == 0.9, "as good: evidence decides"
    assert best_first((proven(9.0, None), proven(8.0, None)))[0].evidence == 9.0


def test_images_too_large_to_decode_beside_others_are_counted_by_their_features(
    shelves: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "PIXELS", 1000)
    monkeypatch.setattr(agreeing, "PIXELS", 1000)
    monkeypatch.setattr(Opened, "compared", lambda *_: pytest.fail("it was decoded"))
    assert max(count(shelves, package(0)).values()) > 1


def test_an_image_without_proof_counts_none(shelves: World) -> None:
    found = matches(shelves.search(texture(99, PACKAGE)))
    assert {match["count"] for match in found if not match["verified"]} == {0}


def test_without_time_the_proof_says_that_not_all_was_counted(shelves: World) -> None:
    twice = Proof({"shelf": (proven(9.0, 0.9), proven(8.0, 0.9))})
    thing = Thing((package(0),))
    counter = shelves.searching.prover.counter
    hurried = counter.count(twice, ["shelf"], thing, "default", 0.0)
    assert not hurried.complete
    assert len(hurried.places["shelf"]) == 1, "a second place may be no more than alike"
    once = Proof({"shelf": (proven(9.0, 0.9),)})
    assert counter.count(once, ["shelf"], thing, "default", 0.0).complete


@pytest.mark.parametrize(
    ("evidence", "agreement", "counts"),
    [
        (9.0, 0.9 * AS_GOOD, True),  # as good as the best, 0.9
        (90.0, 0.9 * AS_GOOD - 0.01, False),  # proven, and something else
        (2.0, 0.8, False),  # not proven, and less than sure
        (2.0, 0.86, True),  # not proven, and the same
        (9.0, None, True),  # too plain to compare
        (2.0, None, False),
    ],
)
def test_what_counts_is_proven_andas_good_as_the_best(
    evidence: float, agreement: float | None, counts: bool
) -> None:
    assert as_good(proven(evidence, agreement), 0.9) is counts


@pytest.mark.parametrize(
    "second", [replace(proven(50.0, None), mirrored=True), proven(0.9 * AGAIN * 100.0, None)]
)
def test_what_is_only_alike_is_not_looked_at_once_more(
    shelves: World, second: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Opener, "open", lambda *_: pytest.fail("it was opened"))
    proof = Proof({"shelf": (proven(100.0, None), second)})
    counter = shelves.searching.prover.counter
    counted = counter.count(proof, ["shelf"], Thing((package(0),)), "default", math.inf)
    assert counted.places["shelf"] == (proven(100.0, None),)
