"""What every training is: steps on batches made beside it, a bar, losses reported, states saved."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from lab.training.run import Run

REPORT_EVERY = 25
SAVE_EVERY_S = 60.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, beside the photos and the teacher: what all have."""

    steps: int
    learning_rate: float
    weight_decay: float
    warmup: int
    """Steps in which the learning rate rises."""
    seed: int = 7


class Part(Protocol):
    """Something that a run changes and has to go on from: a network, an optimiser."""

    def state_dict(self) -> Any:
        """Return what `load_state_dict` goes on from."""

    def load_state_dict(self, state_dict: Any) -> Any:
        """Go on from where `state_dict` was taken."""


RecipeT = TypeVar("RecipeT", bound=Recipe)
Batch = TypeVar("Batch")


class Training(ABC, Generic[RecipeT, Batch]):
    """One run, and the step that it has reached.

    A subclass makes its networks and its optimiser, calls `_resume` at the end of that, and says
    what a step does and which parts it changes.
    """

    name: ClassVar[str]

    def __init__(self, recipe: RecipeT, run: Run, device: torch.device, dtype: torch.dtype) -> None:
        """Begin at step 0; all chance comes from the recipe's seed from here on."""
        torch.manual_seed(recipe.seed)
        self.recipe, self.run, self.device, self.dtype = recipe, run, device, dtype
        self.step = 0

    @abstractmethod
    def _parts(self) -> Mapping[str, Part]:
        """Return what is saved and gone on from, by its name in the state."""

    @abstractmethod
    def _take_step(self, batch: Batch) -> Mapping[str, torch.Tensor]:
        """Take the next step and count it; return its losses, on the device still."""

    def _take_steps(self, batches: Dataset[Batch], workers: int) -> None:
        """Take the steps that are left, each on the batch of its number.

        `workers` processes make batches beside it. Losses are read now and then only: reading one
        waits for the device.
        """
        steps = self.recipe.steps
        loader: Any = DataLoader(
            batches,
            batch_size=None,
            sampler=range(self.step, steps),
            num_workers=workers,
            prefetch_factor=4,
            pin_memory=torch.cuda.is_available(),
        )
        saved = time.monotonic()
        bar = tqdm(loader, total=steps, initial=self.step, desc=self.name, unit="step")
        for step, batch in enumerate(bar, start=self.step + 1):
            losses = self._take_step(batch)
            if step % REPORT_EVERY == 0 or step == steps:
                figures = {name: loss.item() for name, loss in losses.items()}
                bar.set_postfix({name: f"{value:.3f}" for name, value in figures.items()})
                self.run.report(step, figures)
            if time.monotonic() - saved >= SAVE_EVERY_S or step == steps:
                self._save()
                saved = time.monotonic()

    def _paced(self, most: float, least_share: float = 0.0) -> float:
        """Return what a learning rate of `most` is at this step.

        It rises in a line, then falls by half a cosine to a share of `most`.
        """
        warm = min(1.0, (self.step + 1) / self.recipe.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * self.step / self.recipe.steps))
        return most * warm * (least_share + (1 - least_share) * cosine)

    def _save(self) -> None:
        """Keep the state to go on from."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        self.run.save({"recipe": asdict(self.recipe), "step": self.step, **parts})

    def _resume(self) -> None:
        """Go on from the state that was kept, if there is one."""
        state = self.run.load(asdict(self.recipe))
        if state is None:
            return
        self.step = state["step"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
