"""A dense encoder sees each image once: things, embeddings, and the closer look of a search."""

from __future__ import annotations

import numpy as np
import pytest

from common.geometry import Box
from tests.fakes import DensePixelEncoder, FixedDetector, PixelEncoder
from tests.worker.conftest import World, noise, png
from tests.worker.searching.test_search import matches
from worker.indexing.profiles import PROFILES
from worker.indexing.seeing import seer_of
from worker.models.base import DenseEncoder, Detection
from worker.models.dense import MapsDetector
from worker.models.packs import LoadedPack
from worker.searching import comparing, refining
from worker.searching.looking import DenseLook, look_at

CAT = Detection(16, 12, 80, 60, "cat", 0.9)
MAYBE = Detection(90, 40, 150, 100, "dog", 0.3)
HOW = {"profile": "balanced", "confidence_threshold": 0.5}
BETWEEN = (47, 21, 113, 77)


def test_an_encoder_is_dense_where_it_has_maps() -> None:
    assert isinstance(DensePixelEncoder(), DenseEncoder)
    assert not isinstance(PixelEncoder(), DenseEncoder)


def test_an_image_is_seen_once_at_the_profiles_pixels(world: World) -> None:
    encoder = DensePixelEncoder([CAT])
    world = world.indexing_by(encoder)
    names = world.post(*[png(noise(n)) for n in range(3)], profile="fast")
    world.index()
    assert encoder.seen == [((160, 120), PROFILES["fast"].pixels)] * 3
    assert world.statuses() == ["indexed"] * 3
    labels = [region.label for region in world.regions(names[0])]
    assert len(labels) == 1 + 1 + 6 and labels.count("cat") == 1


def test_both_ways_propose_and_embed_the_same(world: World) -> None:
    images = [noise(1), noise(2, (320, 90))]
    settings = world.base.settings
    crops = seer_of(PixelEncoder(), FixedDetector([CAT, MAYBE]), settings)
    dense = seer_of(DensePixelEncoder([CAT, MAYBE]), None, settings)
    for one, other in zip(crops.see(images, **HOW), dense.see(images, **HOW), strict=True):
        assert one.regions == other.regions and "cat" in [r.label for r in one.regions]
        assert np.array_equal(one.embeddings, other.embeddings)


def test_a_dense_recipe_names_its_pixels(world: World) -> None:
    seer = seer_of(DensePixelEncoder(), None, world.base.settings)
    recipes = {seer.recipe(profile, 0.05) for profile in PROFILES}
    assert len(recipes) == 3
    assert all(recipe.startswith("pixels-8x8-dense|maps/") for recipe in recipes)
    assert seer.recipe("fast", 0.05) != seer.recipe("fast", 0.1)


def test_a_dense_pack_has_what_finds_things() -> None:
    encoder = DensePixelEncoder()
    assert LoadedPack("x", None, encoder, "cpu", "float32").describe()["detector"] == encoder.id
    assert LoadedPack("x", None, PixelEncoder(), "cpu", "float32").describe()["detector"] is None


def test_a_query_is_divided_by_the_maps_of_a_dense_encoder() -> None:
    encoder = DensePixelEncoder([CAT, MAYBE])
    found = MapsDetector(encoder, 10_000).detect([noise(1), noise(2)], confidence_threshold=0.5)
    assert found == [[CAT], [CAT]]
    assert encoder.seen == [((160, 120), 10_000)] * 2


def test_boxes_are_embedded_from_the_part_that_holds_them() -> None:
    image, encoder = noise(1), DensePixelEncoder()
    parts = [Box(0, 0, 50, 50), Box(100, 60, 160, 120)]
    boxes = [Box(110, 70, 140, 100), Box(5, 5, 30, 40), Box(120, 80, 160, 120)]
    look = look_at(encoder, image, parts)
    assert isinstance(look, DenseLook) and encoder.seen == []
    crops = PixelEncoder().encode_images([image.crop(box.as_tuple()) for box in boxes])
    assert np.array_equal(look.embeddings(boxes), crops)
    assert np.array_equal(look.embeddings(boxes[:1]), crops[:1])
    assert [size for size, _ in encoder.seen] == [(60, 60), (50, 50)]


def test_parts_that_overlap_are_seen_as_one() -> None:
    image, encoder = noise(1), DensePixelEncoder()
    look = look_at(encoder, image, [Box(0, 0, 60, 60), Box(20, 0, 80, 60)])
    look.embeddings([Box(0, 0, 20, 20), Box(60, 40, 80, 60)])
    assert [size for size, _ in encoder.seen] == [(80, 60)]


@pytest.mark.parametrize("box", [BETWEEN, (0, 0, 31, 45), (121, 80, 160, 120)])
def test_a_closer_look_fits_the_same_box_either_way(
    world: World, box: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refining, "IN_ALL_S", 60.0)  # whatever else this machine does
    monkeypatch.setattr(comparing, "NOTHING", 1.0)  # pixels, which would be enough, say nothing
    world.post(*[png(noise(n)) for n in range(4)])
    world.index()
    encoder = DensePixelEncoder()
    encoder.id = PixelEncoder.id  # the collection is the same
    query = noise(2).crop(box)
    crops = matches(world.search(query, zoom=4))
    dense = matches(world.searching_by(encoder).search(query, zoom=4))
    shown = [(m["image_id"], m["hits"][0]["box"], m["hits"][0]["source"]) for m in crops]
    assert [(m["image_id"], m["hits"][0]["box"], m["hits"][0]["source"]) for m in dense] == shown
    assert 0 < len(encoder.seen) <= 8
