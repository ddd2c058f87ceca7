"""The thing head's training: a picture of a thing finds the region that shows it."""

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
from lab.training.heads.axes import principal
from lab.training.heads.folding import fold, normed, shift
from lab.training.heads.losses import finding_loss
from lab.training.runs.loop import Recipe, Training
from worker.models.device import autocast
from worker.models.onepass.heads import DEEP, FINE, Sizes, ThingHead

NEAR = FINE[0] + FINE[1]
"""Channels of the maps at strides 4 and 8; those after them are of stride 16."""
SAMPLE = 7000
"""About so many regions say which axes tell most."""
HELD_OUT = 30
"""One in so many photos is learnt nothing from."""
ARRAYS = ("index_fine", "index_deep", "query_fine", "query_deep")
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""ARRAYS: N regions, (N, 176, 6, 6) and (N, 320, 3, 3); their queries, (N, queries, ...)."""


@dataclass(frozen=True)
class ThingRecipe(Recipe):
    """Everything that decides the thing head's weights."""

    steps: int = 1500
    dim: int = 256
    """Numbers that are learnt; what ships has the axes along which they differ most."""
    photos: int = 100
    """Photos of a batch, with all their regions: those that are nearest to be confused with."""
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.1
    temperature: float = 0.05
    smoothing: float = 0.02
    """What a query may have to do with all other regions: some show nearly the same."""


class LearningThings(nn.Module):
    """The service's `ThingHead` on normalised features, some of them dropped as it learns."""

    def __init__(self, sizes: Sizes, drop: float = 0.2) -> None:
        super().__init__()
        self.head = ThingHead(sizes)
        self.near, self.far, self.deep = normed(NEAR), normed(FINE[2]), normed(DEEP)
        self.drop = nn.Dropout(drop)

    def forward(self, fine: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        """Return (N, thing) of L2 norm 1, of pooled maps (N, 176, 6, 6) and (N, 320, 3, 3)."""
        head = self.head
        projected = head.near(self.near(fine[:, :NEAR])) + head.far(self.far(fine[:, NEAR:]))
        context = head.context(self.deep(deep))
        own: torch.Tensor = head(self.drop(projected), self.drop(context))
        return own

    def folded(self, axes: torch.Tensor) -> ThingHead:
        """Return the head as it ships: without normalisation, turned to some axes (thing, dim)."""
        head = copy.deepcopy(self.head)
        for layer in (head.out, head.direct):
            layer.weight = nn.Parameter(axes @ layer.weight)
        head.out.bias = nn.Parameter(axes @ head.out.bias)
        shift(head.near, fold(self.near, head.near) + fold(self.far, head.far))
        shift(head.context, fold(self.deep, head.context))
        return head.eval()


class ThingBatches(Dataset[Batch]):
    """The batches of a run by number: all regions of some photos."""

    def __init__(self, bank: Bank, recipe: ThingRecipe) -> None:
        self._bank, self._recipe = bank, recipe
        photo = bank.whole("photo")
        regions = [np.flatnonzero(photo == number) for number in np.unique(photo)]
        held_out = -(-len(regions) // HELD_OUT)
        self._held_out, self._learnt = regions[:held_out], regions[held_out:]

    def __getitem__(self, step: int) -> Batch:
        """Make batch number `step`."""
        rng = np.random.default_rng((self._recipe.seed, step))
        count = min(self._recipe.photos, len(self._learnt))
        photos = rng.choice(len(self._learnt), count, replace=False)
        return self._read(np.concatenate([self._learnt[photo] for photo in photos]))

    def held_out(self) -> Batch:
        """Return the regions of the photos that are kept out."""
        return self._read(np.concatenate(self._held_out))

    def _read(self, rows: NDArray[np.int64]) -> Batch:
        index_fine, index_deep, query_fine, query_deep = (
            torch.from_numpy(self._bank.rows(name, rows)) for name in ARRAYS
        )
        return index_fine, index_deep, query_fine, query_deep


class ThingTraining(Training[LearningThings, ThingRecipe, Batch]):
    """One run of the thing head."""

    name: ClassVar[str] = "things"

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """See Training."""
        index, query = self._embeddings(self.head, batch)
        return finding_loss(index, query, self.recipe.temperature, self.recipe.smoothing)

    def recall(self, batch: Batch) -> float:
        """Return the share of the queries whose nearest region is their own, by what ships."""
        with torch.inference_mode():
            index, query = self._embeddings(self.average.eval(), batch)
        nearest = (query @ index.T).argmax(2)
        own = torch.arange(len(index), device=index.device)[:, None]
        return (nearest == own).float().mean().item()

    def axes(self, bank: Bank, count: int) -> torch.Tensor:
        """Return the axes (count, dim) along which indexed regions differ most, of what ships."""
        head, parts = self.average.eval(), []
        rows = np.arange(0, len(bank), max(1, len(bank) // SAMPLE))
        for part in np.array_split(rows, max(1, len(rows) // 500)):
            fine, deep = (
                torch.from_numpy(bank.rows(name, part)).float().to(self.device)
                for name in ARRAYS[:2]
            )
            with torch.inference_mode():
                parts.append(head(fine, deep).cpu())
        return principal(torch.cat(parts), count)

    def _embeddings(self, head: LearningThings, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return those of N regions (N, thing), and of their queries (N, queries, thing)."""
        index_fine, index_deep, query_fine, query_deep = (
            part.to(self.device, non_blocking=True).float() for part in batch
        )
        with autocast(self.device, self.dtype):
            index = head(index_fine, index_deep)
            query = head(query_fine.flatten(0, 1), query_deep.flatten(0, 1))
        rows = (
            F.normalize(part.float(), dim=1) for part in (index, query)
        )  # of bfloat16, nearly 1
        index, query = rows
        return index, query.view(*query_fine.shape[:2], -1)
