"""The loop of a run: batches made beside it, a bar, losses reported, states saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from lab.training.run import Run

REPORT_EVERY = 25
SAVE_EVERY_S = 60.0
Batch = TypeVar("Batch")


def take_steps(
    run: Run,
    batches: Dataset[Batch],
    *,
    name: str,
    done: int,
    steps: int,
    workers: int,
    take: Callable[[Batch], Mapping[str, torch.Tensor]],
    save: Callable[[], None],
) -> None:
    """Take the steps from `done` up to `steps`, each on the batch of its number.

    `workers` processes make batches beside it. `take` takes a step and returns its losses, which
    are read now and then only: reading one waits for the device. `save` keeps the state to go on
    from.
    """
    left = range(done, steps)
    loader: Any = DataLoader(
        batches,
        batch_size=None,
        sampler=left,
        num_workers=workers,
        prefetch_factor=4,
        pin_memory=torch.cuda.is_available(),
    )
    saved = time.monotonic()
    bar = tqdm(loader, total=steps, initial=done, desc=name, unit="step")
    for step, batch in enumerate(bar, start=done + 1):
        losses = take(batch)
        if step % REPORT_EVERY == 0 or step == steps:
            figures = {name: loss.item() for name, loss in losses.items()}
            bar.set_postfix({name: f"{value:.3f}" for name, value in figures.items()})
            run.report(step, figures)
        if time.monotonic() - saved >= SAVE_EVERY_S or step == steps:
            save()
            saved = time.monotonic()
