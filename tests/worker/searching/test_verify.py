"""Verifying by local features, through the whole pipeline on real stores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from common.errors import InvalidImage, NotFound
from common.geometry import Box
from common.images import local_key
from tests.textures import texture
from tests.worker.conftest import VOCABULARY, World, png
from tests.worker.searching.test_search import matches
from worker.local.features import extract
from worker.local.keypoints import Keypoints
from worker.local.match import NearestMatcher, Query
from worker.local.placement import Placement
from worker.local.stored import StoredKeypoints
from worker.searching import verifying
from worker.searching.candidates import Candidate, images_to_verify
from worker.searching.proving import fused
from worker.searching.surest import BEYOND_DOUBT, MOST_THREADS
from worker.searching.verifying import LOST_INTEREST, Limits, Verifier

SIZE = (320, 240)
SPOT = (90, 60, 210, 150)
QUAD = ((90.0, 60.0), (210.0, 60.0), (210.0, 150.0), (90.0, 150.0))


@pytest.fixture
def filled(world: World) -> tuple[World, list[str]]:
    """Return a worker with five images indexed, and their ids; it verifies."""
    world = world.verifying(most_images=30)
    names = world.post(*[png(texture(n, SIZE)) for n in range(5)])
    world.index()
    return world, names


def test_a_turned_crop_is_found_with_its_corners_and_its_turn(
    filled: tuple[World, list[str]],
) -> None:
    world, names = filled
    query = texture(3, SIZE).crop(SPOT).transpose(Image.Transpose.ROTATE_90)
    job = world.search(query)
    first = matches(job)[0]
    assert (first["image_id"], first["verified"]) == (names[3], True)
    hit = first["hits"][0]
    assert (hit["source"], hit["verified"], hit["mirrored"]) == ("local", True, False)
    assert Box(*hit["box"]).iou(Box(*SPOT)) > 0.9
    assert hit["rotation"] == pytest.approx(90, abs=2)
    assert hit["inliers"] >= 8
    assert hit["quad"] == [
        pytest.approx(corner, abs=4) for corner in ([210, 60], [210, 150], [90, 150], [90, 60])
    ]
    assert job.result["verification"]["verified"] == 1


def test_a_mirrored_crop_is_found(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    first = matches(world.search(ImageOps.mirror(texture(1, SIZE).crop(SPOT))))[0]
    assert (first["image_id"], first["hits"][0]["mirrored"]) == (names[1], True)
    assert Box(*first["hits"][0]["box"]).iou(Box(*SPOT)) > 0.9
    assert first["hits"][0]["quad"][0] == pytest.approx([210, 60], abs=4)


def test_an_image_that_the_embedding_puts_last_comes_first(
    filled: tuple[World, list[str]],
) -> None:
    world, names = filled
    query = texture(2, SIZE).crop(SPOT).transpose(Image.Transpose.ROTATE_180)
    query = Image.fromarray(255 - np.asarray(query) // 2)  # the embedding sees a negative
    query = Image.fromarray(255 - np.asarray(query))
    plain = matches(world.search(query, verify=False))
    assert not any(match["verified"] for match in plain)
    assert matches(world.search(query, limit=1))[0]["image_id"] == names[2]


def test_what_is_not_there_is_not_verified(filled: tuple[World, list[str]]) -> None:
    world, _ = filled
    job = world.search(texture(77, SIZE).crop(SPOT))
    assert not any(match["verified"] for match in matches(job))
    assert job.result["verification"] == {
        "checked": 5,
        "verified": 0,
        "unchecked": 0,
        "complete": True,
    }


def test_without_time_nothing_is_verified_and_the_answer_says_so(
    filled: tuple[World, list[str]],
) -> None:
    world, _ = filled
    job = world.verifying(budget_s=-1.0).search(texture(1, SIZE).crop(SPOT))
    assert job.result["verification"] == {
        "checked": 0,
        "verified": 0,
        "unchecked": 5,
        "complete": False,
    }
    assert len(matches(job)) == 5
    patient = world.verifying(budget_s=-1.0).search(texture(1, SIZE).crop(SPOT), patient=True)
    assert patient.result["verification"] == {
        "checked": 5,
        "verified": 1,
        "unchecked": 0,
        "complete": True,
    }


def test_images_indexed_without_features_are_found_and_not_verified(
    filled: tuple[World, list[str]],
) -> None:
    world, names = filled
    again = world.post(*[png(texture(n, SIZE)) for n in range(5)], job_id="off", local_features=0)
    world.index("off")
    assert (again, world.statuses("off")) == (names, ["indexed"] * 5)
    assert world.writer.words.count("default") == 0
    assert not world.base.images.exists(local_key("default", names[0]))
    job = world.search(texture(1, SIZE).crop(SPOT))
    assert matches(job)[0]["verified"] is False
    assert job.result["verification"]["checked"] == 0


def test_a_deleted_image_leaves_no_features_and_no_words(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    world.base.catalogue.remove("default", names[3])
    world.writer.discard("default", names[3])
    assert world.writer.words.count("default") == 4
    with pytest.raises(NotFound):
        world.base.images.open(local_key("default", names[3]))


def test_broken_features_are_no_reason_to_fail(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    world.base.images.put(local_key("default", names[1]), b"NLF1 and then nothing of use")
    found = matches(world.search(texture(1, SIZE).crop(SPOT)))
    assert names[1] in [match["image_id"] for match in found]


def test_a_query_without_texture_is_searched_by_its_embedding(
    filled: tuple[World, list[str]],
) -> None:
    world, _ = filled
    job = world.search(Image.linear_gradient("L").resize((90, 60)).convert("RGB"))
    assert len(matches(job)) == 5
    assert job.result["verification"]["checked"] == 0


def test_filters_hold_for_what_words_find(filled: tuple[World, list[str]]) -> None:
    world, _ = filled
    where = {"year": 1999}
    assert matches(world.search(texture(1, SIZE).crop(SPOT), filter=where)) == []


def test_an_image_of_both_channels_is_verified_before_those_of_one() -> None:
    queries = Query.both(extract(texture(1, SIZE), 50), VOCABULARY)
    order = fused(["a", "b", "c"], [Candidate("d", 1), Candidate("b", 0)], queries)
    assert order[0] == Candidate("b", 0)
    assert {candidate.image_id for candidate in order[1:3]} == {"a", "d"}
    assert order.index(Candidate("a", 0)) < order.index(Candidate("a", 1))
    assert len(order) == len(set(order)) == 7


def test_bytes_that_are_no_keypoints_are_refused_with_a_reason(world: World) -> None:
    with pytest.raises(InvalidImage, match="version"):
        StoredKeypoints.from_bytes(b"something else altogether", VOCABULARY)


def test_of_a_small_query_more_images_are_verified() -> None:
    full, few = (Query.both(extract(texture(1, SIZE), most), VOCABULARY) for most in (400, 100))
    assert images_to_verify(full, 60) == 60
    assert images_to_verify(few, 60) == 180
    assert images_to_verify((), 60) == 60


def told_apart(world: World, count: int) -> list[str]:
    """Keep keypoints of so many images, which only their widths tell apart: 1000, 1001, ..."""
    keypoints = Keypoints.of(extract(texture(1, SIZE), 50), VOCABULARY)
    names = [f"{n:02}" for n in range(count)]
    for number, name in enumerate(names):
        told = StoredKeypoints.of(replace(keypoints, width=1000 + number), VOCABULARY)
        world.base.images.put(local_key("default", name), told.to_bytes(VOCABULARY))
    return names


@pytest.mark.parametrize(("evidence", "looked_at"), [(BEYOND_DOUBT, 1 + LOST_INTEREST), (9.0, 40)])
def test_after_a_find_beyond_doubt_interest_is_lost(
    evidence: float, looked_at: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = told_apart(world, 40)
    found = [Placement(Box(*SPOT), QUAD, 0, 1, False, 9, 9, evidence, 0.5)]
    monkeypatch.setattr(
        verifying, "placements", lambda _, __, image, *___: found if image.width == 1000 else []
    )
    verifier = Verifier(VOCABULARY, NearestMatcher(), world.base.images)
    queries = Query.both(extract(texture(1, SIZE), 50), VOCABULARY)
    candidates = [Candidate(name, 0) for name in names]
    proof = verifier.verify("default", queries, candidates, Limits(100, 3, 30.0))
    assert set(proof.places) == {"00"} and proof.complete
    assert len(proof.checked) == looked_at


@pytest.mark.parametrize("every", [False, True])
def test_after_a_find_beyond_doubt_others_are_glanced_at_first(
    every: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = told_apart(world, 10)
    like = "08"
    looks: list[tuple[str, bool]] = []

    def look(_: object, query: Query, image: StoredKeypoints, *__: object) -> list[Placement]:
        name, glance = names[image.width - 1000], len(query.keypoints) == verifying.FEW
        looks.append((name, glance))
        evidence = {names[0]: BEYOND_DOUBT, like: 9.0}.get(name)
        return [Placement(Box(*SPOT), QUAD, 0, 1, False, 9, 9, evidence, 0.5)] if evidence else []

    monkeypatch.setattr(verifying, "placements", look)
    monkeypatch.setattr(verifying, "FEW", 20)
    queries = Query.both(extract(texture(1, SIZE), 50), VOCABULARY)
    verifier = Verifier(VOCABULARY, NearestMatcher(), world.base.images)
    candidates = [Candidate(name, 0) for name in names]
    proof = verifier.verify("default", queries, candidates, Limits(100, 3, 30.0, every=every))
    assert set(proof.places) == {names[0], like} and proof.checked == set(names)
    glanced = names[MOST_THREADS + 1 :]
    alone = [] if every else [name for name in glanced if name != like]
    assert sorted(looks) == sorted(
        [(name, False) for name in names if name not in alone]
        + ([] if every else [(name, True) for name in glanced])
    )


@pytest.mark.parametrize("every", [False, True])
def test_the_other_way_round_images_are_glanced_at_first(
    every: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = told_apart(world, 4)
    looks: list[tuple[str, bool, bool]] = []

    def look(_: object, query: Query, image: StoredKeypoints, *__: object) -> list[Placement]:
        name = names[image.width - 1000]
        looks.append((name, query.mirrored, len(query.keypoints) == verifying.FEW))
        shown = query.mirrored and name == names[2]
        return [Placement(Box(*SPOT), QUAD, 0, 1, True, 9, 9, 9.0, 0.5)] if shown else []

    monkeypatch.setattr(verifying, "placements", look)
    monkeypatch.setattr(verifying, "FEW", 20)
    queries = Query.both(extract(texture(1, SIZE), 50), VOCABULARY)
    verifier = Verifier(VOCABULARY, NearestMatcher(), world.base.images)
    candidates = [Candidate(name, number) for name in names for number in (0, 1)]
    proof = verifier.verify("default", queries, candidates, Limits(100, 3, 30.0, every=every))
    assert set(proof.places) == {names[2]} and proof.checked == set(names)
    whole = names if every else [names[2]]
    assert sorted(looks) == sorted(
        [(name, False, False) for name in names]
        + [(name, True, False) for name in whole]
        + ([] if every else [(name, True, True) for name in names])
    )
