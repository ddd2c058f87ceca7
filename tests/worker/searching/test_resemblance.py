"""Pixels around a box compared with a query's: where the thing is, and how much alike."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from common.geometry import Box
from tests.textures import texture
from worker.searching.resemblance import Pixels, Resemblance, Template

SCENE = texture(1, (640, 480))
PIXELS = np.asarray(SCENE)
THING = Box(200, 150, 290, 220)


def find(template: Template, pixels: Pixels, box: Box) -> Resemblance | None:
    rough = template.roughly(pixels, box)
    return None if rough is None else template.exactly(pixels, rough)


def crop(box: Box) -> Image.Image:
    return SCENE.crop(box.as_tuple())


@pytest.mark.parametrize("alter", [lambda image: image, ImageOps.mirror], ids=["exact", "mirrored"])
def test_the_place_is_fitted_from_a_box_that_is_off(alter: object) -> None:
    template = Template(alter(crop(THING)))  # type: ignore[operator]
    found = find(template, PIXELS, Box(180, 140, 290, 226))
    assert found is not None
    assert found.score > 0.95 and found.box.iou(THING) > 0.8


def test_another_picture_is_much_less_alike() -> None:
    template = Template(crop(THING))
    other = find(template, np.asarray(texture(2, (640, 480))), THING)
    assert other is not None and other.score < 0.75


def test_a_large_box_is_compared_at_a_small_size() -> None:
    large = SCENE.resize((2560, 1920))
    thing = Box(800, 600, 1160, 880)
    found = find(Template(crop(THING)), np.asarray(large), Box(760, 580, 1180, 900))
    assert found is not None
    assert found.score > 0.95 and found.box.iou(thing) > 0.8


def test_what_is_too_narrow_tells_nothing() -> None:
    assert find(Template(SCENE.crop((0, 0, 300, 3))), PIXELS, Box(0, 0, 300, 3)) is None


def test_of_two_places_that_are_equal_in_grey_the_colours_tell() -> None:
    detail = np.asarray(texture(3, (60, 60)).convert("L"), np.float32) / 255
    pixels = np.full((100, 200, 3), 60, np.uint8)
    # As bright as each other: grey is 0.299 of the red and 0.114 of the blue.
    pixels[20:80, 20:80, 0] = 60 + 70 * detail
    pixels[20:80, 100:160, 2] = 60 + 70 * 0.299 / 0.114 * detail
    for left in (20, 100):
        query = Image.fromarray(pixels[20:80, left : left + 60])
        found = find(Template(query), pixels, Box(60, 20, 120, 80))
        assert found is not None and found.box.iou(Box(left, 20, left + 60, 80)) > 0.8


def test_what_differs_in_colour_alone_is_found() -> None:
    # Red and green of one grey: 0.299 of 200, and 0.587 of 102.
    pattern = np.random.default_rng(4).integers(0, 2, (6, 6)).repeat(10, 0).repeat(10, 1)
    pixels = np.full((140, 200, 3), 60, np.uint8)
    pixels[40:100, 70:130] = np.where(pattern[..., None], (200, 0, 0), (0, 102, 0))
    query = Image.fromarray(pixels[40:100, 70:130])
    found = find(Template(query), pixels, Box(60, 30, 118, 88))
    assert found is not None and found.score > 0.95
    assert found.box.iou(Box(70, 40, 130, 100)) > 0.8


@pytest.mark.parametrize("colour", ["white", "black", (200, 30, 30)])
def test_a_plain_query_is_like_nothing(colour: str | tuple[int, int, int]) -> None:
    for size in ((90, 60), (100, 100), (40, 40)):
        assert find(Template(Image.new("RGB", size, colour)), PIXELS, THING) is None


def test_a_small_query_is_looked_for_inside_of_a_region() -> None:
    thing, region = Box(230, 170, 260, 200), Box(200, 150, 290, 240)
    found = find(Template(crop(thing)), PIXELS, region)
    assert found is not None and found.score > 0.9 and found.box.iou(thing) > 0.6
