"""What was answered under load, and what follows from it. Pure: nothing here measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lab.bench.figures import percentile

ANSWERED, TOO_MANY = 200, 429


@dataclass(frozen=True)
class Asked:
    """One search: when it was due and when it was answered, seconds of one clock; its status.

    202 is a search that had not ended when it was given up; 0 one that got no answer.
    """

    due: float
    at: float
    status: int
    retry_s: float = 0.0

    @property
    def refused(self) -> bool:
        """Tell whether it was refused because of too much load."""
        return self.status == TOO_MANY


@dataclass(frozen=True)
class Step:
    """One load for a while. `per_s` are answers with a result a second, once it had settled.

    `p50_s` and `p95_s` are of those, `refused_p95_s` of refusals; `failed` is all else.
    """

    name: str
    asked: int
    per_s: float
    refused: int
    failed: int
    p50_s: float
    p95_s: float
    refused_p95_s: float


def step(name: str, every: Sequence[Asked], began: float, settled_s: float, seconds: float) -> Step:
    """Sum up what was asked from `began` on, for `seconds`, of which the first are left out.

    An answer counts where it arrives: what comes after the end counts for nobody.
    """
    since, until = began + settled_s, began + seconds
    inside = [asked for asked in every if since <= asked.at < until]
    good = [asked.at - asked.due for asked in inside if asked.status == ANSWERED]
    refused = [asked.at - asked.due for asked in inside if asked.refused]
    return Step(
        name,
        len(inside),
        len(good) / (until - since),
        len(refused),
        len(inside) - len(good) - len(refused),
        percentile(good, 0.5),
        percentile(good, 0.95),
        percentile(refused, 0.95),
    )


def peak(steps: Sequence[Step]) -> float:
    """Return the most answers a second of any step. Raises ValueError without any."""
    return max(step.per_s for step in steps)


def goodput(over: Step, most_per_s: float) -> float:
    """Return which share of the peak is left under that load."""
    return over.per_s / most_per_s if most_per_s else math.nan
