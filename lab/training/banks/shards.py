"""Arrays on disk in shards: made one by one, beside each other, kept, and read as one by row."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

Arrays = Mapping[str, NDArray[Any]]
"""Arrays by name, all of as many rows."""
RECIPE = "recipe.json"


class Maker(Protocol):
    """Makes a shard from its number alone. Is handed to other processes, so it can be pickled."""

    def __call__(self, number: int) -> Arrays:
        """Return the arrays of a shard."""
        ...


def make_bank(
    folder: Path, recipe: Mapping[str, Any], shards: int, maker: Maker, *, workers: int = 1
) -> Bank:
    """Make the shards that are not in the folder yet, and open them all.

    A shard is there whole or not at all: what was stopped goes on where it was. Raises ValueError
    where the folder holds a bank of another recipe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / RECIPE
    text = json.dumps(dict(recipe), indent=1)
    if written.is_file() and written.read_text(encoding="utf-8") != text:
        raise ValueError(f"{folder} holds a bank of another recipe; choose another --work")
    written.write_text(text, encoding="utf-8")
    missing = [number for number in range(shards) if not _place(folder, number).is_dir()]
    bar = tqdm(total=shards, initial=shards - len(missing), desc=folder.name, unit="shard")
    with bar:
        if workers <= 1:
            for number in missing:
                _write(folder, number, maker(number))
                bar.update()
        else:
            _beside_each_other(folder, missing, maker, workers, bar)
    return Bank(folder, shards)


class Bank:
    """The shards of a folder as one; arrays stay on disk and are read by row."""

    def __init__(self, folder: Path, shards: int) -> None:
        self._shards = [_opened(_place(folder, number)) for number in range(shards)]
        sizes = [len(next(iter(shard.values()))) for shard in self._shards]
        self._starts = np.concatenate(([0], np.cumsum(sizes)))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def whole(self, name: str) -> NDArray[Any]:
        """Return all rows of an array, in memory."""
        return np.concatenate([shard[name] for shard in self._shards])

    def rows(self, name: str, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """Return some rows of an array, in their order."""
        wanted = np.asarray(rows, np.int64)
        first = self._shards[0][name]
        taken = np.empty((len(wanted), *first.shape[1:]), first.dtype)
        holders = np.searchsorted(self._starts, wanted, side="right") - 1
        for holder in np.unique(holders):
            at = np.flatnonzero(holders == holder)
            taken[at] = self._shards[holder][name][wanted[at] - self._starts[holder]]
        return taken


def _opened(folder: Path) -> dict[str, NDArray[Any]]:
    return {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}"


def _write(folder: Path, number: int, arrays: Arrays) -> None:
    place = _place(folder, number)
    partial = place.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name, array in arrays.items():
        np.save(partial / f"{name}.npy", array)
    partial.rename(place)


def _beside_each_other(
    folder: Path, missing: Sequence[int], maker: Maker, workers: int, bar: Any
) -> None:
    """Make shards in processes of their own, one thread each."""
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, _begin, (folder, maker)) as pool:
        for _ in pool.map(_work, missing):
            bar.update()


_given: list[tuple[Path, Maker]] = []
"""What this process was started with."""


def _begin(folder: Path, maker: Maker) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _given.append((folder, maker))


def _work(number: int) -> None:
    folder, maker = _given[0]
    _write(folder, number, maker(number))
