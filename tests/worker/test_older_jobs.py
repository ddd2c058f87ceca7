"""Jobs that were recorded before an upgrade: they run, or fail with a code and a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from common.images import query_key
from common.jobs import Item, Job, Kind, Status
from tests.unit.test_orders import FORM_1_INDEX, FORM_1_SEARCH
from tests.worker.conftest import World, noise, png
from worker.tasks import run_search

PLAIN = {"box": None, "examples": [], "negatives": [], "filter": [], "negative_files": 0}


def _run(world: World, details: dict[str, Any]) -> Job:
    world.base.images.put(query_key("old"), png(noise(1).crop((0, 0, 60, 60))))
    world.base.jobs.create("old", Kind.SEARCH, [Item(0, "query")], details)
    run_search(world.base, world.searching, "old")
    return world.base.jobs.get("old")


def test_a_search_runs(world: World) -> None:
    names = world.post(png(noise(1)), png(noise(2)), metadata={"year": 2020})
    world.index()
    where = [{"key": "year", "values": [], "bounds": [["gte", 2000.0]]}]
    details = {**FORM_1_SEARCH, **PLAIN, "files": 1, "aggregate": "max", "filter": where}
    found = _run(world, details)
    assert found.status is Status.SUCCEEDED
    assert found.result["matches"][0]["image_id"] == names[0]


def test_an_index_runs(world: World) -> None:
    world.post(png(noise(1)), job_id="new")
    items = world.base.jobs.items("new", offset=0, limit=9)
    details = {**FORM_1_INDEX, "collection": "default", "metadata": None}
    world.base.jobs.create("old", Kind.INDEX, items, details)
    assert world.index("old").status is Status.SUCCEEDED


@pytest.mark.parametrize("details", [{"form": 3}, {"filter": [7]}, {"limit": "many"}])
def test_one_that_cannot_be_read_fails_with_a_sentence(
    world: World, details: dict[str, Any]
) -> None:
    failed = _run(world, details)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert failed.error["code"] == "incompatible_job"
    assert str(failed.error["message"]).startswith("The search job old was recorded by another")


def test_an_index_that_cannot_be_read_fails_as_well(world: World) -> None:
    world.post(png(noise(1)), job_id="new")
    items = world.base.jobs.items("new", offset=0, limit=9)
    world.base.jobs.create("old", Kind.INDEX, items, {"form": 3})
    failed = world.index("old")
    assert (failed.status, failed.error["code"]) == (Status.FAILED, "incompatible_job")  # type: ignore[index]
