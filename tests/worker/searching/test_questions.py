"""What a query may be: several examples, a text beside them, several things, not like these."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from common.images import query_key
from tests.fakes import FixedDetector, PixelEncoder
from tests.textures import texture
from tests.worker.conftest import World, noise, png
from tests.worker.searching.test_search import matches
from worker.models.base import Detection, Embeddings
from worker.searching.certainty import Background, certainty
from worker.searching.verifying import Proof, Verifier

TILES = [(0, 0, 60, 60), (100, 0, 160, 60), (0, 60, 60, 120), (100, 60, 160, 120)]


@pytest.fixture
def filled(world: World) -> tuple[World, list[str]]:
    """Return a worker with six images indexed, and their ids; the regions are corners."""
    names = world.post(*[png(noise(n)) for n in range(6)])
    world.index()
    return world, names


def first_of(found: list[dict[str, object]], count: int) -> set[object]:
    return {match["image_id"] for match in found[:count]}


def test_any_of_several_examples_finds_its_image(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    example = {"image_id": names[4], "box": list(TILES[0])}
    found = matches(world.search(noise(1).crop(TILES[3]), examples=[example]))
    assert first_of(found, 2) == {names[1], names[4]}
    assert [match["score"] for match in found[:2]] == pytest.approx([1, 1], abs=1e-3)


def test_uploaded_files_are_all_examples(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    for number, seed in enumerate((2, 5)):
        query = png(noise(seed).crop(TILES[0]))
        world.base.images.put(query_key("both", number), query)
    assert first_of(matches(world.search(job_id="both", files=2)), 2) == {names[2], names[5]}


def test_places_like_a_negative_are_left_out(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    query = noise(3).crop(TILES[1])
    assert matches(world.search(query))[0]["hits"][0]["box"] == list(TILES[1])
    unlike = {"image_id": names[3], "box": list(TILES[1])}
    left = matches(world.search(query, negatives=[unlike]))
    boxes = {m["image_id"]: [hit["box"] for hit in m["hits"]] for m in left}
    assert list(TILES[1]) not in boxes.get(names[3], [])
    assert left[0]["image_id"] != names[3]
    assert len(boxes) >= 4  # images that are like neither stay


def test_a_verified_place_that_shows_the_negative_is_no_proof(world: World) -> None:
    world = world.verifying(most_images=30)
    names = world.post(*[png(texture(n, (320, 240))) for n in range(3)])
    world.index()
    spot = [90, 60, 210, 150]
    query = texture(1, (320, 240)).crop((100, 70, 200, 140))
    assert matches(world.search(query))[0]["verified"]
    unlike = {"image_id": names[1], "box": spot}
    assert not any(m["verified"] for m in matches(world.search(query, negatives=[unlike])))


class Slow:
    """A verifier that takes all its time for the first query, and notes how much each gets."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier, self.budgets_s = verifier, []

    def verify(self, *asked: Any) -> Proof:
        """Verify within the time that there is."""
        *_, limits = asked
        self.budgets_s.append(limits.budget_s)
        if len(self.budgets_s) > 1:
            asked = (*asked[:3], replace(limits, budget_s=-1.0))
        return self.verifier.verify(*asked)


def test_negatives_keep_to_the_searchs_own_time_and_it_says_what_they_did_not_reach(
    world: World,
) -> None:
    world = world.verifying(most_images=30)
    names = world.post(*[png(texture(n, (320, 240))) for n in range(3)])
    world.index()
    slow = Slow(world.searching.prover.verifier)
    world = world.searching_with(prover=replace(world.searching.prover, verifier=slow))
    query = texture(1, (320, 240)).crop((100, 70, 200, 140))
    negative = {"image_id": names[2], "box": [90, 60, 210, 150]}
    job = world.search(query, negatives=[negative], verify_budget_ms=700)
    assert slow.budgets_s == [0.7, 0.7]
    assert job.result["verification"]["complete"] is False


