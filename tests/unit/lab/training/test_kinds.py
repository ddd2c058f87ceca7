"""The kind tower's training: it learns what the teacher sees, goes on, and what it writes loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml  # type: ignore[import-untyped]
from PIL import Image

from lab.training import kind_tower
from lab.training.batches import PairBatches
from lab.training.detector import untrained
from lab.training.kind_tower import KindRecipe, KindTraining, export_kind_tower
from lab.training.photos import TrainingPhoto
from lab.training.regions import Regions
from lab.training.resemblance import enlarged
from lab.training.run import Run
from tests.assets import CPU, PRECISION, TRAINING_DTYPE
from worker.models.checkpoint import Checkpoint
from worker.models.kind_tower import SEEN_PX, WIDTH, KindEncoder
from worker.models.yolov5_import import import_yolov5
from worker.models.yolov5_network import STRIDES

SMALL = KindRecipe(steps=4, pairs=6, dim=8, warmup=1)
ANCHORS = torch.tensor([[[10, 13], [16, 30], [33, 23]]] * 3).float()


@pytest.fixture(autouse=True)
def _small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the teacher on few crops: a few more than it has features."""
    monkeypatch.setattr(kind_tower, "SAMPLE_VIEWS", WIDTH + 44)


@pytest.fixture(scope="module")
def yolo() -> Checkpoint:
    """Return YOLOv5n that has learnt nothing, for a teacher."""
    torch.manual_seed(3)
    text = (Path(import_yolov5().__file__).parent / "yolov5n.yaml").read_text("ascii", "ignore")
    anchors = ANCHORS / torch.tensor(STRIDES).view(-1, 1, 1)
    tensors = {**untrained(ANCHORS, ("hen",)).state_dict(), "model.24.anchors": anchors}
    return Checkpoint(tensors, yaml.safe_load(text), ("hen",))


@pytest.fixture(scope="module")
def batches() -> PairBatches:
    rng = np.random.default_rng(0)
    photos = [
        TrainingPhoto(f"p{n}", "hen", rng.integers(0, 256, (60, 80, 3), np.uint8)) for n in range(9)
    ]
    regions = Regions(photos, {photo.name: [] for photo in photos})
    return PairBatches(photos, regions, pairs=SMALL.pairs, side=96, seed=1, late_from=99)


def test_it_comes_to_say_what_the_teacher_sees(
    yolo: Checkpoint, batches: PairBatches, tmp_path: Path
) -> None:
    plain = replace(SMALL, steps=10, swapped=0.0, mixed=0.0, patched=0.0)
    training = KindTraining(plain, Run(tmp_path), CPU, TRAINING_DTYPE)
    training.prepare(batches, yolo)
    training.tower.train()
    losses = [training._take_step(batches[0])["average"].item() for _ in range(10)]
    assert losses[0] > 0.8 and losses[-1] < 0.4


def test_a_run_that_stopped_ends_as_if_it_had_not(
    yolo: Checkpoint, batches: PairBatches, tmp_path: Path
) -> None:
    whole = KindTraining(SMALL, Run(tmp_path / "whole"), CPU, TRAINING_DTYPE)
    whole.train(batches, yolo)
    first = KindTraining(SMALL, Run(tmp_path / "halves"), CPU, TRAINING_DTYPE)
    first.prepare(batches, yolo)
    first.tower.train()
    for step in range(2):
        first._take_step(batches[step])
    first._save()
    second = KindTraining(SMALL, Run(tmp_path / "halves"), CPU, TRAINING_DTYPE)
    assert second.step == 2
    second.train(batches, yolo)
    for name, tensor in whole.average.state_dict().items():
        assert torch.equal(tensor, second.average.state_dict()[name]), name


def test_what_is_exported_loads_and_says_the_same(
    yolo: Checkpoint, batches: PairBatches, tmp_path: Path
) -> None:
    training = KindTraining(SMALL, Run(tmp_path / "run"), CPU, TRAINING_DTYPE)
    training.train(batches, yolo)
    export_kind_tower(training, tmp_path / "kinds.safetensors")
    encoder = KindEncoder(tmp_path / "kinds.safetensors", CPU, dtype=PRECISION.dtype)
    assert encoder.dim == SMALL.dim
    pixels = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    view = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        cells = training.average.module.eval()(enlarged(view, SEEN_PX))
    assert cells.shape == (1, WIDTH, 4, 4)
    teacher = training.teacher
    whole = (cells.mean((2, 3))[0] - teacher.mean) / teacher.spread
    expected = teacher.axes[: SMALL.dim] @ whole
    found = encoder.encode_images([Image.fromarray(pixels)])
    cosine = torch.nn.functional.cosine_similarity(expected[None], torch.from_numpy(found))
    assert cosine.item() > 0.99
