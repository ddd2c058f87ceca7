"""What an image shows at a place, compared with the query in detail."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from common import pictures
from common.geometry import Box
from common.images import FileImageStore, ImageStore, image_key
from tests.textures import texture
from tests.worker.conftest import png
from worker.local.placement import Placement
from worker.searching.agreeing import CONFIRMED, Agreer, surely_there
from worker.searching.agreement import Agreement, Floats
from worker.searching.agreement import agreement as agreement_of
from worker.searching.opening import Opener
from worker.searching.verifying import Proof

SPOT = (100, 60, 180, 130)
SCENE = texture(3, (320, 240))
QUERY = SCENE.crop(SPOT)


def place(spot: tuple[int, int, int, int] = SPOT, evidence: float = 5.0) -> Placement:
    x1, y1, x2, y2 = spot
    quad = ((float(x1), float(y1)), (x2, y1), (x2, y2), (x1, y2))
    return Placement(Box(*spot), quad, 0.0, 1.0, False, 9, 9, evidence, 0.5)


def agreer(images: ImageStore) -> Agreer:
    return Agreer(Opener(images, 10**8))


def corners(spot: tuple[int, int, int, int]) -> Floats:
    return np.array(place(spot).quad, np.float32)


def agreement(query: Image.Image, image: Image.Image, quad: Floats) -> float | None:
    judged = agreement_of(query, image, quad)
    return judged and judged.whole


def checkers(seed: int, cells: int = 12) -> Image.Image:
    """Return a code: black and white cells, the same three corners in each."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (cells, cells), dtype=np.uint8)
    for rows, columns in (
        (slice(3), slice(3)),
        (slice(3), slice(-3, None)),
        (slice(-3, None), slice(3)),
    ):
        bits[rows, columns] = [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    return Image.fromarray(np.kron(bits * 255, np.ones((8, 8), np.uint8))).convert("RGB")


def within(thing: Image.Image) -> Image.Image:
    scene = SCENE.copy()
    scene.paste(thing, (120, 70))
    return scene


def test_the_very_thing_agrees_though_it_is_darker_smaller_and_compressed() -> None:
    seen = ImageEnhance.Brightness(QUERY).enhance(0.6)
    seen = seen.resize((50, 44), Image.Resampling.BICUBIC)
    assert (agreement(QUERY, SCENE, corners(SPOT)) or 0) > 0.95
    assert (agreement(seen, SCENE, corners(SPOT)) or 0) > 0.9


def test_a_mirrored_thing_agrees_at_its_mirrored_corners() -> None:
    shown = corners(SPOT)
    mirrored = ImageOps.mirror(QUERY)
    assert (agreement(mirrored, SCENE, shown[[1, 0, 3, 2]]) or 0) > 0.95
    assert (agreement(mirrored, SCENE, shown) or 0) < 0.6


def test_another_code_with_the_same_corners_agrees_less() -> None:
    spot = (120, 70, 216, 166)
    same = agreement(checkers(1), within(checkers(1)), corners(spot))
    other = agreement(checkers(1), within(checkers(2)), corners(spot))
    assert same is not None and other is not None
    assert same > 0.95 and other < 0.75


def judged(query: Image.Image, image: Image.Image) -> Agreement:
    """Judge a query of 96 x 96 pixels that lies at (120, 70)."""
    found = agreement_of(query, image, corners((120, 70, 216, 166)))
    assert found is not None
    return found


def test_before_another_background_a_part_agrees_and_all_that_lies_within_it() -> None:
    thing = texture(11, (60, 60))
    query, elsewhere = texture(12, (96, 96)), texture(13, (96, 96))
    for ground in (query, elsewhere):
        ground.paste(thing, (18, 18))
    found = judged(query, within(elsewhere))
    assert found.whole < 0.6 < 0.8 < found.of_part
    assert 0.15 < found.part < 0.8


def test_of_another_code_the_part_between_the_corners_disagrees() -> None:
    same, other = (judged(checkers(1), within(checkers(n))) for n in (1, 2))
    assert same.of_part > 0.95 and same.part > 0.95
    assert other.of_part < 0.75


def test_what_is_plain_or_outside_tells_nothing() -> None:
    assert agreement(Image.new("RGB", (80, 80), (90, 120, 90)), SCENE, corners(SPOT)) is None
    assert agreement(QUERY, SCENE, corners((-400, -400, -300, -300))) is None


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    store = FileImageStore(tmp_path)
    store.put(image_key("c", "right"), png(SCENE))
    store.put(image_key("c", "wrong"), png(texture(8, (320, 240))))
    return store


def test_a_doubtful_place_is_proven_by_its_details_and_another_is_dropped(
    images: ImageStore,
) -> None:
    doubtful = {name: (place(evidence=2.0),) for name in ("right", "wrong", "gone")}
    proof = agreer(images).compare(Proof({}, doubtful), [QUERY], "c")
    assert set(proof.places) == {"right"} and not proof.doubtful
    first = proof.places["right"][0]
    assert first.agreement is not None and first.agreement > CONFIRMED and surely_there(first)


def test_a_proof_of_chance_is_dropped_and_one_beyond_it_is_said_to_disagree(
    images: ImageStore,
) -> None:
    weak = agreer(images).compare(Proof({"wrong": (place(evidence=4.0),)}), [QUERY], "c")
    assert not weak.places
    strong = agreer(images).compare(Proof({"wrong": (place(evidence=30.0),)}), [QUERY], "c")
    assert (strong.places["wrong"][0].agreement or 0) < 0.6


def test_images_far_behind_are_not_decoded(images: ImageStore) -> None:
    proof = Proof({"right": (place(evidence=90.0),), "wrong": (place(evidence=9.0),)})
    compared = agreer(images).compare(proof, [QUERY], "c").places
    assert compared["right"][0].agreement is not None
    assert compared["wrong"][0].agreement is None


def test_an_image_that_cannot_be_read_keeps_its_proof(images: ImageStore) -> None:
    proof = Proof({"gone": (place(evidence=9.0),)})
    assert agreer(images).compare(proof, [QUERY], "c").places == proof.places


def test_a_large_photo_is_decoded_smaller_where_the_place_is_large(images: ImageStore) -> None:
    large = texture(3, (2403, 1801))
    held = io.BytesIO()
    large.save(held, "JPEG", quality=90)
    images.put(image_key("c", "large"), held.getvalue())
    spot = (700, 500, 1500, 1200)
    sizes: list[tuple[int, int]] = []
    decode = pictures.decode

    def noted(content: bytes, **options: int) -> Image.Image:
        sizes.append((decoded := decode(content, **options)).size)
        return decoded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "decode", noted)
        proof = Proof({"large": (place(spot, evidence=40.0),)})
        compared = agreer(images).compare(proof, [large.crop(spot)], "c").places["large"]
    assert sizes == [(601, 451)]
    assert (compared[0].agreement or 0) > 0.95


