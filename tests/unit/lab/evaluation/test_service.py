"""Asking the service, judging it, the pipelines beside it, and the steps of a search."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from common.settings import Settings
from lab.evaluation.pack import environment
from lab.evaluation.perturb import reworked
from lab.evaluation.references import PixelEncoder
from lab.evaluation.retrieval import Truth
from lab.evaluation.service.ask import LIMIT, Asker, judged, outcomes
from lab.evaluation.service.asking import finder, truths
from lab.evaluation.service.index import Spent, collection_name, remembered
from lab.evaluation.service.large import plan_large
from lab.evaluation.service.pipelines import GRID, ONE, PLAIN, pipelines
from lab.evaluation.service.plan import FOLDS, make_plan
from lab.evaluation.service.usage import cpu_s, disk_bytes
from needle import Needle
from needle.results import SearchResult
from tests.fakes import DensePixelEncoder
from tests.fakes import PixelEncoder as FakeEncoder
from tests.unit.lab.evaluation.helpers import collection, photos, result
from worker.indexing.profiles import PROFILES
from worker.models.base import Detection
from worker.models.packs import LoadedPack

CORNERS = (0.0, 0.0, 100.0, 100.0)


def test_the_place_of_the_first_right_photo_and_its_first_box_are_judged() -> None:
    found = judged(result("a", "b", "c"), {"b", "c"}, CORNERS)
    assert (found.rank, found.right, found.iou_top) == (2, False, 0.0)
    assert found.iou_right == pytest.approx(90 / 110)
    first = judged(result("b"), {"b"}, CORNERS)
    assert (first.rank, first.iou_top, first.iou_right) == (1, 1.0, 1.0)


def test_what_is_not_among_the_matches_is_not_found() -> None:
    for matches in (("a",), ()):
        found = judged(result(*matches), {"b"}, CORNERS)
        assert (found.rank, found.iou_right, found.iou_top) == (LIMIT + 1, 0.0, 0.0)


def test_without_a_box_there_is_no_overlap() -> None:
    found = outcomes([judged(result("a"), {"a"}, None)])
    assert np.isnan(found.iou_top[0])
    assert np.isnan(found.iou_right[0])
    assert found.recall(1).tolist() == [True]


def test_the_services_own_doubt_is_read_where_it_gives_one() -> None:
    old = judged(result("a", "b"), {"a"}, None)
    assert (old.probability, old.found) == (None, None)
    assert old.confidence == pytest.approx(0.9)
    new = judged(result("a", found=True, probability=0.7), {"a"}, None)
    assert (new.probability, new.found, new.confidence) == (0.7, True, 0.7)


def test_proof_raises_the_confidence_where_there_is_no_probability() -> None:
    found = result("a")
    raw = {**found.raw["matches"][0], "verified": True}
    raw["hits"] = [{**raw["hits"][0], "verified": True, "evidence": 6.0, "source": "local"}]
    from needle.jobs import Job

    proven = SearchResult.from_job(Job("j", "search", "succeeded", result={"matches": [raw]}))
    answer = judged(proven, {"a"}, None)
    assert (answer.verified, answer.source) == (True, "local")
    assert answer.confidence == pytest.approx(0.9 + 6 / 12)


class Recorder:
    """A service that finds nothing and keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def search(self, picture: bytes, **options: Any) -> SearchResult:
        self.asked.append(options)
        return result()


def test_a_question_about_nothing_leaves_out_the_parts_that_hold_its_photos() -> None:
    plan = make_plan(photos(3), (), None)
    service = Recorder()
    asker = Asker(cast(Needle, service), collection(plan), budget_ms=700)
    question = next(q for q in plan.questions if q.right == frozenset({2}))
    asker.ask(question, b"")
    asker.ask_without(question, b"")
    asker.ask_index(question, b"")
    first, without, index = service.asked
    assert "filter" not in first
    assert without["filter"] == {"fold": [n for n in range(FOLDS) if n != 2]}
    assert first["verify_budget_ms"] == without["verify_budget_ms"] == 700
    assert (index["verify"], index["zoom"]) == (False, 0)


def test_a_photo_that_is_there_twice_is_right_twice() -> None:
    plan = make_plan(photos(3), (), None)
    own = collection(plan)
    twins = type(own)(**{**vars(own), "ids": ("same", "other", "same")})
    found = truths(plan.questions, twins)
    assert {truth.right for truth in found} == {frozenset({0, 2}), frozenset({1})}


def test_a_collection_is_named_by_its_photos_in_any_order() -> None:
    assert collection_name(["a", "b"], [1, 2]) == collection_name(["b", "a"], [2, 1])
    assert collection_name(["a", "b"], [1, 2]) != collection_name(["a", "b"], [2, 1])


