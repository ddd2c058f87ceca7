"""The loop of a run: batches made beside it, a bar, losses reported, states saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from training.run import Run

REPORT_EVERY = 25
SAVE_EVERY = 200
Batch = TypeVar("Batch")


def take_steps(
    run: Run,
    batches: Dataset[Batch],
    *,
    name: str,
    done: int,
    steps: int,
    take: Callable[[Batch], Mapping[str, float]],
    save: Callable[[], None],
) -> None:
    """Take the steps from `done` up to `steps`, each on the batch of its number.

    `take` takes one and returns its losses, `save` keeps the state to go on from.
    """
    left = range(done, steps)
    loader: Any = DataLoader(
        batches, batch_size=None, sampler=left, num_workers=1, prefetch_factor=4
    )
    bar = tqdm(loader, total=steps, initial=done, desc=name, unit="step")
    for step, batch in enumerate(bar, start=done + 1):
        figures = take(batch)
        if step % REPORT_EVERY == 0:
            bar.set_postfix({name: f"{value:.3f}" for name, value in figures.items()})
            run.report(step, figures)
        if step % SAVE_EVERY == 0 or step == steps:
            save()
