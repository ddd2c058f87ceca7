"""The committed vocabulary: how descriptors are shortened, and which visual words they are.

A word is a pair of cells, one in each half of the shortened descriptor: an inverted multi-index
(Babenko and Lempitsky, 2012). A thousand centres a half make a million words from a small file.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import InvalidSettings
from worker.local.parts import Bytes
from worker.local.scales import Floats
from worker.local.surroundings import DESCRIPTOR_SCALE, DIM

SHORT = 64
"""Dimensions of a shortened descriptor: they hold 95 % of the variance."""
DEFAULT_PATH = Path(__file__).parents[2] / "models" / "local" / "vocabulary.npz"
TOGETHER = 256
"""Descriptors that are compared at a time: their products stay in the processor's cache."""
Words = NDArray[np.int64]
Cells = NDArray[np.int64]
Near = tuple[Cells, Floats]


@dataclass(frozen=True)
class Vocabulary:
    """What `lab/training/words.py` made of many images' descriptors.

    `mean` float32 (128,), `basis` float32 (128, 64): principal components. `spread` float32 (64,):
    their standard deviations. `centres` float32 (2, cells, 32): the cells of the even and of the
    odd components. `background` float32 (B, 64): shortened descriptors of unrelated images.
    """

    id: str
    mean: Floats
    basis: Floats
    spread: Floats
    centres: Floats
    background: Floats = field(repr=False)

    @classmethod
    def load(cls, path: Path = DEFAULT_PATH) -> Vocabulary:
        """Read the file. Raises InvalidSettings when it is not there or not one."""
        try:
            content = path.read_bytes()
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                parts = {name: arrays[name].astype(np.float32) for name in arrays.files}
            return cls(id=hashlib.sha256(content).hexdigest()[:8], **parts)
        except (OSError, ValueError, TypeError) as exc:
            raise InvalidSettings(f"{path} is no vocabulary of local features.") from exc

    def shorten(self, descriptors: Bytes) -> Floats:
        """Return shortened descriptors, float32 (N, 64), of uint8 (N, 128)."""
        if not len(descriptors):
            return np.zeros((0, SHORT), np.float32)
        centred: Floats = descriptors.reshape(-1, DIM).astype(np.float32)
        centred /= DESCRIPTOR_SCALE
        centred -= self.mean
        short: Floats = centred @ self.basis
        return short

    def words(self, short: Floats) -> Words:
        """Return each descriptor's nearest word, int64 (N,) below cells squared."""
        first, second = (cells[:, 0] for cells, _ in self.near_cells(short, 1))
        words: Words = first * self.cells + second
        return words

    @property
    def cells(self) -> int:
        """Cells of each half: a word is its first half's cell times this, plus its second's."""
        return int(self.centres.shape[1])

    def near_cells(self, short: Floats, count: int) -> tuple[Near, Near]:
        """Return the `count` nearest cells of each half, nearest first, and squared distances.

        Shapes (N, count): int64 below `cells`, and float32.
        """
        first, second = (
            _nearest(short[:, half::2], across, min(count, self.cells))
            for half, across in enumerate(self._halves)
        )
        return first, second

    def nearest_background(self, short: Floats) -> Floats:
        """Return each descriptor's squared distance to the nearest of unrelated images, (N,)."""
        return _nearest(short, self._behind, 1)[1][:, 0]

    @cached_property
    def _halves(self) -> list[Floats]:
        return [_across(centres) for centres in self.centres]

    @cached_property
    def _behind(self) -> Floats:
        return _across(self.background)


def _across(centres: Floats) -> Floats:
    """Return (dim + 1, N) float32, by which one product tells how near descriptors are.

    It is half of what a squared distance falls short of the descriptor's own square.
    """
    return np.ascontiguousarray(np.vstack([centres.T, -(centres * centres).sum(axis=1) / 2]))


def _nearest(short: Floats, across: Floats, count: int) -> tuple[Words, Floats]:
    """Return the `count` nearest centres, nearest first, and their squared distances."""
    parts = [
        _best(short[start : start + TOGETHER], across, count)
        for start in range(0, max(len(short), 1), TOGETHER)
    ]
    found, nearness = (np.concatenate(part) for part in zip(*parts, strict=True))
    squares = (short * short).sum(axis=1)[:, None]
    return found, np.maximum(squares - 2 * nearness, 0.0)


def _best(short: Floats, across: Floats, count: int) -> tuple[Words, Floats]:
    """Return the `count` columns of largest product with (short, 1), best first, and those."""
    products = np.hstack([short, np.ones((len(short), 1), np.float32)]) @ across
    found = products.argmax(axis=1)[:, None] if count == 1 else _largest(products, count)
    return found, np.take_along_axis(products, found, 1)


def _largest(products: Floats, count: int) -> Words:
    """Return the columns of each row's `count` largest numbers, largest first.

    Numbers and columns are put into one integer each, whose order is theirs: that is twice as fast
    as `argpartition`. The columns take the place of the last bits: of a thousand columns, numbers
    that differ by less than an eight-thousandth of their size pass for equal.
    """
    columns = products.shape[1]
    last = (1 << (columns - 1).bit_length()) - 1
    bits = products.view(np.int32)
    keys = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    keys &= np.int32(~last)
    keys |= np.arange(last, last - columns, -1, dtype=np.int32)
    largest = np.partition(keys, -count, axis=1)[:, -count:]
    largest.sort(axis=1)
    found: Words = last - (largest[:, ::-1] & last).astype(np.int64)
    return found
