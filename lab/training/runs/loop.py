"""What every training is: steps on batches made beside it, a bar, losses reported, states saved."""

from __future__ import annotations

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from lab.training.runs.run import Run

REPORT_EVERY = 25
SAVE_EVERY_S = 60.0
MOST_NORM = 5.0
"""Longer gradients are shortened to this."""
MOST_DECAY = 0.99
"""Of the running average: what it keeps of itself at a step, in the end."""
SEEDS = 1_000_000
"""More than a run has steps: each step of each run draws numbers of its own."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a head's weights, beside its bank: what all have."""

    steps: int
    learning_rate: float
    """The highest: it rises to this in a tenth of the steps, then falls."""
    weight_decay: float
    seed: int = 7


class Part(Protocol):
    """Something that a run changes and has to go on from: a network, an optimiser."""

    def state_dict(self) -> Any:
        """Return what `load_state_dict` goes on from."""

    def load_state_dict(self, state_dict: Any) -> Any:
        """Go on from where `state_dict` was taken."""


HeadT = TypeVar("HeadT", bound=nn.Module)
RecipeT = TypeVar("RecipeT", bound=Recipe)
Batch = TypeVar("Batch")


class Training(ABC, Generic[HeadT, RecipeT, Batch]):
    """One run, and the step that it has reached.

    A subclass says what its losses are, on a batch that its dataset makes from a step's number.
    """

    name: ClassVar[str]

    def __init__(
        self,
        head: HeadT,
        recipe: RecipeT,
        run: Run,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Go on from the state in the run's folder, or begin at step 0.

        All chance of a step comes from the recipe's seed and the step's number. Raises ValueError
        where the folder holds a run of another recipe.
        """
        self.head: HeadT = head.to(device).train()
        self.average: HeadT = copy.deepcopy(self.head)
        """The running average of the head, which is what ships."""
        self.recipe, self.run, self.device, self.dtype = recipe, run, device, dtype
        self.step = 0
        self._optimiser = torch.optim.AdamW(
            head.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self._resume()

    @abstractmethod
    def losses(self, batch: Batch) -> Mapping[str, torch.Tensor]:
        """Return the losses of a batch by name; their sum falls."""

    def take_step(self, batch: Batch) -> Mapping[str, torch.Tensor]:
        """Take the next step and count it; return its losses, on the device still."""
        torch.manual_seed(SEEDS * self.recipe.seed + self.step)
        for group in self._optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * pace(self.step, self.recipe.steps)
        losses = self.losses(batch)
        self._optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.head.parameters(), MOST_NORM)
        if norm.isfinite():  # a step from nowhere would end a run of hours
            self._optimiser.step()
        self._move_average()
        self.step += 1
        return {name: loss.detach() for name, loss in losses.items()}

    def train(self, batches: Dataset[Batch], *, workers: int = 0) -> None:
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
            prefetch_factor=4 if workers else None,
            pin_memory=torch.cuda.is_available(),
        )
        saved = time.monotonic()
        bar = tqdm(loader, total=steps, initial=self.step, desc=self.name, unit="step")
        for step, batch in enumerate(bar, start=self.step + 1):
            losses = self.take_step(batch)
            if step % REPORT_EVERY == 0 or step == steps:
                figures = {name: loss.item() for name, loss in losses.items()}
                bar.set_postfix({name: f"{value:.3f}" for name, value in figures.items()})
                self.run.report(step, figures)
            if time.monotonic() - saved >= SAVE_EVERY_S or step == steps:
                self.save()
                saved = time.monotonic()

    def _move_average(self) -> None:
        """Move the average towards the head: about the last tenth of the steps counts."""
        decay = min(MOST_DECAY, self.step / (self.step + 10))
        state = self.head.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(state[name], 1 - decay)
            else:
                value.copy_(state[name])

    def save(self) -> None:
        """Keep the state to go on from."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        self.run.save({"recipe": asdict(self.recipe), "step": self.step, **parts})

    def _parts(self) -> Mapping[str, Part]:
        """Return what is saved and gone on from, by its name in the state."""
        return {"head": self.head, "average": self.average, "optimiser": self._optimiser}

    def _resume(self) -> None:
        """Go on from the state that was kept, if there is one."""
        state = self.run.load(asdict(self.recipe))
        if state is None:
            return
        self.step = state["step"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])


def pace(step: int, steps: int) -> float:
    """Return the learning rate of a step as a share of the highest.

    It rises in a line in the first tenth of the steps, then falls by half a cosine.
    """
    risen = max(1, steps // 10)
    if step < risen:
        return (step + 1) / risen
    return 0.5 * (1 + math.cos(math.pi * (step - risen) / (steps - risen)))
