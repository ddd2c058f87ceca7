"""The kind head's training: things of one kind come close, as they are to those who know kinds."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from lab.training.banks.shards import Bank
from lab.training.heads.folding import fold, normed, shift
from lab.training.heads.losses import (
    kind_loss,
    neighbour_loss,
    neighbours,
    query_neighbour_loss,
)
from lab.training.pictures.kinds import kind_of
from lab.training.runs.loop import Recipe, Training
from worker.models.onepass.heads import DEEP, KindHead, Sizes

WHOLE_SHARE = 0.35
"""A region of this share of its photo shows what the photo's folder is named after."""


@dataclass(frozen=True)
class KindRecipe(Recipe):
    """Everything that decides the kind head's weights."""

    steps: int = 600
    regions: int = 1024
    least_px: float = 40.0
    """Smaller regions (root of the area) are not learnt from: their kinds are guesses."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    named: float = 0.3
    """Weight of the folders' names."""
    backbone_share: float = 0.5
    """Of the wanted neighbours; the teacher says the rest."""
    backbone_temperature: float = 0.04
    teacher_temperature: float = 0.06
    temperature: float = 0.07
    named_temperature: float = 0.1
    queries: float = 0.3
    """Weight of what pictures seen alone are like."""
    without: str = ""
    """A source whose photos are left out: to measure on what was never seen."""


@dataclass(frozen=True)
class Batch:
    """N regions: features (N, DEEP) as indexed and as searched for, the teacher's of L2 norm 1
    (N, channels), and the numbers of their kinds (N,), -1 unknown."""

    index: torch.Tensor
    query: torch.Tensor
    teacher: torch.Tensor
    kinds: torch.Tensor


class LearningKinds(nn.Module):
    """The service's `KindHead` on normalised features."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.norm = normed(DEEP, momentum=0.02)
        self.head = KindHead(sizes)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (N, kind) of L2 norm 1, of the mean of cells (N, DEEP)."""
        kinds: torch.Tensor = self.head(self.norm(features[:, :, None, None]))
        return kinds

    def folded(self) -> KindHead:
        """Return the head as it ships: without normalisation."""
        head = copy.deepcopy(self.head)
        for layer in (head.direct, head.hidden):
            shift(layer, fold(self.norm, layer))
        return head.eval()


class KindBatches(Dataset[Batch]):
    """The batches of a run by number: regions at random. All of them are in memory."""

    def __init__(self, bank: Bank, recipe: KindRecipe) -> None:
        self._recipe = recipe
        usable = bank.whole("side_px") >= recipe.least_px
        self._rows = np.flatnonzero(usable & (bank.whole("source") != recipe.without))
        if len(self._rows) < 2:
            raise ValueError("The bank has no regions to learn kinds from")
        self._index, self._query = bank.whole("index_kind"), bank.whole("query_kind")
        self._teacher = _standard(bank.whole("teacher").astype(np.float32))
        named = [
            kind_of(str(category)) if share >= WHOLE_SHARE else None
            for category, share in zip(bank.whole("category"), bank.whole("share"), strict=True)
        ]
        numbers = {kind: n for n, kind in enumerate(sorted({kind for kind in named if kind}))}
        self._kinds = np.array([numbers.get(kind or "", -1) for kind in named])

    def __getitem__(self, step: int) -> Batch:
        """Make batch number `step`."""
        rng = np.random.default_rng((self._recipe.seed, step))
        count = min(self._recipe.regions, len(self._rows))
        rows = rng.choice(self._rows, count, replace=False)
        query = self._query[rows, step % self._query.shape[1]]
        return Batch(
            torch.from_numpy(self._index[rows]).float(),
            torch.from_numpy(query).float(),
            F.normalize(torch.from_numpy(self._teacher[rows]), dim=1),
            torch.from_numpy(self._kinds[rows]),
        )


class KindTraining(Training[LearningKinds, KindRecipe, Batch]):
    """One run of the kind head."""

    name: ClassVar[str] = "kinds"

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """See Training. In float32 always: a step takes some hundredths of a second."""
        recipe = self.recipe
        features, teacher = batch.index.to(self.device), batch.teacher.to(self.device)
        index, query = self.head(features), self.head(batch.query.to(self.device))
        share = recipe.backbone_share
        wanted = share * neighbours(F.normalize(features, dim=1), recipe.backbone_temperature)
        wanted += (1 - share) * neighbours(teacher, recipe.teacher_temperature)
        named = kind_loss(index, batch.kinds.to(self.device), recipe.named_temperature)
        asked = query_neighbour_loss(query, index, wanted, recipe.temperature)
        return {
            "neighbours": neighbour_loss(index, wanted, recipe.temperature),
            "of queries": recipe.queries * asked,
            "named": recipe.named * named,
        }


def _standard(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features whose channels all have mean 0 and deviation 1."""
    centred = features - features.mean(0)
    standard: NDArray[np.float32] = centred / features.std(0).clip(1e-3)
    return standard
