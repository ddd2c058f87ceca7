"""Numbers rounded to 8 bits, so that every processor computes the same with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.training.int8.ranges import Range

Floats = NDArray[np.float32]

MAP_STEPS, WEIGHT_STEPS = 255, 127
MOST_OF_A_PAIR = 32767 / MAP_STEPS
"""AVX2 adds products of two neighbouring input channels in 16 bits, and cuts off what is more.

Processors with VNNI do not. Where no two weights beside each other exceed this together, both give
the same. Halving all weights instead (ONNX Runtime's `reduce_range`) costs every weight a bit.
"""
MOST_OF_A_BIAS = 2**30


@dataclass(frozen=True)
class MapScale:
    """How a map is told in uint8: number = (byte - zero) * step."""

    step: np.float32
    zero: np.uint8

    @classmethod
    def of(cls, low: float, high: float) -> MapScale:
        """Spread the bytes over what was measured; zero, which surrounds a map, is exact."""
        step = max((high - low) / MAP_STEPS, 1e-8)
        return cls(np.float32(step), np.uint8(round(-low / step)))


@dataclass(frozen=True)
class Rounded:
    """A convolution in whole numbers: int8 weights, int32 bias, a step for each output channel."""

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    steps: Floats


def rounded(weights: Floats, bias: Floats, seen: Range, scale: MapScale) -> Rounded:
    """Return a convolution rounded: weights (out, in, rows, columns), `seen` of the map it sees.

    1 x 1 over all channels, or depthwise. What rounding adds to the mean of an output is taken off
    its bias (Nagel et al., "Data-Free Quantization", 2019).
    """
    flat = weights.reshape(len(weights), -1)
    depthwise = weights.shape[1] == 1
    most = _least_steps(flat, pairs=not depthwise)
    # A channel that is always the same has weights near nothing: its bias still has to fit.
    least = np.abs(bias) / (scale.step * MOST_OF_A_BIAS)
    steps = np.maximum(most, np.maximum(least, 1e-12)).astype(np.float32)
    whole = _whole(flat, steps)
    off = whole * steps[:, None] - flat
    bias = bias - (off.sum(axis=1) * seen.means if depthwise else off @ seen.means)
    return Rounded(
        whole.astype(np.int8).reshape(weights.shape),
        np.rint(bias.astype(np.float64) / (steps.astype(np.float64) * scale.step)).astype(np.int32),
        steps,
    )


def whole_rows(rows: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return a matrix (out, in) in whole numbers, and a step for each row."""
    steps = np.maximum(_least_steps(rows, pairs=True), 1e-12).astype(np.float32)
    return _whole(rows, steps).astype(np.int8), steps


def _least_steps(rows: Floats, *, pairs: bool) -> Floats:
    """Return the least step of each row that lets its weights fit, and its pairs if asked for."""
    most: Floats = np.abs(rows).max(axis=1) / WEIGHT_STEPS
    if pairs:
        most = np.maximum(most, _of_pairs(rows) / (MOST_OF_A_PAIR - 1))  # rounding may add one
    return most


def _whole(rows: Floats, steps: Floats) -> Floats:
    whole: Floats = np.rint(rows / steps[:, None]).clip(-WEIGHT_STEPS, WEIGHT_STEPS)
    return whole


def _of_pairs(flat: Floats) -> Floats:
    """Return the largest sum of one sign that two neighbouring weights of each row have."""
    pairs = flat.reshape(len(flat), -1, 2)
    sums = [np.maximum(sign * pairs, 0).sum(axis=2).max(axis=1) for sign in (1, -1)]
    most: Floats = np.maximum(*sums)
    return most
