"""Trains the kind tower: what a trained detector makes of a crop, at a twentieth of the price."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from training.averages import decaying, running_average
from training.batches import Batch, PairBatches
from training.loop import take_steps
from training.resemblance import Deepest
from training.run import Run
from worker.models.checkpoint import Checkpoint
from worker.models.kind_tower import SIDE_PX, WIDTH, KindTower, enlarged

SAMPLE = 12
"""Batches that the teacher's features are measured on."""


@dataclass(frozen=True)
class KindRecipe:
    """Everything that decides the weights, beside the photos, the teacher and the detector."""

    steps: int = 7600
    pairs: int = 96
    side_px: int = SIDE_PX
    early: float = 0.45
    """In this share of the steps views are not enlarged: the teacher's eye can be learnt from them
    too, at a third of the price."""
    late_side_px: int = 160
    """To this they are enlarged afterwards, for the teacher too: of little it sees little."""
    strange: float = 0.25
    """Share of the views whose colours change places; and of those that two views share."""
    dim: int = 64
    """Numbers of what ships: the axes along which the teacher's features of crops differ most."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: int = 200
    average: float = 0.998
    """Decay, in the end, of the running average of the weights, which is what ships."""
    cells_weight: float = 0.5
    seed: int = 7


class KindTraining:
    """One run: tower, optimiser, and the step it has reached.

    The tower learns all of the teacher's deepest features of the very same pixels, cell by cell
    and on average over the view; what ships says only the `dim` axes of the averages along which
    crops differ most. It begins as the backbone of the pack's own `detector`, which has learnt
    some of them before.
    """

    def __init__(
        self, recipe: KindRecipe, run: Run, detector: Checkpoint, device: torch.device
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.run, self.device = recipe, run, device
        self.tower = KindTower(WIDTH).to(device).to(memory_format=torch.channels_last)
        begin_as(self.tower, detector)
        self.average = running_average(self.tower, recipe.average, lambda: self.step)
        self.optimiser = torch.optim.AdamW(
            decaying(self.tower, recipe.weight_decay), lr=recipe.learning_rate
        )
        self.step = 0
        self._resume()

    def train(self, batches: PairBatches, teacher: Checkpoint, *, workers: int = 1) -> None:
        """Take the steps that are left, saving on the way; `workers` processes make batches."""
        self.prepare(batches, teacher)
        self.tower.train()
        take_steps(
            self.run,
            batches,
            name="kinds",
            done=self.step,
            steps=self.recipe.steps,
            workers=workers,
            take=self._take_step,
            save=self._save,
        )

    def prepare(self, batches: PairBatches, teacher: Checkpoint) -> None:
        """Measure the teacher's features on crops of the run's own first batches."""
        views = torch.cat([batches[step][0].chunk(2)[0] for step in range(SAMPLE)])
        sample = enlarged(pixels_of(views.to(self.device)), self.recipe.late_side_px)
        self.teacher = Standardised(Deepest(teacher, self.device), sample)

    def _take_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        pixels = self._shown(batch[0].to(self.device, non_blocking=True))
        wanted = self.teacher(pixels)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            cells = self.tower(pixels).float()
        at_cells = F.mse_loss(cells, wanted)
        similarity = F.cosine_similarity(cells.mean((2, 3)), wanted.mean((2, 3)))
        on_average = 1 - similarity.mean()
        loss = on_average + self.recipe.cells_weight * at_cells
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.tower.parameters(), 10.0)
        self.optimiser.step()
        self.average.update_parameters(self.tower)
        self.step += 1
        return {"average": on_average.detach(), "cells": at_cells.detach()}

    def _shown(self, views: torch.Tensor) -> torch.Tensor:
        """Return what tower and teacher see in this step: (N, 3, side, side) floats 0..1."""
        rng = np.random.default_rng((self.recipe.seed, self.step))
        pixels = strange(pixels_of(views), self.recipe.strange, rng)
        if self.step >= self.recipe.early * self.recipe.steps:
            return enlarged(pixels, self.recipe.late_side_px)
        return pixels.contiguous(memory_format=torch.channels_last)

    def _learning_rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self.recipe.warmup)
        fall = 0.5 * (1 + math.cos(math.pi * self.step / self.recipe.steps))
        return self.recipe.learning_rate * warm * fall

    def _save(self) -> None:
        self.run.save(
            {
                "recipe": asdict(self.recipe),
                "step": self.step,
                "tower": self.tower.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            }
        )

    def _resume(self) -> None:
        state = self.run.load(asdict(self.recipe))
        if state is None:
            return
        self.step = state["step"]
        self.tower.load_state_dict(state["tower"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])


class Standardised:
    """The teacher's deepest features of crops, each channel with mean 0 and deviation 1."""

    def __init__(self, deepest: Deepest, sample: torch.Tensor) -> None:
        """Measure the channels on the `sample`: (N, 3, side, side) floats 0..1, N over 256."""
        self._deepest = deepest
        cells = torch.cat([deepest(part) for part in torch.split(sample, 128)])
        self._mean = cells.mean((0, 2, 3), keepdim=True)
        self._deviation = cells.std((0, 2, 3), keepdim=True).clamp(min=1e-3)
        whole = ((cells - self._mean) / self._deviation).mean((2, 3))
        self.mean, self.spread = whole.mean(0), whole.std(0).clamp(min=1e-3)
        """Of the averages over a crop, (WIDTH,): a channel that has its say in one cell or another
        of every crop tells less of crops than one that has it in all cells of some."""
        _, _, self.axes = torch.linalg.svd((whole - self.mean) / self.spread, full_matrices=False)
        """Directions (WIDTH, WIDTH) of averages of mean 0 and deviation 1, most telling first."""

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (N, WIDTH, rows, columns) float32 features of pixels (N, 3, side, side), 0..1."""
        return (self._deepest(pixels) - self._mean) / self._deviation


def pixels_of(crops: torch.Tensor) -> torch.Tensor:
    """Return crops (N, 3, side, side) uint8 as floats 0..1."""
    return crops.float() / 255


def strange(pixels: torch.Tensor, share: float, rng: np.random.Generator) -> torch.Tensor:
    """Return pixels (N, 3, side, side), 0..1, with sights among them that no photo shows.

    In a `share` of them the colours change places; a `share` has another one shine through. What
    the teacher sees in them is what the tower has to see: it learns the teacher's eye, not the
    look of seven thousand photos. Source: Beyer et al. 2022, "Knowledge distillation: a good
    teacher is patient and consistent".
    """
    pixels = pixels.clone()
    for index in np.flatnonzero(rng.random(len(pixels)) < share):
        pixels[index] = pixels[index, rng.permutation(3).tolist()]
    mixed = torch.from_numpy(np.flatnonzero(rng.random(len(pixels)) < share))
    others = torch.from_numpy(rng.integers(0, len(pixels), len(mixed)))
    amount = torch.from_numpy(rng.uniform(0.1, 0.5, (len(mixed), 1, 1, 1))).to(pixels)
    pixels[mixed] = torch.lerp(pixels[mixed], pixels[others], amount)
    return pixels


def begin_as(tower: KindTower, detector: Checkpoint) -> None:
    """Give the tower's backbone the weights of the detector's."""
    prefix = "model."
    known = {
        name.removeprefix(prefix): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in detector.tensors.items()
    }
    own = tower.backbone.state_dict()
    tower.backbone.load_state_dict({name: known[name] for name in own})


def export_kind_tower(training: KindTraining, path: Path) -> None:
    """Write the averaged tower, its head turned to the first `dim` of the axes, as float16."""
    state = dict(training.average.module.state_dict())
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