def test_an_image_that_shows_a_part_of_the_query_does_not_agree_with_the_whole(
    images: ImageStore,
) -> None:
    scene = texture(12, (320, 240))
    scene.paste(SCENE.crop(SPOT), (200, 30))
    whole = ((-100.0, 30.0), (220.0, 30.0), (220.0, 270.0), (-100.0, 270.0))
    shown = replace(place(evidence=40.0), whole=whole)
    compared = agreer(images).compare(Proof({"right": (shown,)}), [scene], "c").places
    assert (compared["right"][0].agreement or 0) < 0.6


def test_a_right_place_behind_one_of_chance_is_kept(images: ImageStore) -> None:
    chance, right = place((10, 10, 90, 80), evidence=5.0), place(evidence=4.5)
    compared = agreer(images).compare(Proof({"right": (chance, right)}), [QUERY], "c")
    (kept,) = compared.places["right"]
    assert (kept.box, (kept.agreement or 0) > 0.95) == (right.box, True)


def test_where_the_first_disagree_those_behind_are_compared_as_well(images: ImageStore) -> None:
    proof = Proof({"wrong": (place(evidence=90.0),), "right": (place(evidence=9.0),)})
    compared = agreer(images).compare(proof, [QUERY], "c").places
    assert (compared["wrong"][0].agreement or 0) < 0.6
    assert (compared["right"][0].agreement or 0) > 0.9
