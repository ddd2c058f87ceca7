"""Banks: they hold what heads will be given, are made shard by shard, and go on where they were."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import InvalidModel
from lab.training.backbone import load_backbone
from lab.training.banks.canvases import MOST_LABELS, within
from lab.training.banks.engine import DEEP_SHAPE, FINE_SHAPE, Reader
from lab.training.banks.regions import RegionRecipe, chosen
from lab.training.banks.shards import Arrays, Bank, make_bank
from lab.training.making import Making
from lab.training.pictures.photos import find_photos
from lab.training.teachers.boxes import BoxTeacher, labels
from tests.unit.lab.training.conftest import noise
from worker.models.base import Detection


class Counting:
    """Makes shards of three rows of their own number, and remembers which."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, number: int) -> Arrays:
        self.made.append(number)
        return {"number": np.full(3, number), "row": np.arange(3) + 10 * number}


def test_shards_are_read_as_one(tmp_path: Path) -> None:
    bank = make_bank(tmp_path, {"seed": 1}, 3, Counting())
    assert len(bank) == 9
    assert bank.whole("row").tolist() == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert bank.rows("row", [8, 0, 4, 3]).tolist() == [22, 0, 11, 10]


def test_only_what_is_missing_is_made(tmp_path: Path) -> None:
    make_bank(tmp_path, {"seed": 1}, 3, Counting())
    shutil.rmtree(tmp_path / "00001")
    (tmp_path / "00001.part").mkdir()
    again = Counting()
    assert len(make_bank(tmp_path, {"seed": 1}, 4, again)) == 12
    assert again.made == [1, 3]


def test_a_folder_is_not_shared_by_two_banks(tmp_path: Path) -> None:
    make_bank(tmp_path, {"seed": 1}, 1, Counting())
    with pytest.raises(ValueError, match="a bank of another recipe"):
        make_bank(tmp_path, {"seed": 2}, 1, Counting())


def test_the_backbone_is_folded_and_runs_in_onnx_as_in_torch(
    backbone_file: Path, made: Making
) -> None:
    published = torch.load(backbone_file, weights_only=True)
    backbone = load_backbone(backbone_file)
    pixels = np.array(noise(3, 64, 96))
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    padded = torch.nn.functional.pad((image - 127) / 128, (0, 1, 0, 1))
    stem = torch.nn.functional.conv2d(padded, published["_conv_stem.weight"], stride=2)
    parts = ("running_mean", "running_var", "weight", "bias")
    norm = [published[f"_bn0.{part}"] for part in parts]
    expected = torch.nn.functional.batch_norm(stem, *norm, eps=1e-3)
    assert torch.allclose(backbone.stem((image - 127) / 128), expected, atol=1e-4)
    engine = Reader(made.work / "backbone").engine
    for ours, torchs in zip(engine.fine(pixels), backbone.fine(image), strict=True):
        assert np.allclose(ours, torchs[0].numpy(), atol=1e-3)


def test_what_is_no_backbone_is_refused(tmp_path: Path) -> None:
    torch.save({"some": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InvalidModel, match="is no EfficientNet-Lite0"):
        load_backbone(tmp_path / "other.pth")


def test_the_bank_of_regions_holds_both_sides(made: Making) -> None:
    bank = made.regions
    count = len(bank)
    assert 6 <= count <= 12
    assert bank.whole("index_fine").shape == (count, *FINE_SHAPE)
    assert bank.whole("index_deep").shape == (count, *DEEP_SHAPE)
    assert bank.whole("query_kind").shape == (count, 2, 320)
    assert len(np.unique(bank.whole("photo"))) == 6
    assert (bank.whole("side_px") > 0).all()
    for name in ("index_fine", "query_fine", "index_kind", "query_deep"):
        values = bank.whole(name).astype(np.float32)
        assert np.isfinite(values).all() and values.std() > 0


def test_a_shard_depends_on_the_seed_and_its_number_alone(made: Making) -> None:
    before = {name: made.regions.whole(name).copy() for name in ("index_fine", "query_kind")}
    again = Making(made.sources, made.recipes, made.work, made.device, made.dtype)
    shutil.rmtree(made.work / "regions" / "00000")
    for name, array in before.items():
        assert np.array_equal(again.regions.whole(name), array)


def test_the_bank_of_canvases_holds_maps_and_labels(made: Making) -> None:
    bank = made.canvases
    assert len(bank) == 3
    for view, cells in (("whole", 16), ("half", 8), ("twice", 16)):
        assert bank.whole(f"{view}_eighth").shape == (3, 40, cells, cells)
        assert bank.whole(f"{view}_sixteenth").shape == (3, 112, cells // 2, cells // 2)
        assert bank.whole(f"{view}_labels").shape == (3, MOST_LABELS, 5)
    whole, half = bank.whole("whole_labels"), bank.whole("half_labels")
    assert (whole[..., 4] == 1).any()
    assert np.allclose(whole[..., :4], half[..., :4] * 2)


def test_what_is_mostly_on_a_part_of_a_canvas_counts() -> None:
    found = np.array([[0, 0, 20, 20, 1], [30, 30, 50, 50, 0.5], [45, 0, 95, 20, 1]], np.float32)
    kept = within(found, 10, 10, 50)
    assert kept.tolist() == [[20, 20, 40, 40, 0.5]]


def test_of_boxes_of_one_thing_the_surest_is_kept() -> None:
    class Detector:
        def detect(
            self, images: list[Image.Image], *, confidence_threshold: float
        ) -> list[list[Detection]]:
            boxes = ((0, 0, 10, 10, 0.3), (40, 40, 60, 60, 0.2))
            return [[Detection(*box[:4], "hen", box[4]) for box in boxes]]

    teacher = BoxTeacher(Detector(), 0.15, 0.35)  # type: ignore[arg-type]
    canvas = np.zeros((64, 64, 3), np.uint8)
    found = labels(canvas, [(0.0, 0.0, 11.0, 10.0)], [teacher], 9)
    assert np.allclose(found, [[0, 0, 11, 10, 1], [40, 40, 60, 60, 0.55]])


def test_no_source_crowds_out_the_others(archives: Path, tmp_path: Path) -> None:
    noise(1).save(tmp_path / "one.png")
    photos = find_photos(archives, [tmp_path])
    found = chosen(photos, RegionRecipe(photos=8, most_of_source=5))
    assert len(found) == 6 and len({photo.source for photo in found}) == 2
    assert found == chosen(photos, RegionRecipe(photos=8, most_of_source=5))


def test_a_bank_opens_without_its_maker(made: Making) -> None:
    assert len(Bank(made.work / "canvases", 1)) == 3
