"""Images of the same kind: where the thing itself is not found, or where the request says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import worker.searching.kinds
from tests.fakes import KindsEncoder
from tests.worker.conftest import World, noise, png
from tests.worker.searching.test_search import matches
from worker.models.base import Embeddings
from worker.models.kinds import query_vectors
from worker.searching.nearest import KIND_WEIGHT, Nearest
from worker.searching.options import SearchOptions
from worker.searching.question import Thing

RED, GREEN = (255, 40, 40), (40, 255, 40)


def tinted(seed: int, colour: tuple[int, int, int]) -> Image.Image:
    """Return an image of its own under coloured light."""
    return Image.blend(noise(seed), Image.new("RGB", (160, 120), colour), 0.3)


@pytest.fixture
def filled(world: World) -> tuple[World, list[str]]:
    """Return a worker that knows kinds, and the ids of three red images and five green ones."""
    encoder = KindsEncoder()
    world = world.indexing_by(encoder).searching_by(encoder)
    colours = [RED] * 3 + [GREEN] * 5
    names = world.post(*[png(tinted(n, colour)) for n, colour in enumerate(colours)])
    world.index()
    return world, names


def kinds(found: list[dict[str, object]]) -> list[object]:
    return [match["likeness"] for match in found]


def test_what_is_found_brings_up_nothing_of_its_kind(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    job = world.search(tinted(1, RED).crop((0, 0, 60, 60)))
    found = matches(job)
    assert job.result["found"] and found[0]["image_id"] == names[1]
    assert found[0]["score"] == pytest.approx(1, abs=1e-3)
    assert set(kinds(found)) == {"thing"}


def test_guesses_and_images_of_the_same_kind_take_turns(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    stranger = tinted(99, RED)
    plain = matches(world.search(stranger, same_kind=0.0))
    assert set(kinds(plain)) == {"thing"}
    job = world.search(stranger)
    found = matches(job)
    assert not job.result["found"]
    assert kinds(found)[:2] == ["thing", "kind"]
    assert found[0] == plain[0]
    of_kind = [match for match in found if match["likeness"] == "kind"]
    assert of_kind[0]["image_id"] in names[:3] and of_kind[0]["score"] > 0.9
    assert {match["image_id"] for match in found[:5]} >= set(names[:3])
    ids = [match["image_id"] for match in found]
    assert len(ids) == len(set(ids)) == 8
    sure = {match["image_id"]: match["probability"] for match in plain}
    assert all(match["probability"] == sure[match["image_id"]] for match in of_kind)


@pytest.mark.parametrize(("hopeless", "first"), [(0.0, "tktk"), (1.0, "tkkk")])
def test_of_the_kind_come_more_where_there_is_no_hope(
    filled: tuple[World, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    hopeless: float,
    first: str,
) -> None:
    monkeypatch.setattr(worker.searching.kinds, "HOPELESS", hopeless)
    found = matches(filled[0].search(tinted(99, GREEN)))
    assert "".join(str(kind)[0] for kind in kinds(found))[:4] == first


def test_the_kind_alone_decides_where_the_request_says_so(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    found = matches(world.search(tinted(6, GREEN), same_kind=1.0))
    assert set(kinds(found)) == {"kind"}
    assert {match["image_id"] for match in found[:5]} == set(names[3:])
    assert all(match["score"] > 0.9 for match in found[:5])
    assert all(match["score"] < 0.5 for match in found[5:])
    best = max(found, key=lambda match: match["probability"])
    assert best["image_id"] == names[6] and best["probability"] > 0.5


def test_thing_and_kind_are_weighed(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    query = tinted(6, GREEN)
    whole = {"limit": 8, "hits_per_image": 1}
    things, both, alike = (
        {
            match["image_id"]: match["score"]
            for match in matches(world.search(query, **more, **whole))
        }
        for more in ({"same_kind": 0.0}, {"same_kind": 0.5}, {"same_kind": 1.0})
    )
    assert both[names[6]] == pytest.approx(1, abs=1e-3)
    # An image's best region for both is the best for neither: its score is at most the mean.
    assert all(both[n] <= (things[n] + alike[n]) / 2 + 1e-4 for n in names)
    assert min(both[n] for n in names[3:]) > max(both[n] for n in names[:3])


def large(image: Image.Image) -> Image.Image:
    """Return the image so large that its kind helps to find it."""
    return image.resize((320, 240), Image.Resampling.BICUBIC)


def test_the_kind_helps_where_the_thing_itself_is_searched_for(
    filled: tuple[World, list[str]],
) -> None:
    world, names = filled
    query = large(tinted(6, GREEN))
    plain, helped = (
        {match["image_id"]: match["score"] for match in matches(world.search(query, **more))}
        for more in ({"same_kind": 0.0}, {})
    )
    assert helped[names[6]] == pytest.approx(plain[names[6]], abs=0.01)
    more = {name: helped[name] - plain[name] for name in names}
    assert min(more[name] for name in names[3:] if name != names[6]) > 0.05
    assert max(more[name] for name in names[:3]) < 0.05


def test_the_kind_of_a_small_query_does_not_count(filled: tuple[World, list[str]]) -> None:
    world, _ = filled
    nearest = world.searching.finder.nearest

    def weight(*sides: int, **more: float) -> float:
        options = SearchOptions.of(world.search(noise(1), **more), world.searching.settings)
        return nearest.kind_weight(Thing(tuple(noise(1, (s, s)) for s in sides)), options)

    assert weight(180) == weight(400, 180) == KIND_WEIGHT
    assert weight(179) == weight(400, 179) == weight() == 0
    assert weight(400, same_kind=0.0) == weight(400, same_kind=0.7) == 0


def test_every_stage_of_a_search_weighs_the_kind_alike(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    weights = []

    class Noting(Nearest):
        def compared(self, thing: Thing, same_kind: float) -> Embeddings:
            weights.append(same_kind)
            return super().compared(thing, same_kind)

    stages = world.searching
    noting = Noting(**vars(stages.finder.nearest))
    world = world.searching_with(
        finder=replace(stages.finder, nearest=noting),
        prover=replace(stages.prover, nearest=noting),
        refiner=replace(stages.refiner, nearest=noting),
    )
    small = {"image_id": names[1], "box": [0, 0, 40, 40]}
    world.search(large(tinted(99, RED)), zoom=4, negatives=[small])
    assert len(weights) == 3 and set(weights) == {KIND_WEIGHT}


def test_what_a_negative_took_away_does_not_come_back_as_its_kind(
    filled: tuple[World, list[str]],
) -> None:
    world, names = filled
    stranger = tinted(99, RED)
    tiles = [[x, y, x + 60, y + 60] for x in (0, 50, 100) for y in (0, 60)]
    unlike = [{"image_id": names[1], "box": box} for box in (None, *tiles)]
    before, after = (
        {match["image_id"] for match in matches(world.search(stranger, **more))}
        for more in ({"same_kind": 0.0, "negatives": unlike}, {"negatives": unlike})
    )
    assert names[1] not in before | after
    assert names[0] in after


def test_a_query_is_compared_as_a_thing_as_a_kind_or_as_both() -> None:
    encoder = KindsEncoder()
    query = encoder.encode_images([tinted(1, GREEN)])
    own, other = encoder.encode_images([tinted(1, GREEN), tinted(2, GREEN)])
    scores = {
        weight: query_vectors(query, encoder.kind_dim, weight)[0] @ np.stack([own, other], 1)
        for weight in (0.0, 0.3, 1.0)
    }
    assert [own_score for own_score, _ in scores.values()] == pytest.approx([1, 1, 1], abs=1e-5)
    assert scores[0.0][1] < 0.9 < scores[1.0][1]
    assert scores[0.3] == pytest.approx(0.7 * scores[0.0] + 0.3 * scores[1.0], abs=1e-5)
    assert query_vectors(query, 0, 0.5) is query
