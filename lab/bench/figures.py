"""What was measured, and what follows from it. Pure: nothing here measures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

PLAIN, IN_PROCESS, HTTP = "plain pipeline", "Needle in process", "Needle over HTTP"
LIMIT, BASELINE = "forward passes alone", "baseline over HTTP"
SMALL, LARGE = "small", "large"
OTHER, WHOLE = "other", "whole"


@dataclass(frozen=True)
class Spent:
    """Seconds: those that passed, and those of processors, of every thread together."""

    wall_s: float
    cpu_s: float

    def __add__(self, other: Spent) -> Spent:
        """Return both together."""
        return Spent(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    @classmethod
    def of(cls, every: Iterable[Spent]) -> Spent:
        """Return the sum of all."""
        return sum(every, Spent(0.0, 0.0))


@dataclass(frozen=True)
class Run:
    """Photos that one way of indexing went through. `profile` is None where there is none."""

    way: str
    size: str
    profile: str | None
    photos: int
    megapixels: float
    spent: Spent

    @property
    def photos_per_s(self) -> float:
        """Photos a second that passed."""
        return _per(self.photos, self.spent.wall_s)

    @property
    def megapixels_per_s(self) -> float:
        """Megapixels a second that passed."""
        return _per(self.megapixels, self.spent.wall_s)

    @property
    def cpu_s_per_photo(self) -> float:
        """Seconds of processors that a photo takes."""
        return _per(self.spent.cpu_s, self.photos)


@dataclass(frozen=True)
class Ratio:
    """How many times the photos a second of another way one way of indexing has.

    `cpu` is the same of processor seconds: what it would be if all processors were always busy.
    """

    of: str
    to: str
    size: str
    profile: str | None
    wall: float
    cpu: float


def stages(laps: Mapping[str, Spent], whole: Spent) -> dict[str, Spent]:
    """Return the stages with what no stage accounts for, so that they sum up to the whole.

    A negative rest would mean that something was counted twice: it is shown as it is.
    """
    counted = Spent.of(laps.values())
    rest = Spent(whole.wall_s - counted.wall_s, whole.cpu_s - counted.cpu_s)
    return {**laps, OTHER: rest, WHOLE: whole}


def ratios(runs: Sequence[Run]) -> list[Ratio]:
    """Return Needle's ratios to the plain pipeline, to its own limit and to the baseline.

    Only what saw the same photos is compared. A baseline is held against Needle over HTTP on the
    photos that both took in turns, which are runs of their own: see `turns`.
    """
    found = []
    for run in runs:
        if run.way in (IN_PROCESS, HTTP):
            for other in runs:
                fits = other.way == PLAIN or (other.way == LIMIT and other.profile == run.profile)
                if fits and _comparable(run, other):
                    found.append(ratio(run, other))
    return found


def ratio(run: Run, other: Run) -> Ratio:
    """Return how many times the photos a second of `other` the run has."""
    return Ratio(
        of=run.way,
        to=other.way,
        size=run.size,
        profile=run.profile,
        wall=_per(run.photos_per_s, other.photos_per_s),
        cpu=_per(other.cpu_s_per_photo, run.cpu_s_per_photo),
    )


def summed(runs: Sequence[Run]) -> Run:
    """Return several turns of one way as one run. Raises ValueError without any."""
    if not runs:
        raise ValueError("there are no turns")
    first = runs[0]
    return Run(
        first.way,
        first.size,
        first.profile,
        sum(run.photos for run in runs),
        sum(run.megapixels for run in runs),
        Spent.of(run.spent for run in runs),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` (0..1) of all do not exceed; NaN without any."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def run_of(raw: Mapping[str, Any]) -> Run:
    """Read what `asdict` made of a run."""
    return Run(**{**raw, "spent": Spent(**raw["spent"])})


def as_json(run: Run) -> dict[str, Any]:
    """Return a run as JSON carries it, with what follows from it."""
    derived = ("photos_per_s", "megapixels_per_s", "cpu_s_per_photo")
    return asdict(run) | {name: getattr(run, name) for name in derived}


def _comparable(run: Run, other: Run) -> bool:
    return run.size == other.size and math.isclose(run.megapixels, other.megapixels)


def _per(value: float, by: float) -> float:
    return value / by if by else math.nan
