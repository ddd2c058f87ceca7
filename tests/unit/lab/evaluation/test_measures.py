"""What is measured of encoders, packs and detectors on photos with boxes."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from common.settings import Settings
from lab.evaluation import categories, detector, pack, speed
from lab.evaluation.encoders import labelled_regions, measure
from lab.evaluation.perturb import PERTURBATIONS
from lab.evaluation.photos import LabelledBox, Photo
from lab.evaluation.questions import (
    BANDS,
    EVERY_SIZE,
    Questions,
    choose_boxes,
)
from lab.evaluation.references import (
    ColourEncoder,
    PixelEncoder,
)
from lab.evaluation.seeing import Coverage, TimedSeer
from tests.assets import CROP_DETECTOR, MINI
from tests.fakes import DensePixelEncoder, FixedDetector, KindsEncoder
from tests.fakes import PixelEncoder as FakeEncoder
from tests.unit.lab.evaluation.helpers import patches
from worker.indexing.regions import Tiling, propose
from worker.indexing.seeing import seer_of
from worker.models.base import Detection
from worker.models.packs import LoadedPack


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    """Four photos of one large, one small and one tiny thing."""
    boxes = (
        LabelledBox((5, 5, 55, 55), "cat"),
        LabelledBox((60, 40, 85, 65), "dog"),
        LabelledBox((80, 0, 85, 5), "fly"),
    )
    found = []
    for seed in range(4):
        path = tmp_path / f"{seed}.png"
        patches(seed).save(path)
        found.append(Photo(path, "made", 90, 70, boxes))
    return found


def test_boxes_are_chosen_by_size_and_do_not_depend_on_the_other_photos(
    photos: list[Photo],
) -> None:
    every = choose_boxes(photos, bands=EVERY_SIZE, most=1, least_px=24)
    assert [q.photo for q in every] == [0, 1, 2, 3]
    assert {q.box.label for q in every} <= {"cat", "dog"}
    assert every[1].box == choose_boxes(photos[1:], bands=EVERY_SIZE, most=1, least_px=24)[0].box
    by_size = choose_boxes(photos[:1], bands=BANDS, most=2, least_px=0)
    assert [q.box.label for q in by_size] == ["cat", "dog", "fly"]


def test_labels_grids_and_the_whole_are_the_regions(photos: list[Photo]) -> None:
    regions = list(labelled_regions(photos[0]))
    assert regions[:3] == [(0, 0, 90, 70), (5, 5, 55, 55), (60, 40, 85, 65)]
    assert len(regions) == 3 + 4 + 9 + 16
    assert regions[-1] == pytest.approx((67.5, 52.5, 90, 70))


def test_every_exact_crop_is_found_by_every_encoder(photos: list[Photo]) -> None:
    questions = Questions(choose_boxes(photos, bands=EVERY_SIZE, most=2, least_px=24), ())
    encoders = {"pixels": PixelEncoder(), "colours": ColourEncoder()}
    measured = measure(photos, questions, encoders, Console(quiet=True))
    exact = [row for row in measured.rows if row.what == "exact"]
    assert [row.encoder for row in exact] == ["pixels", "colours"]
    for row in exact:
        assert row.figures["recall@1"].value == 1
        assert row.figures["top hit IoU"].value == pytest.approx(1)
    assert {row.what for row in measured.rows if row.table == "perturbed crops"} == set(
        PERTURBATIONS
    )
    kinds = [row for row in measured.rows if row.table == "same kind"]
    assert {len(row.outcomes) for row in kinds} == {8}


def test_a_pack_is_measured_on_the_regions_that_the_settings_make(photos: list[Photo]) -> None:
    questions = Questions(choose_boxes(photos, bands=BANDS, most=1, least_px=12), ())
    settings = Settings(tile_scales="1,2", tile_min_px=16, batch_size=3)
    own = FakeEncoder()
    seer = TimedSeer(seer_of(own, None, settings), settings)
    encoders = {"pixels": own, "colours": ColourEncoder()}
    measured = pack.measure(photos, questions, seer, "pixels", encoders, Console(quiet=True))
    # The whole, two tiles of 70 px and four by three of 35 px, half over each other.
    assert measured.regions == [1 + 2 + 15] * 4
    assert set(measured.encoding_s) == {"colours"} and measured.seeing_s > 0
    rows = [row for row in measured.rows if row.encoder == "pixels"]
    exact = {row.band: row for row in rows if row.what == "exact"}
    assert len(exact[">= 4 %"].outcomes) == 8
    assert exact["> 16 %"].figures["recall@1"].value == 1


def test_a_detector_is_judged_with_and_without_its_labels(photos: list[Photo]) -> None:
    def found(label: str) -> list[list[Detection]]:
        return [[Detection(4, 4, 55, 55, label, 0.9), Detection(60, 40, 85, 65, "dog", 0.5)]] * 4

    right, wrong = (detector.figures(photos, found(label))["made"] for label in ("Cat", "cow"))
    name = "recall of the best 10, IoU 0.5"
    assert right[name] == wrong[name] == pytest.approx(2 / 3)
    assert (right["mAP, IoU 0.5"], wrong["mAP, IoU 0.5"]) == pytest.approx((2 / 3, 1 / 3))


def test_a_network_and_a_yolov5_are_both_detectors(photos: list[Photo]) -> None:
    for path in (MINI, CROP_DETECTOR):
        found = detector.load(path, Settings(device="cpu", threads=1))
        image = Image.open(photos[0].path).convert("RGB")
        assert len(found.detect([image], confidence_threshold=0.5)) == 1
    assert found.id.startswith("yolov5:")


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_photos_of_one_category_are_to_find_each_other(tmp_path: Path, form: str) -> None:
    colours = {"BACKGROUND_Google": "red", "sky": "navy", "grass": "green", "lonely": "grey"}
    for category, colour in colours.items():
        (tmp_path / "photos" / category).mkdir(parents=True)
        for number in range(1 if category == "lonely" else 5):
            image = Image.blend(patches(number), Image.new("RGB", (90, 70), colour), 0.7)
            image.save(tmp_path / "photos" / category / f"{number}.png")
    source = tmp_path / "photos"
    if form == "archive":
        source = tmp_path / "photos.tar"
        with tarfile.open(source, "w") as tar:
            tar.add(tmp_path / "photos", arcname=".")
    drawn = list(categories.drawn(source, 3))
    assert [photo.category for photo in drawn] == ["grass"] * 3 + ["sky"] * 3
    again = list(categories.drawn(source, 3))
    assert [p.image.tobytes() for p in drawn] == [p.image.tobytes() for p in again]
    rows = categories.measure(drawn, {"k": KindsEncoder()}, Console(quiet=True))
    assert [row.encoder for row in rows] == ["k", "k, kinds"]
    assert rows[1].figures["mean average precision"].value == 1
    assert rows[1].figures["recall@1"].value == 1
    with pytest.raises(FileNotFoundError):
        list(categories.drawn(tmp_path / "nowhere", 3))


def test_a_dense_pack_is_timed_by_what_it_sees_and_crops_by_what_they_cost(
    photos: list[Photo],
) -> None:
    dense, found = DensePixelEncoder(), FixedDetector()
    settings = Settings(profile="fast")
    loaded = LoadedPack("dense", None, dense, "cpu", "float32")
    crops = LoadedPack("crops", found, FakeEncoder(), "cpu", "float32")
    sides = {
        speed.AGAINST: speed.side_of(crops, settings),
        "dense": speed.side_of(loaded, settings),
    }
    assert [type(side).__name__ for side in sides.values()] == ["CropSide", "DenseSide"]
    seer = TimedSeer(seer_of(dense, None, settings), settings)
    paths = [photo.path for photo in photos]
    spent, regions = speed.measure(paths, seer, sides, Console(quiet=True))
    assert {name: times.shape for name, times in spent.items()} == dict.fromkeys(sides, (4, 2))
    assert regions >= 1 and (spent["dense"] > 0).all()
    speed.show(spent, regions, "dense", Console(quiet=True))


def test_coverage_tells_which_sizes_are_met(photos: list[Photo]) -> None:
    coverage = Coverage()
    for photo in photos:
        coverage.add(photo, propose(90, 70, [], Tiling((1, 2), 0.0, 16)))
    met = coverage.recall(BANDS)["made"]
    assert (met["> 16 %"].value, met["> 16 %"].of) == (1.0, 4)
    assert met["< 0.25 %"].of == 0
    assert met["0.25-1 %"].value == 0.0