def test_what_indexing_took_is_remembered_from_when_all_was_new(tmp_path: Path) -> None:
    path = tmp_path / "spent.json"
    assert math.isnan(remembered(path, Spent(3, 1.0, 0.1), all_new=False).cpu_s)
    assert remembered(path, Spent(3, 9.0, 8.0), all_new=True) == Spent(3, 9.0, 8.0)
    assert remembered(path, Spent(3, 1.0, 0.1), all_new=False) == Spent(3, 9.0, 8.0)


def test_processor_time_and_disk_space_are_counted(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("photo", "below/photo", "other"):
        (tmp_path / name).write_bytes(os.urandom(5000))
    assert disk_bytes(tmp_path, "photo") >= 10_000
    assert disk_bytes(tmp_path) > disk_bytes(tmp_path, "photo")
    assert disk_bytes(tmp_path / "nowhere") == 0
    assert cpu_s({os.getpgrp()}) > 0


def test_a_detectors_file_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.pt").touch()
    assert environment("mini", "own.pt", "fast")["NEEDLE_DETECTOR"] == str(tmp_path / "own.pt")
    assert environment("mini", "n")["NEEDLE_DETECTOR"] == "n"


class OneThing:
    """A detector that boxes the left half of a photo that is not black."""

    id, side_px = "one", 64

    def detect(
        self, images: Sequence[Image.Image], *, confidence_threshold: float
    ) -> list[list[Detection]]:
        return [
            [Detection(0.0, 0.0, i.width / 2, float(i.height), "thing", 0.9)] if i.getbbox() else []
            for i in images
        ]


def noise(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (60, 60, 3), np.uint8)
    return Image.fromarray(pixels)


def test_the_pipelines_find_what_their_regions_hold() -> None:
    beside = pipelines(PixelEncoder(), OneThing(), 0.05)
    pictures = [noise(0), Image.new("RGB", (60, 60)), noise(1)]
    for pipeline in beside.values():
        for picture in pictures:
            pipeline.add(picture)
    assert {way: pipeline.cost().regions for way, pipeline in beside.items()} == {
        PLAIN: 2,
        ONE: 3,
        GRID: 27,
    }
    left = pictures[2].crop((0, 0, 30, 60))
    asked = PixelEncoder().encode_images([left, left])
    truth = [Truth(frozenset({n}), box=(0.0, 0.0, 30.0, 60.0)) for n in (2, 1)]
    found = beside[PLAIN].look_up(asked, truth)
    assert (found.rank[0], found.iou_top[0]) == (1, 1.0)
    assert found.rank[1] > 2, "a photo in which nothing is detected is never found"
    assert found.iou_top[1] == 0.0


def test_a_dense_pack_finds_things_in_its_maps_and_embeds_crops() -> None:
    thing = Detection(0.0, 0.0, 30.0, 60.0, "thing", 0.9)
    encoder = DensePixelEncoder([thing])
    loaded = LoadedPack("dense", None, encoder, "cpu", "float32")
    found = finder(loaded, Settings(profile="fast"))
    assert found is not None
    plain = pipelines(encoder, found, 0.05)[PLAIN]
    plain.add(noise(0))
    assert encoder.seen == [((60, 60), PROFILES["fast"].pixels)]
    left = PixelEncoder().encode_images([noise(0)])  # of no use but for its shape
    assert plain.gallery().embeddings.shape == left.shape
    assert plain.gallery().boxes.tolist() == [[0, 0, 30, 60]]
    assert finder(replace(loaded, detector=OneThing()), Settings()) is not None
    assert finder(LoadedPack("c", None, FakeEncoder(), "cpu", "float32"), Settings()) is None


def test_windows_of_large_photos_are_chosen_evenly_of_all_sides(tmp_path: Path) -> None:
    boxes = [
        {"box": [0, 0, side, side], "label": "w", "instance": None, "side": side}
        for side in (80, 80, 110, 110, 900, 900)
    ]
    facts = {"file": "a.jpg", "set": "large", "width": 1000, "height": 1000, "boxes": boxes}
    (tmp_path / "photos.jsonl").write_text(json.dumps(facts))
    assert plan_large(tmp_path, None).searches == 12
    few = plan_large(tmp_path, 3)
    assert [window.box.side_px for window in few.windows] == [80, 110, 900]
    with pytest.raises(FileNotFoundError):
        plan_large(tmp_path / "nowhere", None)


def test_a_reworked_crop_is_smaller_and_mirrored() -> None:
    growing = np.tile(np.arange(40, 160, dtype=np.uint8), (60, 1))  # dark left, bright right
    made = reworked(Image.fromarray(growing).convert("RGB"), (10.0, 10.0, 50.0, 40.0))
    assert made.size == (32, 24)
    means = np.asarray(made, float).mean((0, 2))
    assert means[0] > means[-1] and means.mean() > growing[:, 10:50].mean() * 1.1


def test_without_a_detector_there_is_no_plain_pipeline() -> None:
    assert set(pipelines(PixelEncoder(), None, 0.05)) == {ONE, GRID}
