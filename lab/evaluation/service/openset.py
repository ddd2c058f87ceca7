"""Knowing when nothing is there: precision, recall and calibration. Only numpy.

Every question is asked twice: among all photos, and among all but those that are right. `Twice`
keeps the two answers together, also when questions are resampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.bootstrap import Estimate, mean_interval, statistic_interval

PRECISION = 0.9
"""The precision at which recall is asked for."""
BINS = 10

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Twice:
    """Of n questions, (n, 2): among all photos, and among those where nothing is to be found.

    `confidence` of the answer, whichever scale; `right`: its first photo is right (never in the
    second column). `said` is whether the service says that it found it; None where it says nothing.
    """

    confidence: Floats
    right: Bools
    said: Bools | None = None

    def __post_init__(self) -> None:
        if self.confidence.shape != self.right.shape or self.confidence.shape[1:] != (2,):
            raise ValueError("both answers of each question are needed")
        if self.right[:, 1].any():
            raise ValueError("where nothing is to be found no answer is right")

    def __len__(self) -> int:
        return len(self.right)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Twice:
        """Return the chosen questions."""
        said = None if self.said is None else self.said[chosen]
        return Twice(self.confidence[chosen], self.right[chosen], said)

    def found(self) -> Curve:
        """Return precision and recall of saying `found` above each confidence.

        Right is only the right photo: another one, however sure, is a false alarm.
        """
        return curve(self.confidence.ravel(), self.right.ravel(), len(self))

    def not_found(self) -> Curve:
        """Return precision and recall of saying `not found` below each confidence.

        Right is only where nothing was to be found: giving up on what is there is a false alarm.
        """
        absent = np.broadcast_to([False, True], self.right.shape)
        return curve(-self.confidence.ravel(), absent.ravel(), len(self))


@dataclass(frozen=True)
class Curve:
    """Precision and recall, 0..1, when everything from each confidence up is claimed."""

    confidence: Floats
    precision: Floats
    recall: Floats

    def recall_at(self, precision: float) -> float:
        """Return the best recall at which the precision holds; 0 where it never does."""
        holds = self.precision >= precision
        return float(self.recall[holds].max()) if holds.any() else 0.0

    def confidence_at(self, precision: float) -> float:
        """Return the lowest confidence down to which the precision holds; infinite where never."""
        holds = self.precision >= precision
        return float(self.confidence[holds].min()) if holds.any() else float("inf")


def curve(confidence: Floats, right: Bools, wanted: int) -> Curve:
    """Return the curve of claims (n,) of which `wanted` could be right, surest first.

    Claims of equal confidence are made together.
    """
    order = np.argsort(-confidence, kind="stable")
    good = np.cumsum(right[order])
    last = np.append(np.diff(confidence[order]) != 0, True)[: len(order)]
    made = np.arange(1, len(order) + 1)
    return Curve(confidence[order][last], (good / made)[last], (good / max(1, wanted))[last])


def recalls_at(twice: Twice, precision: float = PRECISION) -> tuple[Estimate, ...]:
    """Return three recalls at that precision, with intervals.

    Of `found` where `found` is so precise; of `not found` there, by the same threshold; and of
    `not found` where `not found` itself is so precise.
    """

    def turned_away(some: Twice) -> float:
        return float((some.confidence[:, 1] < some.found().confidence_at(precision)).mean())

    return (
        statistic_interval(lambda rows: twice[rows].found().recall_at(precision), len(twice)),
        statistic_interval(lambda rows: turned_away(twice[rows]), len(twice)),
        statistic_interval(lambda rows: twice[rows].not_found().recall_at(precision), len(twice)),
    )


def said(twice: Twice, said: Bools) -> dict[str, Estimate]:
    """Return precision and recall of a rule that says of each of (n, 2) answers `found` or not."""
    right, absent = twice.right, np.broadcast_to([False, True], twice.right.shape)
    return {
        "found: precision": mean_interval(right[said]),
        "found: recall": mean_interval((said & right)[:, 0]),
        "not found: precision": mean_interval(absent[~said]),
        "not found: recall": mean_interval(~said[:, 1]),
    }


@dataclass(frozen=True)
class Bin:
    """Answers of about one probability: its mean, and the share that was right."""

    probability: float
    right: Estimate


@dataclass(frozen=True)
class Calibration:
    """How well probabilities tell what share is right.

    `error` is the expected calibration error (Guo et al., 2017): the mean distance of the bins
    from the diagonal, by their sizes. `brier` is the mean squared error.
    """

    bins: tuple[Bin, ...]
    error: float
    brier: float


def calibration(probability: Floats, right: Bools) -> Calibration:
    """Return how (n,) probabilities, 0..1, compare with what was right."""
    place = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    bins = tuple(
        Bin(float(probability[place == n].mean()), mean_interval(right[place == n]))
        for n in np.unique(place)
    )
    total = max(1, len(right))
    error = sum(abs(b.probability - b.right.value) * b.right.of for b in bins) / total
    brier = float(((probability - right) ** 2).mean()) if len(right) else float("nan")
    return Calibration(bins, error, brier)
