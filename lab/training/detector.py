"""Trains the detector: YOLOv5n from nothing, on what a trained one says and on cut-outs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
import yaml  # type: ignore[import-untyped]
from safetensors.torch import save_file
from torch import nn

from lab.training.averages import decaying, running_average
from lab.training.canvases import CanvasBatch, CanvasBatches
from lab.training.detector_loss import Head, add_cutouts, detection_loss, teacher_targets
from lab.training.features import Features
from lab.training.loop import Part, Recipe, Training
from lab.training.run import Run
from worker.models.checkpoint import ARCHITECTURE_KEYS, Checkpoint
from worker.models.device import autocast
from worker.models.yolov5_import import import_yolov5
from worker.models.yolov5_network import STRIDES, RawHead, build_network

LEAST_RATE_SHARE = 0.02
"""Of the learning rate, in the end."""
CERTAIN_LOGIT = 12.0
OBJECTNESS_SHIFT = 3.4
"""Added to the objectness: a short run says 0.002 where the service's threshold asks for 0.05."""
OBJECT = "object"
"""The class of what has no other."""


@dataclass(frozen=True)
class DetectorRecipe(Recipe):
    """Everything that decides the detector's weights."""

    steps: int = 4800
    batch: int = 128
    """Canvases of the first of `sides_px`; of others as many pixels."""
    sides_px: tuple[int, ...] = (320, 640)
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: int = 300
    average: float = 0.9995
    """Decay, in the end, of the running average of the weights, which is what ships."""
    like_teacher: float = 2.0
    """Weight of the likeness of the features; falls to a tenth by the end."""


class DetectorTraining(Training[DetectorRecipe, CanvasBatch]):
    """One run: student, its average, teacher and optimiser."""

    name: ClassVar[str] = "detector"

    def __init__(
        self,
        recipe: DetectorRecipe,
        run: Run,
        teacher: Checkpoint,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(recipe, run, device, dtype)
        self.names = (*teacher.names, OBJECT)
        self.architecture = {key: teacher.architecture[key] for key in ARCHITECTURE_KEYS}
        network, anchors = build_network(teacher)
        self.teacher = network.to(device).to(memory_format=torch.channels_last)
        self.head = Head(STRIDES, anchors.to(device))
        self.student = untrained(anchors, self.names).to(device)
        self.student.to(memory_format=torch.channels_last)
        self.average = running_average(self.student, recipe.average, lambda: self.step)
        self.features = Features(self.student, self.teacher)
        self.optimiser = torch.optim.AdamW(
            decaying(self.student, recipe.weight_decay), lr=recipe.learning_rate
        )
        self._resume()

    def train(self, batches: CanvasBatches, *, workers: int = 1) -> None:
        """Take the steps that are left, saving on the way; `workers` processes make batches."""
        self.student.train()
        self._take_steps(batches, workers)

    def _parts(self) -> Mapping[str, Part]:
        return {"student": self.student, "average": self.average, "optimiser": self.optimiser}

    def _take_step(self, batch: CanvasBatch) -> dict[str, torch.Tensor]:
        pictures, boxes = batch
        for group in self.optimiser.param_groups:
            group["lr"] = self._paced(self.recipe.learning_rate, LEAST_RATE_SHARE)
        pixels = pictures.to(self.device, non_blocking=True).float() / 255
        with autocast(self.device, self.dtype):
            with torch.no_grad():
                said = self.teacher(pixels)
            maps = self.student(pixels)
        targets = teacher_targets(self.head, said)
        add_cutouts(self.head, targets, boxes.to(self.device, non_blocking=True))
        losses = detection_loss(self.head, maps, targets)
        losses["features"] = self._like_teacher() * self.features.unlikeness()
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.student.parameters(), 10.0)
        if norm.isfinite():  # a step from nowhere would end a run of hours
            self.optimiser.step()
            self.average.update_parameters(self.student)
        self.step += 1
        return {name: loss.detach() for name, loss in losses.items()}

    def _like_teacher(self) -> float:
        return self.recipe.like_teacher * (1 - 0.9 * self.step / self.recipe.steps)


def one_class(values: torch.Tensor, anchors: int) -> torch.Tensor:
    """Return a head's weights or biases with one class in place of all, which is always certain."""
    each = values.view(anchors, -1, *values.shape[1:])
    certain = torch.full_like(each[:, :1], CERTAIN_LOGIT if values.dim() == 1 else 0.0)
    return torch.cat((each[:, :5], certain), 1).flatten(0, 1)


def untrained(anchors_px: torch.Tensor, names: tuple[str, ...]) -> nn.Module:
    """Return YOLOv5n with fresh weights, its head giving the raw maps."""
    package = import_yolov5()
    text = (Path(package.__file__).parent / "yolov5n.yaml").read_text(
        encoding="ascii", errors="ignore"
    )
    config: dict[str, Any] = yaml.safe_load(text)
    config["anchors"] = anchors_px.flatten(1).tolist()
    network = package.DetectionModel(config, ch=3, nc=len(names))
    network.model[-1] = RawHead(network.model[-1])
    built: nn.Module = network
    return built


def export_detector(training: DetectorTraining, path: Path, *, named: bool = False) -> None:
    """Write the averaged weights as `load_checkpoint` reads them.

    That is `path`, float16 safetensors, and a `.json` of the architecture beside it. Classes help
    the features to form, but a run of hours does not learn to name things well: unless `named`
    there is one class, "object", and the objectness alone is the confidence, on a scale that
    suits the service's default threshold.
    """
    head = training.head
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in training.average.module.state_dict().items()
    }
    last = max(int(name.split(".")[1]) for name in tensors)
    strides = torch.tensor(head.strides).view(-1, 1, 1)
    tensors[f"model.{last}.anchors"] = (head.anchors_px.cpu() / strides).half()
    if not named:
        _forget_classes(tensors, f"model.{last}.m.", head)
    save_file(tensors, path)
    names = list(training.names) if named else [OBJECT]
    side = training.recipe.sides_px[-1]
    facts = {"cfg": training.architecture, "names": names, "side_px": side}
    path.with_suffix(".json").write_text(json.dumps(facts) + "\n", encoding="utf-8")


def _forget_classes(tensors: dict[str, torch.Tensor], prefix: str, head: Head) -> None:
    """Change the head's tensors, in place of others, to those of one class."""
    anchors = head.anchors_px.shape[1]
    for level in range(len(head.strides)):
        for part in ("weight", "bias"):
            name = f"{prefix}{level}.{part}"
            tensors[name] = one_class(tensors[name], anchors)
            if part == "bias":
                tensors[name].view(anchors, -1)[:, 4] += OBJECTNESS_SHIFT
