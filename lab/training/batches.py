"""Batches of view pairs, each made from the run's seed and its own number alone."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from lab.training.photos import TrainingPhoto
from lab.training.regions import Regions
from lab.training.views import INDEXED, SEARCHED, SEARCHED_LATE, Views

Batch = tuple[torch.Tensor, torch.Tensor]
"""Views (2 * pairs, 3, side, side) uint8, the second half in the first's order; and the number
of each pair's kind (pairs,), -1 where it is not known."""


class PairBatches(Dataset[Batch]):
    """The batches of a run by number: a run that stopped goes on with the very same ones."""

    def __init__(
        self,
        photos: Sequence[TrainingPhoto],
        regions: Regions,
        *,
        pairs: int,
        side: int,
        seed: int,
        late_from: int,
    ) -> None:
        self._photos, self._regions = photos, regions
        self._pairs, self._seed, self._late_from = pairs, seed, late_from
        self._views = Views(side)
        self._kinds = {kind: number for number, kind in enumerate(regions.kinds())}

    def __getitem__(self, step: int) -> Batch:
        """Make batch number `step`."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng((self._seed, step))
        regions = self._regions.draw(self._pairs, rng)
        halves = [
            [
                self._views.view(
                    self._photos[region.photo].pixels,
                    region.box,
                    strength,
                    rng,
                    self._photos[int(rng.integers(len(self._photos)))].pixels,
                )
                for region in regions
            ]
            for strength in (INDEXED, SEARCHED if step < self._late_from else SEARCHED_LATE)
        ]
        kinds = [self._kinds.get(region.kind or "", -1) for region in regions]
        views = torch.from_numpy(np.stack(halves[0] + halves[1])).permute(0, 3, 1, 2)
        return views, torch.tensor(kinds)
