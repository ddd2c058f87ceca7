"""The bank of canvases: the maps that the detector head reads, and what is to be found on them.

Each canvas is there as it is, at half its size, and a quarter of it at twice: things of all sizes,
as sharp and as blurred as the scales of a photo show them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lab.training.banks.engine import PoolingEngine
from lab.training.banks.shards import Bank, make_bank
from lab.training.pictures.canvases import Canvases
from lab.training.pictures.photos import Pixels, TrainingPhoto, digest
from lab.training.teachers.boxes import BoxTeacher, Labels, labels, load_box_teacher

CANVASES_A_SHARD = 25
MOST_LABELS = 400
VIEWS = ("whole", "half", "twice")
VISIBLE = 0.6
"""A box counts on a part of a canvas if so much of it is there."""


@dataclass(frozen=True)
class CanvasRecipe:
    """Everything that decides the bank, beside photos, backbone and teachers."""

    canvases: int = 2400
    side_px: int = 640
    seed: int = 7


@dataclass(frozen=True)
class CanvasShards:
    """Makes shards of so many canvases; a `Maker`.

    Arrays, a row a canvas, for each of VIEWS: `whole_eighth` and `whole_sixteenth` float16
    (channels, rows, columns), and `whole_labels` float32 (MOST_LABELS, 5), corners in the view's
    pixels and how sure they are, 0 where there are fewer.
    """

    photos: Sequence[TrainingPhoto]
    graphs: Path
    teachers: Sequence[Path]
    cache: Path
    recipe: CanvasRecipe

    def __call__(self, number: int) -> Mapping[str, NDArray[Any]]:
        """See Maker."""
        first = number * CANVASES_A_SHARD
        last = min(self.recipe.canvases, first + CANVASES_A_SHARD)
        rows = [self._row(canvas) for canvas in range(first, last)]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    @cached_property
    def _engine(self) -> PoolingEngine:
        return PoolingEngine(self.graphs)

    @cached_property
    def _canvases(self) -> Canvases:
        return Canvases(self.photos, side_px=self.recipe.side_px, seed=self.recipe.seed)

    @cached_property
    def _loaded(self) -> list[BoxTeacher]:
        device = torch.device("cpu")
        return [load_box_teacher(path, self.cache, device, torch.float32) for path in self.teachers]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the networks behind: each process loads its own."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def _row(self, number: int) -> dict[str, NDArray[Any]]:
        canvas, cutouts = self._canvases[number]
        found = labels(canvas, cutouts, self._loaded, MOST_LABELS)
        rng = np.random.default_rng((self.recipe.seed, number, 1))
        half = len(canvas) // 2
        x, y = (int(n) for n in rng.integers(0, half + 1, 2))
        shown: dict[str, tuple[Pixels, Labels]] = {
            "whole": (canvas, found),
            "half": (
                cv2.resize(canvas, (half, half), interpolation=cv2.INTER_AREA),
                found * np.array((0.5, 0.5, 0.5, 0.5, 1), np.float32),
            ),
            "twice": (
                cv2.resize(
                    canvas[y : y + half, x : x + half],
                    (2 * half, 2 * half),
                    interpolation=cv2.INTER_CUBIC,
                ),
                within(found, x, y, half) * np.array((2, 2, 2, 2, 1), np.float32),
            ),
        }
        row: dict[str, NDArray[Any]] = {}
        for name, (pixels, boxes) in shown.items():
            _, eighth, sixteenth = self._engine.fine(pixels)
            row[f"{name}_eighth"] = eighth.astype(np.float16)
            row[f"{name}_sixteenth"] = sixteenth.astype(np.float16)
            padded = np.zeros((MOST_LABELS, 5), np.float32)
            padded[: len(boxes)] = boxes
            row[f"{name}_labels"] = padded
        return row


def make_canvas_bank(shards: CanvasShards, folder: Path, *, workers: int = 1) -> Bank:
    """Make what is missing of the bank in a folder, and open it. Raises ValueError."""
    count = -(-shards.recipe.canvases // CANVASES_A_SHARD)
    recipe = {
        **asdict(shards.recipe),
        "made of": digest(shards.photos),
        "teachers": [path.name for path in shards.teachers],
    }
    return make_bank(folder, recipe, count, shards, workers=workers)


def within(found: Labels, x: int, y: int, side: int) -> Labels:
    """Return the labels that are mostly on a square of a canvas, in its pixels."""
    corners = found[:, :4] - np.array((x, y, x, y), np.float32)
    there = corners.clip(0, side)
    areas, left = ((c[:, 2:] - c[:, :2]).prod(1) for c in (corners, there))
    kept: Labels = np.concatenate((there, found[:, 4:]), 1)[left > VISIBLE * areas]
    return kept
