"""What a training run keeps on disk: its state, to go on from; its losses, to look at."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


class Run:
    """A folder with `state.pt` (the last state saved) and `losses.csv` (a row a report)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._losses = folder / "losses.csv"
        self._state = folder / "state.pt"

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the state in one step: a kill leaves the old one or the new one."""
        partial = self._state.with_suffix(".part")
        torch.save(dict(state), partial)
        os.replace(partial, self._state)

    def load(self, recipe: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the state to go on from, or None; ValueError where its recipe is another."""
        if not self._state.is_file():
            return None
        state: dict[str, Any] = torch.load(self._state, weights_only=True)
        if state["recipe"] != dict(recipe):
            raise ValueError(f"{self.folder} holds a run of another recipe; choose another --work")
        return state

    def report(self, step: int, figures: Mapping[str, float]) -> None:
        """Append a row to the losses; the columns are those of the first row."""
        fresh = not self._losses.is_file()
        with self._losses.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["step", *figures])
            writer.writerow([step, *(f"{value:.5g}" for value in figures.values())])
