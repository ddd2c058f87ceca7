"""Running many items through a network in batches that fit into memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from common.errors import DeviceUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger(__name__)


def map_batches(
    run: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item], batch_size: int
) -> list[Result]:
    """Return `run`'s results for all items, in their order, at most `batch_size` at a time.

    When the GPU runs out of memory the batch is halved, for the rest of the call, and tried
    again. Raises DeviceUnavailable when not even a single item fits.
    """
    results: list[Result] = []
    while len(results) < len(items):
        batch = items[len(results) : len(results) + batch_size]
        done = _try(run, batch)
        if done is None:
            batch_size = max(1, len(batch) // 2)
            torch.cuda.empty_cache()
            log.warning("the GPU is out of memory: going on in batches of %d", batch_size)
        else:
            results.extend(done)
    return results


def _try(
    run: Callable[[Sequence[Item]], Sequence[Result]], batch: Sequence[Item]
) -> Sequence[Result] | None:
    """Return the results, or None when the batch did not fit.

    A function of its own, so that the traceback, which keeps the failed batch's tensors alive,
    is gone before the caller empties the cache.
    """
    try:
        return run(batch)
    except torch.cuda.OutOfMemoryError as exc:
        if len(batch) > 1:
            return None
        raise DeviceUnavailable(
            "The GPU has too little free memory for a single image: "
            "free some of it, or set NEEDLE_DEVICE to cpu or to another GPU"
        ) from exc
