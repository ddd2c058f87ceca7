"""Trains the kind tower: what a trained detector makes of a crop, at a fraction of the price."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from lab.training.averages import running_average
from lab.training.batches import Batch, PairBatches
from lab.training.loop import Part, Recipe, Training
from lab.training.optimiser import Optimiser
from lab.training.resemblance import Deepest, enlarged, pixels_of
from lab.training.run import Run
from lab.training.strange import Shares, strange
from worker.models.checkpoint import Checkpoint
from worker.models.device import autocast
from worker.models.kind_tower import SEEN_PX, SIDE_PX, WIDTH, KindTower

SAMPLE_VIEWS = 2304
"""Views that the teacher's features are measured on."""
SEEDS = 1_000_000
"""More than a run has steps: each step of each run draws numbers of its own."""


@dataclass(frozen=True)
class KindRecipe(Recipe):
    """Everything that decides the tower's weights."""

    steps: int = 8365
    pairs: int = 512
    side_px: int = SIDE_PX
    teacher_px: int = 160
    """The teacher sees views enlarged to this: of little it sees little."""
    swapped: float = 0.25
    mixed: float = 0.25
    patched: float = 0.25
    """Shares of the views that are made strange: see `lab.training.strange`."""
    dim: int = 64
    """Numbers of what ships: the axes along which the teacher's features of crops differ most."""
    learning_rate: float = 6e-3
    weight_decay: float = 0.05
    warmup: int = 200
    average: float = 0.998
    """Decay, in the end, of the running average of the weights, which is what ships."""
    cells_weight: float = 0.5


class KindTraining(Training[KindRecipe, Batch]):
    """One run: tower, its average, and optimiser.

    The tower learns all of the teacher's deepest features of the same views, cell by cell and on
    average over the view; what ships says only the `dim` axes of the averages along which crops
    differ most.
    """

    name: ClassVar[str] = "kinds"

    def __init__(
        self, recipe: KindRecipe, run: Run, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__(recipe, run, device, dtype)
        self.tower = KindTower(WIDTH).to(device).to(memory_format=torch.channels_last)
        self.average = running_average(self.tower, recipe.average, lambda: self.step)
        self.optimiser = Optimiser(
            self.tower,
            learning_rate=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            dtype=dtype,
        )
        self._resume()

    def train(self, batches: PairBatches, teacher: Checkpoint, *, workers: int = 1) -> None:
        """Take the steps that are left, saving on the way; `workers` processes make batches."""
        self.prepare(batches, teacher)
        self.tower.train()
        self._take_steps(batches, workers)

    def _parts(self) -> Mapping[str, Part]:
        return {"tower": self.tower, "average": self.average, "optimiser": self.optimiser}

    def prepare(self, batches: PairBatches, teacher: Checkpoint) -> None:
        """Measure the teacher's features on crops of the run's own first batches."""
        count = math.ceil(SAMPLE_VIEWS / self.recipe.pairs)
        views = torch.cat([batches[step][0].chunk(2)[0] for step in range(count)])
        sample = pixels_of(views.to(self.device))
        deepest = Deepest(teacher, self.device, self.dtype)
        self.teacher = Standardised(deepest, enlarged(sample, self.recipe.teacher_px))

    def _take_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        self.optimiser.scale(self._paced(1.0))
        pixels = self._shown(batch[0].to(self.device, non_blocking=True))
        wanted = self.teacher(enlarged(pixels, self.recipe.teacher_px))
        with autocast(self.device, self.dtype):
            cells = self.tower(enlarged(pixels, SEEN_PX)).float()
        there = F.interpolate(wanted, cells.shape[2:], mode="bilinear", antialias=True)
        at_cells = F.mse_loss(cells, there)
        whole, expected = self.teacher.whole(cells), self.teacher.whole(wanted)
        on_average = 1 - F.cosine_similarity(whole, expected).mean()
        loss = on_average + self.recipe.cells_weight * at_cells
        self.optimiser.step(loss)
        self.average.update_parameters(self.tower)
        self.step += 1
        return {"average": on_average.detach(), "cells": at_cells.detach()}

    def _shown(self, views: torch.Tensor) -> torch.Tensor:
        """Return the pixels of this step: (N, 3, side, side) floats 0..1."""
        recipe = self.recipe
        shares = Shares(swapped=recipe.swapped, mixed=recipe.mixed, patched=recipe.patched)
        return strange(pixels_of(views), shares, SEEDS * recipe.seed + self.step)


class Standardised:
    """The teacher's deepest features of crops, each channel with mean 0 and deviation 1."""

    def __init__(self, deepest: Deepest, sample: torch.Tensor) -> None:
        """Measure the channels on the `sample`: (N, 3, side, side) floats 0..1, N over 256."""
        self._deepest = deepest
        cells = torch.cat([deepest(part) for part in torch.split(sample, 128)])
        self._mean = cells.mean((0, 2, 3), keepdim=True)
        self._deviation = cells.std((0, 2, 3), keepdim=True).clamp(min=1e-3)
        averages = ((cells - self._mean) / self._deviation).mean((2, 3))
        self.mean, self.spread = averages.mean(0), averages.std(0).clamp(min=1e-3)
        """Of the averages over a crop, (WIDTH,): a channel that has its say in one cell or another
        of every crop tells less of crops than one that has it in all cells of some."""
        centred = (averages - self.mean) / self.spread
        _, _, self.axes = torch.linalg.svd(centred, full_matrices=False)
        """Directions (WIDTH, WIDTH) of averages of mean 0 and deviation 1, most telling first."""

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (N, WIDTH, rows, columns) float32 features of pixels (N, 3, side, side), 0..1."""
        return (self._deepest(pixels) - self._mean) / self._deviation

    def whole(self, cells: torch.Tensor) -> torch.Tensor:
        """Return features (N, WIDTH, rows, columns) averaged over the crop: (N, WIDTH), each of
        mean 0 and deviation 1."""
        return (cells.mean((2, 3)) - self.mean) / self.spread


def export_kind_tower(training: KindTraining, path: Path) -> None:
    """Write the averaged tower, its head turned to the first `dim` of the axes, as float16."""
    state: dict[str, Any] = dict(training.average.module.state_dict())
    teacher = training.teacher
    turn = teacher.axes[: training.recipe.dim] / teacher.spread
    state["head.weight"] = torch.einsum("dw,wchk->dchk", turn, state["head.weight"])
    state["head.bias"] = turn @ (state["head.bias"] - teacher.mean)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {
            k: (t.half() if t.is_floating_point() else t).contiguous().cpu()
            for k, t in state.items()
        },
        path,
    )
