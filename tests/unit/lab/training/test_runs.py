"""Training: losses say what they should, runs go on where they stopped, what is written loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml  # type: ignore[import-untyped]
from PIL import Image

from lab.training.batches import PairBatches
from lab.training.canvases import CanvasBatches
from lab.training.detector import DetectorRecipe, DetectorTraining, export_detector, untrained
from lab.training.detector_loss import Head, add_cutouts, detection_loss, teacher_targets
from lab.training.encoder import EncoderRecipe, EncoderTraining, embed, export_encoder
from lab.training.features import Features
from lab.training.losses import instance_loss, kind_loss
from lab.training.photos import TrainingPhoto
from lab.training.plot import plot_losses
from lab.training.regions import Regions
from lab.training.run import Run
from tests.assets import CPU, PRECISION, TRAINING_DTYPE
from worker.models.checkpoint import Checkpoint
from worker.models.clip import ClipEncoder
from worker.models.yolov5 import load_yolov5
from worker.models.yolov5_import import import_yolov5
from worker.models.yolov5_network import STRIDES

SMALL = EncoderRecipe(
    steps=4,
    pairs=6,
    side_px=32,
    patch_px=8,
    width=64,
    layers=1,
    heads=1,
    dim=24,
    kind_dim=8,
    late_from=0.75,
)
ANCHORS = torch.tensor(
    [
        [[10, 13], [16, 30], [33, 23]],
        [[30, 61], [62, 45], [59, 119]],
        [[116, 90], [156, 198], [373, 326]],
    ]
).float()


@pytest.fixture(scope="module")
def photos() -> list[TrainingPhoto]:
    rng = np.random.default_rng(0)
    return [
        TrainingPhoto(f"p{n}", "hen", rng.integers(0, 256, (60, 80, 3), np.uint8)) for n in range(9)
    ]


def batches(photos: list[TrainingPhoto]) -> PairBatches:
    regions = Regions(photos, {photo.name: [] for photo in photos})
    return PairBatches(
        photos, regions, pairs=SMALL.pairs, side=SMALL.side_px, seed=SMALL.seed, late_from=3
    )


@pytest.fixture(scope="module")
def teacher() -> Checkpoint:
    """Return YOLOv5n that has learnt nothing."""
    text = (Path(import_yolov5().__file__).parent / "yolov5n.yaml").read_text("ascii", "ignore")
    anchors = ANCHORS / torch.tensor(STRIDES).view(-1, 1, 1)
    tensors = {**untrained(ANCHORS, ("cup", "hen")).state_dict(), "model.24.anchors": anchors}
    return Checkpoint(tensors, yaml.safe_load(text), ("cup", "hen"))


def unit(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.tensor(rows), dim=1)


def test_the_instance_loss_falls_when_views_of_a_region_meet() -> None:
    scale = torch.tensor(10.0)
    together = unit((1, 0), (0, 1), (1, 0.1), (0.1, 1))
    apart = unit((1, 0), (0, 1), (0.1, 1), (1, 0.1))
    assert instance_loss(together, scale) < 0.1 < 5 < instance_loss(apart, scale)


def test_the_kind_loss_falls_when_regions_of_a_kind_meet() -> None:
    views = unit((1, 0), (1, 0.1), (0, 1), (1, 0), (1, 0.1), (0, 1))
    alike = kind_loss(views, torch.tensor([1, 1, 2]), 0.1)
    unlike = kind_loss(views, torch.tensor([1, 2, 1]), 0.1)
    assert alike < unlike
    assert kind_loss(views, torch.tensor([-1, -1, 2]), 0.1) == 0


def test_a_run_that_stopped_ends_as_if_it_had_not(
    photos: list[TrainingPhoto], teacher: Checkpoint, tmp_path: Path
) -> None:
    whole = EncoderTraining(SMALL, Run(tmp_path / "whole"), CPU, TRAINING_DTYPE)
    whole.train(batches(photos), teacher)
    first = EncoderTraining(SMALL, Run(tmp_path / "halves"), CPU, TRAINING_DTYPE)
    first._prepare(batches(photos), teacher)
    for step in range(2):
        first._take_step(batches(photos)[step])
    first._save()
    second = EncoderTraining(SMALL, Run(tmp_path / "halves"), CPU, TRAINING_DTYPE)
    assert second.step == 2
    second.train(batches(photos), teacher)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name


def test_a_run_may_go_on_in_another_precision(tmp_path: Path) -> None:
    first = EncoderTraining(SMALL, Run(tmp_path), CPU, torch.float32)
    first.step = 3
    first._save()
    assert EncoderTraining(SMALL, Run(tmp_path), CPU, torch.bfloat16).step == 3


def test_a_folder_is_not_shared_by_two_recipes(tmp_path: Path) -> None:
    EncoderTraining(SMALL, Run(tmp_path), CPU, TRAINING_DTYPE)._save()
    with pytest.raises(ValueError, match="another recipe"):
        EncoderTraining(replace(SMALL, pairs=7), Run(tmp_path), CPU, TRAINING_DTYPE)


def test_what_is_exported_loads_and_gives_the_same_embeddings(tmp_path: Path) -> None:
    training = EncoderTraining(SMALL, Run(tmp_path / "run"), CPU, TRAINING_DTYPE)
    export_encoder(training.model, SMALL.side_px, tmp_path / "encoder")
    encoder = ClipEncoder(tmp_path / "encoder", CPU, name="trained", dtype=PRECISION.dtype)
    assert encoder.dim == SMALL.dim and not encoder.has_text
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    views = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255 - training._mean
    with torch.no_grad():
        expected = embed(training.model.eval(), views / training._deviation, keep=1.0)
    found = encoder.encode_images([Image.fromarray(pixels)])
    cosine = torch.nn.functional.cosine_similarity(expected, torch.from_numpy(found))
    assert cosine.item() > 0.999


def test_the_losses_are_drawn(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for step in range(3):
        run.report(step, {"a": 1.0 / (step + 1), "b": 2.0})
    with Image.open(plot_losses(tmp_path)) as drawn:
        assert drawn.width > drawn.height


def maps(rows: int = 2) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(1, 3 * 8, rows * 4 // 2**n, rows * 4 // 2**n) for n in range(3)]


def test_a_student_that_says_what_its_teacher_says_has_nothing_to_learn_of_boxes() -> None:
    head = Head(STRIDES, ANCHORS)
    said = maps()
    targets = teacher_targets(head, said)
    assert targets[0].classes(targets[0].objectness > 0).shape[-1] == 4
    with_object = [
        torch.cat(
            (raw.view(1, 3, 8, *raw.shape[2:]), torch.zeros(1, 3, 1, *raw.shape[2:])), 2
        ).flatten(1, 2)
        for raw in said
    ]
    assert detection_loss(head, with_object, targets)["box"].item() == pytest.approx(0, abs=1e-5)
    assert detection_loss(head, [-raw for raw in with_object], targets)["box"].item() > 0.3


def test_a_cutout_is_taught_to_the_cells_around_its_centre() -> None:
    head = Head(STRIDES, ANCHORS)
    targets = teacher_targets(head, [raw - 20 for raw in maps()])
    add_cutouts(head, targets, torch.tensor([[0, 20.0, 22.0, 44.0, 50.0]]))
    taught = (targets[0].objectness > 0.5).nonzero()
    assert {(y, x) for _, _, y, x in taught.tolist()} == {(4, 4), (4, 3), (5, 4)} or len(
        taught
    ) >= 3
    cell = tuple(taught[0].tolist())
    assert targets[0].boxes[cell].tolist() == [20, 22, 44, 50]
    this = torch.zeros_like(targets[0].unnamed)
    this[cell] = True
    assert targets[0].classes(this).tolist() == [[0, 0, 0, 1]]


def test_the_averaged_weights_forget_where_the_run_began(
    teacher: Checkpoint, tmp_path: Path
) -> None:
    training = DetectorTraining(
        DetectorRecipe(batch=1), Run(tmp_path), teacher, CPU, TRAINING_DTYPE
    )
    weight = next(training.student.parameters())
    for step in range(200):
        training.step = step
        torch.nn.init.constant_(weight, 0.0 if step == 0 else 1.0)
        training.average.update_parameters(training.student)
    assert next(training.average.module.parameters()).min() > 0.99


def test_features_are_compared_channel_by_channel() -> None:
    class Network(torch.nn.Module):
        def __init__(self, gain: float) -> None:
            super().__init__()
            self.gain = gain
            self.model = torch.nn.ModuleList([torch.nn.Identity()])

        def forward(self, pixels: torch.Tensor) -> None:
            self.model[-1]([pixels * self.gain])

    pictures = torch.randn(2, 3, 8, 8) * torch.tensor([0.1, 1.0, 10.0]).view(1, 3, 1, 1)
    far = []
    for gain in (1.0, 0.0):
        student, teacher = Network(gain), Network(1.0)
        features = Features(student, teacher)
        student(pictures)
        teacher(pictures)
        far.append(features.unlikeness().item())
    assert far[0] == 0
    assert far[1] == pytest.approx(1, abs=0.1)


def test_a_trained_detector_loads_and_detects(
    photos: list[TrainingPhoto], teacher: Checkpoint, tmp_path: Path
) -> None:
    recipe = DetectorRecipe(steps=2, batch=2, sides_px=(64, 96))
    training = DetectorTraining(recipe, Run(tmp_path / "run"), teacher, CPU, TRAINING_DTYPE)
    training.train(CanvasBatches(photos, size=2, sides_px=(64, 96), seed=1))
    assert DetectorTraining(recipe, Run(tmp_path / "run"), teacher, CPU, TRAINING_DTYPE).step == 2
    path = tmp_path / "detector.safetensors"
    export_detector(training, path)
    detector = load_yolov5(str(path), CPU, data_dir=tmp_path, dtype=PRECISION.dtype)
    found = detector.detect([Image.fromarray(photos[0].pixels)], confidence_threshold=0.0001)[0]
    assert {hit.label for hit in found} <= {"object"}
    assert detector.side_px == 96
