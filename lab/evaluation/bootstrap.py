"""How certain a mean is: percentile bootstrap intervals (Efron, 1979), always of the same dice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
STATISTIC_RESAMPLES = 300
"""Fewer, because each of them is computed on its own."""
LEVEL = 0.95
_AT_ONCE = 4_000_000
"""Values drawn at once, which bounds the memory."""


@dataclass(frozen=True)
class Estimate:
    """A mean over `of` values, and the ends of its interval; all of them NaN of no values."""

    value: float
    low: float
    high: float
    of: int


def mean_interval(values: NDArray[np.generic], *, seed: int = 0) -> Estimate:
    """Return the mean of (n,) values and its 95 % percentile bootstrap interval.

    The values are resampled; give one a query, not one a photo found.
    """
    numbers = np.asarray(values, np.float64)
    if not len(numbers):
        return Estimate(np.nan, np.nan, np.nan, 0)
    means = _resampled_means(numbers, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(numbers.mean()), float(low), float(high), len(numbers))


def difference_interval(
    first: NDArray[np.generic], second: NDArray[np.generic], *, seed: int = 0
) -> Estimate:
    """Return the mean of `first - second`, two (n,) measures of the same queries, in pairs.

    A pair stays together when it is resampled: what makes a query hard for both cancels out.
    Raises ValueError where the lengths differ.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are no pairs")
    gain = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return mean_interval(gain, seed=seed)


def statistic_interval(
    statistic: Callable[[NDArray[np.int64]], float], of: int, *, seed: int = 0
) -> Estimate:
    """Return a statistic of `of` values that is no mean, with its interval.

    `statistic` gets the places of the values that count, shape (of,), one of them perhaps twice.
    Resamples of which it says NaN are left out.
    """
    if not of:
        return Estimate(np.nan, np.nan, np.nan, 0)
    rng = np.random.default_rng(seed)
    drawn = np.array([statistic(rng.integers(0, of, of)) for _ in range(STATISTIC_RESAMPLES)])
    drawn = drawn[~np.isnan(drawn)]
    ends = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    low, high = np.quantile(drawn, ends) if len(drawn) else (np.nan, np.nan)
    return Estimate(float(statistic(np.arange(of))), float(low), float(high), of)


def _resampled_means(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    rows = max(1, _AT_ONCE // len(values))
    parts = []
    for start in range(0, RESAMPLES, rows):
        drawn = rng.integers(0, len(values), (min(rows, RESAMPLES - start), len(values)))
        parts.append(values[drawn].mean(axis=1))
    return np.concatenate(parts)
