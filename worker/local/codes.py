"""Shortened descriptors in a few bits: many for the components that vary much, few for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from worker.local.scales import Floats
from worker.local.vocabulary import Vocabulary
from worker.native.matching import Coded

Bytes = NDArray[np.uint8]

CODE_BYTES = 16
"""Bytes of a descriptor. 24 of them halve the error, and find no more."""
MOST_BITS = 4
# Of uniform levels for a normal distribution of deviation 1, by their number of bits (Max, 1960):
_ERRORS = np.array([1.0, 0.3634, 0.1188, 0.0374, 0.0115])
_STEPS = np.array([0.0, 1.596, 0.9957, 0.586, 0.3352])


@dataclass(frozen=True)
class Code:
    """How a vocabulary's descriptors are coded: levels of each component, written bit by bit.

    `levels` and `steps` float32 (64,): how many, and how far apart. `components` and `shifts`
    (bits,): where each bit of a code is from. `values` float32 (bits, 64) and `least` (64,):
    a descriptor is its bits times those, and this.
    """

    levels: Floats
    steps: Floats
    components: NDArray[np.intp]
    shifts: Bytes
    values: Floats
    least: Floats

    @classmethod
    @lru_cache(maxsize=4)
    def of(cls, spread: tuple[float, ...]) -> Code:
        """Share out the bits so that the error is least, for components of those deviations."""
        deviations = np.array(spread)
        bits = np.zeros(len(spread), np.intp)
        for _ in range(8 * CODE_BYTES):
            gains = deviations**2 * (_ERRORS[bits] - _ERRORS[np.minimum(bits + 1, MOST_BITS)])
            bits[gains.argmax()] += 1
        steps = deviations * _STEPS[bits]
        components = np.repeat(np.arange(len(spread)), bits)
        shifts = np.concatenate([np.arange(count) for count in bits]).astype(np.uint8)
        values = np.zeros((len(components), len(spread)), np.float32)
        values[np.arange(len(components)), components] = steps[components] * 2.0**shifts
        levels = 2.0**bits
        least = (0.5 - levels / 2) * steps
        return cls(
            levels.astype(np.float32),
            np.where(bits > 0, steps, 1).astype(np.float32),
            components,
            shifts,
            values,
            least.astype(np.float32),
        )

    @cached_property
    def coded(self) -> Coded:
        """How kernels read the codes."""
        return Coded.of(self.values, self.least)

    def packed(self, vectors: Floats) -> Bytes:
        """Return the codes of descriptors (N, 64), uint8 (N, CODE_BYTES)."""
        levels = np.floor(vectors / self.steps) + self.levels / 2
        whole = np.clip(levels, 0, self.levels - 1).astype(np.uint8)
        bits = whole[:, self.components] >> self.shifts & 1
        return np.packbits(bits, axis=1)

    def vectors(self, packed: Bytes) -> Floats:
        """Return descriptors, float32 (N, 64), of their codes."""
        bits = np.unpackbits(packed, axis=1).astype(np.float32)
        vectors: Floats = bits @ self.values
        vectors += self.least
        return vectors


def code_of(vocabulary: Vocabulary) -> Code:
    """Return how a vocabulary's descriptors are coded."""
    return Code.of(tuple(vocabulary.spread.tolist()))
