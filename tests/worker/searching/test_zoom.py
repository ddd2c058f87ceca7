"""The closer look: boxes fit better, scores only rise, and time and damage are bounded."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from common.geometry import Box
from common.images import image_key
from tests.worker.conftest import World, noise, png
from tests.worker.searching.test_search import matches
from worker.searching import comparing, refining
from worker.searching.comparing import View

BETWEEN = (47, 21, 113, 77)
"""A box that no tile fits: (x1, y1, x2, y2) in pixels."""


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches take long: what else this machine does decides nothing here."""
    monkeypatch.setattr(refining, "IN_ALL_S", 60.0)


@pytest.fixture
def filled(world: World) -> tuple[World, list[str]]:
    """Return a worker with four images indexed, and their ids."""
    names = world.post(*[png(noise(n)) for n in range(4)])
    world.index()
    return world, names


def test_the_box_is_fitted_and_the_score_rises(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    query = noise(2).crop(BETWEEN)
    plain = matches(world.search(query, zoom=0))
    fitted = matches(world.search(query, zoom=4))
    assert fitted[0]["image_id"] == names[2]
    assert fitted[0]["hits"][0]["source"] == "zoom"
    before = {match["image_id"]: match for match in plain}[names[2]]
    assert fitted[0]["score"] > before["score"] + 0.1
    iou = Box(*fitted[0]["hits"][0]["box"]).iou(Box(*BETWEEN))
    assert iou > max(0.7, Box(*before["hits"][0]["box"]).iou(Box(*BETWEEN)))


def test_no_score_falls_and_no_image_is_lost(filled: tuple[World, list[str]]) -> None:
    world, _ = filled
    query = noise(9).crop(BETWEEN)
    plain = {m["image_id"]: m["score"] for m in matches(world.search(query, zoom=0))}
    fitted = {m["image_id"]: m["score"] for m in matches(world.search(query, zoom=2))}
    assert set(fitted) == set(plain)
    assert all(fitted[name] >= plain[name] for name in plain)


def test_an_image_that_only_the_closer_look_brings_to_the_front_is_found_with_limit_one(
    filled: tuple[World, list[str]],
) -> None:
    world, _ = filled
    query = noise(2).crop(BETWEEN)
    many = matches(world.search(query, zoom=4))
    one = matches(world.search(query, zoom=4, limit=1, hits_per_image=1))
    assert len(one) == 1 and len(one[0]["hits"]) == 1
    assert (one[0]["image_id"], one[0]["hits"][0]) == (many[0]["image_id"], many[0]["hits"][0])


def test_an_exact_hit_keeps_its_indexed_box(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    found = matches(world.search(noise(1).crop((0, 0, 60, 60)), zoom=4))[0]
    assert (found["image_id"], found["hits"][0]["source"]) == (names[1], "tile")
    assert found["hits"][0]["box"] == [0, 0, 60, 60]


def test_a_query_on_the_edge_of_an_image_stays_inside_it(filled: tuple[World, list[str]]) -> None:
    world, _ = filled
    for corner in [(0, 0, 31, 45), (121, 80, 160, 120)]:
        for match in matches(world.search(noise(3).crop(corner), zoom=4)):
            for hit in match["hits"]:
                assert Box(*hit["box"]).inside(160, 120)


def test_without_time_the_indexed_boxes_stand(filled: tuple[World, list[str]]) -> None:
    world, _ = filled
    hurried = world.searching_with(refiner=replace(world.searching.refiner, budget_s=0.0))
    query = noise(2).crop(BETWEEN)
    plain = world.search(query, zoom=0)
    cut_short = hurried.search(query, zoom=4)
    assert matches(cut_short) == matches(plain)
    assert plain.result["verification"]["complete"]
    assert not cut_short.result["verification"]["complete"]


def test_a_look_that_left_nothing_out_is_complete_however_late_it_ended(
    filled: tuple[World, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = filled
    compare = comparing._compare
    beyond = SimpleNamespace(monotonic=lambda: float("inf"))

    def late(view: View, *given: Any) -> None:
        compare(view, *given)
        monkeypatch.setattr(refining, "time", beyond)

    monkeypatch.setattr(comparing, "_compare", late)
    found = world.search(noise(2).crop((0, 0, 60, 60)), zoom=4)
    assert found.result["verification"]["complete"]


def test_a_patient_search_takes_the_time_that_it_needs(filled: tuple[World, list[str]]) -> None:
    world, _ = filled
    hurried = world.searching_with(refiner=replace(world.searching.refiner, budget_s=0.0))
    query = noise(2).crop(BETWEEN)
    patient = hurried.search(query, zoom=4, patient=True)
    assert patient.result["verification"]["complete"]
    assert matches(patient) == matches(world.search(query, zoom=4))


def test_an_image_that_cannot_be_read_keeps_its_place(filled: tuple[World, list[str]]) -> None:
    world, names = filled
    world.base.images.delete(image_key("default", names[2]))
    found = matches(world.search(noise(2).crop(BETWEEN), zoom=4))
    assert names[2] in [match["image_id"] for match in found]


@pytest.mark.parametrize("aggregate", ["mean", "sum", "min"])
def test_other_aggregates_rank_what_is_indexed(
    filled: tuple[World, list[str]], aggregate: str
) -> None:
    world, _ = filled
    found = matches(world.search(noise(2).crop(BETWEEN), zoom=4, aggregate=aggregate))
    assert {hit["source"] for match in found for hit in match["hits"]} <= {"tile", "whole"}
