"""Searching: the right image, the right box, and faults in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image

from common.errors import BrokerUnavailable
from common.jobs import Job, Status
from tests.fakes import PixelEncoder
from tests.worker.conftest import World, noise, png, sources
from worker.models.base import Detection, Embeddings
from worker.tasks import run_search

CAT = Detection(16, 12, 80, 60, "cat", 0.9)


@pytest.fixture
def filled(world: World) -> tuple[World, list[str]]:
    """Return a worker with six images indexed, and their ids."""
    world = world.with_detections(CAT)
    names: list[str] = []
    for n in range(6):
        names += world.post(
            png(noise(n)), job_id=f"job{n}", metadata={"year": 2000 + n, "even": n % 2 == 0}
        )
        world.index(f"job{n}")
    return world, names


def matches(job: Job) -> list[dict[str, Any]]:
    assert job.status is Status.SUCCEEDED, job.error
    found: list[dict[str, Any]] = job.result["matches"]
    return found


def test_a_crop_finds_its_image_with_its_box(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    found = matches(world.search(noise(3).crop((16, 12, 80, 60))))
    assert found[0]["image_id"] == names[3]
    assert found[0]["score"] == pytest.approx(1, abs=1e-4)
    assert found[0]["distance"] == pytest.approx(0, abs=1e-4)
    assert found[0]["hits"][0]["box"] == [16, 12, 80, 60]
    assert found[0]["hits"][0]["label"] == "cat"
    assert [m["score"] for m in found] == sorted((m["score"] for m in found), reverse=True)


def test_a_box_of_the_query_and_a_box_of_an_indexed_image_do_the_same(
    filled: tuple[World, list[str]],
) -> None:
    world, names = filled
    uploaded = matches(world.search(noise(2), box=[16, 12, 80, 60]))
    indexed = matches(world.search(image_id=names[2], box=[16, 12, 80, 60]))
    assert uploaded == indexed
    assert uploaded[0]["image_id"] == names[2]


def test_limits_scores_and_filters_hold(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    found = matches(world.search(noise(1), limit=2, hits_per_image=1))
    assert [len(match["hits"]) for match in found] == [1, 1]
    assert len(matches(world.search(noise(1), min_score=0.99))) == 1
    where = {"year": {"gte": 2002}, "even": True}
    found = matches(world.search(noise(1), filter=where))
    assert {match["image_id"] for match in found} == {names[2], names[4]}


def test_a_result_tells_what_was_searched_and_how_long_each_step_took(
    filled: tuple[World, list[str]],
) -> None:
    world, _ = filled
    result = world.search(noise(1)).result
    assert result["index"] == {"images": 6, "regions": 6 * 8}
    assert set(result["timings_ms"]) == {
        "queued", "load", "encode", "describe", "search", "verify", "zoom", "total",
    }  # fmt: skip


def test_an_image_without_detections_is_found(world: World) -> None:
    (name,) = world.post(png(noise(1)))
    world.index()
    found = matches(world.search(noise(1).crop((0, 0, 60, 60))))
    assert found[0]["image_id"] == name
    assert sources(found[0]["hits"])[0] == "tile"


def test_an_image_deleted_from_the_list_is_no_match(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    world.base.catalogue.remove("default", names[3])
    assert names[3] not in [m["image_id"] for m in matches(world.search(noise(3)))]
    # Another takes its place, even where it alone was asked for.
    assert len(matches(world.search(noise(3), limit=1))) == 1
    world.writer.discard("default", names[3])
    assert world.regions(names[3]) == []


def test_an_image_posted_again_before_its_removal_stays(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    world.base.catalogue.remove("default", names[3])
    world.post(png(noise(3)), job_id="again")
    world.writer.discard("default", names[3])
    world.index("again")
    assert world.statuses("again") == ["indexed"]
    assert matches(world.search(noise(3)))[0]["image_id"] == names[3]


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ({"text": "a cat"}, "text_not_supported"),
        ({"image_id": "nothing"}, "not_found"),
        ({"files": 1}, "not_found"),
        ({"url": "http://127.0.0.1/"}, "invalid_url"),
    ],
)
def test_a_search_that_cannot_be_done_says_why(
    world: World, details: dict[str, Any], code: str
) -> None:
    job = world.search(**details)
    assert job.status is Status.FAILED
    assert job.error is not None
    assert (job.error["code"], bool(job.error["message"])) == (code, True)


class Away(PixelEncoder):
    """An encoder in a process whose Redis has just gone."""

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Raise."""
        raise BrokerUnavailable("away")


def test_a_search_whose_redis_goes_away_keeps_its_query_for_the_next_attempt(
    filled: tuple[World, list[str]],
) -> None:
    world, names = filled
    broken = world.searching_by(Away())
    with pytest.raises(BrokerUnavailable):
        broken.search(noise(3), job_id="again")
    run_search(world.base, world.searching, "again")
    assert matches(world.base.jobs.get("again"))[0]["image_id"] == names[3]


def test_an_empty_collection_has_no_matches(world: World) -> None:
    assert matches(world.search(noise(1))) == []