class Wordy(PixelEncoder):
    """Knows one word for each image's first corner."""

    has_text = True

    def encode_texts(self, texts: object) -> Embeddings:
        """Return the embedding of the corner that the text numbers."""
        (text,) = texts  # type: ignore[misc, attr-defined]
        return self.encode_images([noise(int(text)).crop(TILES[0])])


def test_a_file_and_a_text_are_mixed_by_weight(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    world = world.searching_by(Wordy())
    query = noise(1).crop(TILES[0])
    for weight, expected in ((0.1, names[1]), (0.9, names[5])):
        found = matches(world.search(query, text="5", text_weight=weight))
        assert found[0]["image_id"] == expected
    both = matches(world.search(query, text="5", text_weight=0.5))
    assert first_of(both, 2) == {names[1], names[5]}
    assert both[0]["score"] == pytest.approx(both[1]["score"], abs=0.1)


def test_images_with_every_detected_thing_come_first(world: World) -> None:
    left, right = noise(20).crop((0, 0, 80, 120)), noise(21).crop((80, 0, 160, 120))
    both = noise(22)
    both.paste(left, (0, 0))
    both.paste(right, (80, 0))
    one = noise(23)
    one.paste(left, (0, 0))
    things = [Detection(0, 0, 80, 120, "cup", 0.9), Detection(80, 0, 160, 120, "cat", 0.8)]
    world = world.with_detections(*things)
    names = world.post(png(one), png(both), *[png(noise(n)) for n in range(4)])
    world.index()
    noise_around = Detection(0, 0, 160, 119, "table", 0.99)
    world = world.detecting_queries_with(FixedDetector([*things, noise_around]))
    job = world.search(both, detect=True, hits_per_image=1)
    found = matches(job)
    assert [match["image_id"] for match in found[:2]] == [names[1], names[0]]
    shown = sorted((hit["object"], hit["label"]) for hit in found[0]["hits"])
    assert shown == [(0, "cup"), (1, "cat")]
    objects = job.result["objects"]
    assert [(one["label"], one["box"]) for one in objects] == [
        ("cup", [0, 0, 80, 120]),
        ("cat", [80, 0, 160, 120]),
    ]
    assert found[0]["probability"] > found[1]["probability"] > found[2]["probability"]
    assert [sorted(match["shows"]) for match in found[:3]] == [[0, 1], [0], []]
    assert [one["found"] for one in objects] == [True, True]


def test_quarter_turns_are_tried_where_the_request_says_so(
    filled: tuple[World, list[str]],
) -> None:
    world, names = filled
    turned = noise(2).crop(TILES[3]).rotate(90)
    assert matches(world.search(turned))[0]["score"] < 0.9
    found = matches(world.search(turned, rotate=True))[0]
    assert (found["image_id"], found["score"]) == (names[2], pytest.approx(1, abs=1e-3))


def test_a_query_without_detections_is_one_thing(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    job = world.search(noise(2).crop(TILES[2]), detect=True)
    assert matches(job)[0]["image_id"] == names[2]
    assert [one["box"] for one in job.result["objects"]] == [None]


def test_an_answer_says_whether_the_thing_is_there(world: World) -> None:
    world = world.verifying(most_images=30)
    world.post(*[png(texture(n, (320, 240))) for n in range(8)])
    world.index()
    there = world.search(texture(3, (320, 240)).crop((90, 60, 210, 150))).result
    absent = world.search(texture(77, (320, 240)).crop((90, 60, 210, 150))).result
    assert (there["found"], absent["found"]) == (True, False)
    assert there["probability"] == there["matches"][0]["probability"] > 0.9
    assert absent["probability"] < 0.3
    assert all(match["probability"] < 0.3 for match in there["matches"][1:])


def test_what_stands_out_more_is_surer() -> None:
    background = Background(0.8)
    rising = [certainty(score, (), background) for score in (0.7, 0.8, 0.9, 1.0)]
    assert rising == sorted(rising) and 0 < rising[0] < rising[-1] < 1
