"""Trains the kind tower: what a trained detector makes of a crop, at a twentieth of the price."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from training.averages import decaying, running_average
from training.batches import Batch, PairBatches
from training.loop import take_steps
from training.resemblance import Deepest
from training.run import Run
from worker.models.checkpoint import Checkpoint
from worker.models.kind_tower import WIDTH, KindTower

SAMPLE = 12
"""Batches that the teacher's features are measured on."""
TEACHER_TEMPERATURE, TEMPERATURE = 0.05, 0.1
"""Of the neighbours' shares: the teacher's are sharper than what the tower is asked to say."""
CELLS = 3
"""Rows and columns of the tower's last map."""


@dataclass(frozen=True)
class KindRecipe:
    """Everything that decides the weights, beside the photos, the teacher and the detector."""

    steps: int = 2400
    pairs: int = 256
    side_px: int = 96
    dim: int = 64
    """Numbers of what ships: the axes along which the teacher's features of crops differ most."""
    teacher_px: int = 160
    """The teacher sees crops enlarged to this: of less its deepest map has hardly a cell."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: int = 100
    average: float = 0.998
    """Decay, in the end, of the running average of the weights, which is what ships."""
    cells_weight: float = 0.5
    neighbours_from: float = 7 / 12
    """From this share of the steps on it also learns which crops the teacher finds alike."""
    neighbours: int = 16
    """Batches before that are compared with."""
    neighbours_weight: float = 0.5
    seed: int = 7


class KindTraining:
    """One run: tower, optimiser, and the step it has reached.

    The tower learns all of the teacher's deepest features, cell by cell and on average over the
    crop; what ships says only the `dim` axes of the averages along which crops differ most. It
    begins as the backbone of the pack's own `detector`, which has learnt some of them before.
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
        self._before: deque[torch.Tensor] = deque(maxlen=recipe.neighbours + 1)
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
        sample = torch.cat([batches[step][0].chunk(2)[0] for step in range(SAMPLE)])
        deepest = Deepest(teacher, self.recipe.teacher_px, self.device)
        self.teacher = Standardised(deepest, sample.to(self.device))
        for step in range(max(0, self.step - self.recipe.neighbours), self.step):
            first = batches[step][0].chunk(2)[0]
            self._remember(self.teacher(first.to(self.device)))

    def _remember(self, wanted: torch.Tensor) -> None:
        self._before.append(F.normalize(wanted.mean((2, 3)), dim=1))

    def _take_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        views = batch[0].to(self.device, non_blocking=True)
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        wanted = self.teacher(views.chunk(2)[0])
        self._remember(wanted)
        pixels = views.to(memory_format=torch.channels_last).float() / 255
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            cells = self.tower(pixels).float()
        # A searched view is framed otherwise: its cells are of other places.
        at_cells = F.mse_loss(cells.chunk(2)[0], wanted)
        whole = wanted.mean((2, 3)).repeat(2, 1)
        on_average = 1 - F.cosine_similarity(cells.mean((2, 3)), whole).mean()
        alike = neighbours_loss(cells.mean((2, 3)), whole, torch.cat(list(self._before)))
        late = self.step >= self.recipe.neighbours_from * self.recipe.steps
        loss = on_average + self.recipe.cells_weight * at_cells
        loss = loss + self.recipe.neighbours_weight * late * alike
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.tower.parameters(), 10.0)
        self.optimiser.step()
        self.average.update_parameters(self.tower)
        self.step += 1
        return {
            "average": on_average.detach(),
            "cells": at_cells.detach(),
            "neighbours": alike.detach(),
        }

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
                "axes": self.teacher.axes,
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
        """Measure the channels on the `sample`, crops (N, 3, side, side) uint8, N over 256."""
        self._deepest = deepest
        parts = [self._cells(part) for part in torch.split(sample, 256)]
        cells = torch.cat(parts)
        self._mean = cells.mean((0, 2, 3), keepdim=True)
        self._deviation = cells.std((0, 2, 3), keepdim=True).clamp(min=1e-3)
        whole = ((cells - self._mean) / self._deviation).mean((2, 3))
        _, _, axes = torch.linalg.svd(whole - whole.mean(0), full_matrices=False)
        self.axes = axes
        """Directions (WIDTH, WIDTH) of averages over a crop, the most telling first."""

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """Return (N, WIDTH, CELLS, CELLS) float32 features of crops (N, 3, side, side) uint8."""
        return (self._cells(crops) - self._mean) / self._deviation

    def _cells(self, crops: torch.Tensor) -> torch.Tensor:
        return F.adaptive_avg_pool2d(self._deepest(crops), CELLS)


def neighbours_loss(said: torch.Tensor, wanted: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return how unlike the tower's neighbours of each crop are to the teacher's, 0 or more.

    `said` and `wanted` are (N, WIDTH), `others` (M, WIDTH) of norm 1: the teacher's features of
    other crops. Source: Fang et al. 2021, "SEED", with the teacher's own features to compare with.
    """
    near = F.softmax(F.normalize(wanted, dim=1) @ others.T / TEACHER_TEMPERATURE, 1)
    logits = F.normalize(said, dim=1) @ others.T / TEMPERATURE
    return F.kl_div(F.log_softmax(logits, 1), near, reduction="batchmean")


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
    turn = training.teacher.axes[: training.recipe.dim].to(state["head.weight"])
    state["head.weight"] = torch.einsum("dw,wchk->dchk", turn, state["head.weight"])
    state["head.bias"] = turn @ state["head.bias"]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {
            k: (t.half() if t.is_floating_point() else t).contiguous().cpu()
            for k, t in state.items()
        },
        path,
    )
