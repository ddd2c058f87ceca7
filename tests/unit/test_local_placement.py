"""Where an image shows a query: transforms, every occurrence, and nothing by chance."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from common.geometry import Box
from tests.textures import texture
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.match import NearestMatcher, Query
from worker.local.placement import Placement, placements
from worker.local.stored import StoredKeypoints
from worker.local.vocabulary import Vocabulary

VOCABULARY = Vocabulary.load()
PACK = texture(100, (120, 160))


def places(query: Image.Image, image: Image.Image, most: int = 5) -> list[Placement]:
    """Return the places of the query, either way round, surest first."""
    keypoints = Keypoints.of(extract(image, 2500), VOCABULARY)
    content = StoredKeypoints.of(keypoints, VOCABULARY).to_bytes(VOCABULARY)
    kept = StoredKeypoints.from_bytes(content, VOCABULARY)
    found = [
        place
        for side in Query.both(extract(query, 600), VOCABULARY)
        for place in placements(NearestMatcher(), side, kept, most)
    ]
    return sorted(found, key=lambda place: -place.evidence)


def warped(query: Image.Image, quad: list[tuple[float, float]], onto: Image.Image) -> Image.Image:
    """Return `onto` with the query drawn into a quadrilateral: corners clockwise from top left"""
    width, height = query.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, np.array(quad, np.float32))
    flags = cv2.INTER_AREA
    drawn = cv2.warpPerspective(np.asarray(query), matrix, onto.size, flags=flags)
    mask = cv2.warpPerspective(np.full((height, width), 255, np.uint8), matrix, onto.size)
    return Image.fromarray(np.where(mask[..., None] > 127, drawn, np.asarray(onto)))


def turned(degrees: float, scale: float, centre: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the pack's corners, turned clockwise, scaled and moved."""
    c, s = math.cos(math.radians(degrees)) * scale, math.sin(math.radians(degrees)) * scale
    return [
        (centre[0] + c * x - s * y, centre[1] + s * x + c * y)
        for x, y in [(-60, -80), (60, -80), (60, 80), (-60, 80)]
    ]


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (25, 0.8), (90, 1.2), (-140, 0.7)])
def test_a_turned_thing_is_found_with_its_corners(degrees: float, scale: float) -> None:
    quad = turned(degrees, scale, (200, 150))
    first = places(PACK, warped(PACK, quad, texture(1, (400, 300))))[0]
    assert np.abs(np.array(first.quad) - quad).max() < 3
    assert first.rotation == pytest.approx(degrees, abs=1.5)
    assert first.scale == pytest.approx(scale, rel=0.03)
    assert first.inliers >= 20 and first.evidence > 20 and not first.mirrored


def test_a_thing_seen_from_the_side_is_found_with_its_corners() -> None:
    quad = [(120.0, 60.0), (230.0, 85.0), (235.0, 220.0), (115.0, 250.0)]
    first = places(PACK, warped(PACK, quad, texture(1, (400, 300))))[0]
    assert np.abs(np.array(first.quad) - quad).max() < 6


def test_every_occurrence_is_found() -> None:
    image = texture(1, (600, 300))
    spots = [turned(0, 0.8, (100, 120)), turned(10, 0.7, (300, 160)), turned(-8, 0.9, (480, 140))]
    for quad in spots:
        image = warped(PACK, quad, image)
    found = places(PACK, image)
    assert len(found) == 3
    for quad in spots:
        corners = np.array(quad)
        box = Box.covering((*corners.min(axis=0), *corners.max(axis=0)), 600, 300)
        assert max(place.box.iou(box) for place in found) > 0.85
    assert len(places(PACK, image, most=2)) >= 2


def test_a_mirrored_thing_is_found_and_said_to_be() -> None:
    quad = turned(15, 0.9, (200, 150))
    first = places(ImageOps.mirror(PACK), warped(PACK, quad, texture(1, (400, 300))))[0]
    assert first.mirrored
    expected = np.array(quad)[[1, 0, 3, 2]]
    assert np.abs(np.array(first.quad) - expected).max() < 3


def test_a_dark_and_compressed_thing_is_found() -> None:
    quad = turned(5, 0.8, (200, 150))
    image = ImageEnhance.Brightness(warped(PACK, quad, texture(1, (400, 300)))).enhance(0.25)
    first = places(PACK, image)[0]
    assert np.abs(np.array(first.quad) - quad).max() < 4


def test_a_thing_that_leaves_the_image_keeps_its_box_inside() -> None:
    quad = turned(0, 1, (40, 150))
    first = places(PACK, warped(PACK, quad, texture(1, (400, 300))))[0]
    assert first.box.inside(400, 300)
    assert first.quad[0][0] < 0


def test_of_a_scene_that_shares_a_thing_only_the_thing_is_boxed() -> None:
    mine, theirs = turned(0, 0.9, (120, 150)), turned(20, 0.8, (280, 150))
    scene = warped(PACK, mine, texture(7, (400, 300)))
    first = places(scene, warped(PACK, theirs, texture(8, (400, 300))))[0]
    corners = np.array(theirs)
    box = Box.covering((*corners.min(axis=0), *corners.max(axis=0)), 400, 300)
    assert first.box.iou(box) > 0.7
    assert first.whole is not None and places(PACK, scene)[0].whole is None
    # The whole of the query lies around its part, as far as the pack around it in the query.
    assert np.ptp(np.array(first.whole), axis=0).min() > 1.5 * np.ptp(corners, axis=0).min()


@pytest.mark.parametrize("seed", range(5))
def test_what_is_not_there_is_not_found(seed: int) -> None:
    assert places(texture(200 + seed, (120, 160)), texture(seed, (400, 300))) == []


def test_noise_matches_nothing() -> None:
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 256, (200, 200, 3), np.uint8)) for _ in range(2)]
    assert places(*noise) == []


def test_pictures_without_keypoints_have_no_places() -> None:
    plain = Image.new("RGB", (100, 100))
    assert places(plain, texture(1)) == [] and places(PACK, plain) == []
