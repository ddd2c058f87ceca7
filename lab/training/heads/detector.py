"""The detector head's training: it says where teachers see things, and finds the cut-outs."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from lab.training.banks.canvases import VIEWS
from lab.training.banks.shards import Bank
from lab.training.heads.detector_loss import LARGE, SMALL, level_losses
from lab.training.heads.folding import fold, normed, shift
from lab.training.runs.loop import Recipe, Training
from worker.models.device import autocast
from worker.models.onepass.heads import FINE, DetectorHead, Sizes

NOTHING_LOGIT = -4.5
"""What is said of every cell at first: hardly any holds a thing's centre."""
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Maps at strides 8 and 16, (N, channels, rows, columns), and labels (boxes, 6): number of the
canvas, corners in pixels, how sure they are."""


@dataclass(frozen=True)
class DetectorRecipe(Recipe):
    """Everything that decides the detector head's weights."""

    steps: int = 1000
    canvases: int = 5
    """Of the whole or of a part; of halved ones three times as many."""
    shares: tuple[float, float, float] = (0.4, 0.25, 0.35)
    """How often a batch is of each of VIEWS."""
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.02


class LearningDetector(nn.Module):
    """The service's `DetectorHead` on normalised maps."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.head = DetectorHead(sizes)
        self.eighth, self.sixteenth = normed(FINE[1]), normed(FINE[2])
        for says in (self.head.says_large, self.head.says_small):
            assert says.bias is not None
            nn.init.constant_(says.bias.data.view(-1, 5)[:, 4], NOTHING_LOGIT)
        self.to(memory_format=torch.channels_last)

    def forward(
        self, eighth: torch.Tensor, sixteenth: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what cells at strides 16 and 8 say."""
        said: tuple[torch.Tensor, torch.Tensor] = self.head(
            self.eighth(eighth), self.sixteenth(sixteenth)
        )
        return said

    def folded(self) -> DetectorHead:
        """Return the head as it ships: without normalisation."""
        head = copy.deepcopy(self.head)
        shift(head.into_large, fold(self.sixteenth, head.into_large))
        shift(head.into_small, fold(self.eighth, head.into_small))
        return head.eval()


class DetectorBatches(Dataset[Batch]):
    """The batches of a run by number: canvases at random, all in one of VIEWS."""

    def __init__(self, bank: Bank, recipe: DetectorRecipe) -> None:
        self._bank, self._recipe = bank, recipe

    def __getitem__(self, step: int) -> Batch:
        """Make batch number `step`."""
        rng = np.random.default_rng((self._recipe.seed, step))
        view = VIEWS[int(rng.choice(len(VIEWS), p=self._recipe.shares))]
        count = self._recipe.canvases * (3 if view == "half" else 1)
        rows = rng.choice(len(self._bank), min(count, len(self._bank)), replace=False)
        eighth, sixteenth, labels = (
            torch.from_numpy(self._bank.rows(f"{view}_{name}", rows))
            for name in ("eighth", "sixteenth", "labels")
        )
        canvas, number = (labels[..., 4] > 0).nonzero(as_tuple=True)
        found = torch.cat((canvas[:, None].float(), labels[canvas, number]), 1)
        return eighth, sixteenth, found


class DetectorTraining(Training[LearningDetector, DetectorRecipe, Batch]):
    """One run of the detector head."""

    name: ClassVar[str] = "detector"

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """See Training."""
        eighth, sixteenth = (
            maps.to(self.device).float().contiguous(memory_format=torch.channels_last)
            for maps in batch[:2]
        )
        found = batch[2].to(self.device)
        with autocast(self.device, self.dtype):
            large, small = self.head(eighth, sixteenth)
        losses: dict[str, torch.Tensor] = {}
        for name, said, level in (("large", large, LARGE), ("small", small, SMALL)):
            boxes, objects = level_losses(said.float(), found, level)
            losses |= {f"{name}: boxes": boxes, f"{name}: objects": 0.5 * objects}
        return losses
