"""How sure a find is: the probability that an image really shows what was searched for.

Four signs tell it. Evidence says how unlikely chance would make as many local features agree.
Coverage says how much of the query these lie around, agreement how much of its detail the image
shows there: another code or flavour has the same corners. The rise says how far the image's score
stands out from those of the images that rank behind: a search for something that no image shows has
best scores as well, but none stands out. All are comparable between encoders and collections; a
bare score is not.

Two logistic models weigh them, one for finds with evidence and one for those without. The latter
was fitted to the open set of `make eval`: crops of the development set, exact and altered, and
second views of its things, half of them searched for among images that do not show them. Of finds
with evidence three of a hundred were wrong there, too few to fit to; their weights were chosen with
drawn look-alikes beside them (`lab.evaluation lookalikes`), so that both come out well.
`python -m lab.evaluation certainty data/eval/*/answers.jsonl` fits anew; docs/EVALUATION.md has the
precision that came out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from worker.local.placement import FOUND, Placement
from worker.searching.grouping import Match

LIKELY = 0.5
"""Probability from which a thing counts as found."""
UNVERIFIED = (-6.72, 7.7)
"""Without evidence: weights of 1 and of the rise; their sum is the logit of the probability."""
VERIFIED = (-8.5, 2.0, 0.4, 2.0, 12.0)
"""With it: weights of 1, the rise, the proof, the coverage and the agreement (`Signs`)."""
NOT_COMPARED = 0.6
"""Stands in for the agreement where nobody has looked, or where there is too little detail."""
CLEAR = 4
"""Images right behind the first are no background: several may show the thing."""
UNKNOWN_SCORE = 0.7
"""Stands in for the also-rans' score where there is none: a collection of one image."""


@dataclass(frozen=True)
class Background:
    """What images score that do not show the thing: `score`, cosine similarity."""

    score: float

    @classmethod
    def of(cls, matches: Sequence[Match]) -> Background:
        """Read it off a search's matches, best first; better the more there are."""
        behind = matches[1 + CLEAR :] or matches[1:]
        return cls(median(match.score for match in behind) if behind else UNKNOWN_SCORE)

    def rise(self, score: float) -> float:
        """Return how far a score stands out: 0 like the also-rans, 1 for a score of 1."""
        return (score - self.score) / max(1 - self.score, 1e-3)


@dataclass(frozen=True)
class Signs:
    """What tells how sure a find is: its score's `rise`; with evidence also the others.

    `proof` is the logarithm of how many times the least evidence there is; `coverage` the share of
    the query's area that the inliers lie around: two mugs may bear the same icon; `agreement` how
    much of the query's detail is there, 0..1.
    """

    rise: float
    proof: float | None = None
    coverage: float | None = None
    agreement: float | None = None

    NAMES: ClassVar = ("rise", "proof", "coverage", "agreement")

    @classmethod
    def of(
        cls,
        rise: float,
        evidence: float | None,
        coverage: float | None,
        agreement: float | None = None,
    ) -> Signs:
        """Return the signs of a find; `evidence` is None where there is none."""
        if evidence is None:
            return cls(rise)
        shown = NOT_COMPARED if agreement is None else agreement
        return cls(rise, math.log(max(evidence, FOUND) / FOUND), coverage or 0.0, shown)

    def values(self) -> tuple[float, ...]:
        """Return those that are there, in the order of the weights."""
        every = (self.rise, self.proof, self.coverage, self.agreement)
        return tuple(value for value in every if value is not None)

    @property
    def probability(self) -> float:
        """Return the probability, 0..1, that an image with these signs shows the thing."""
        first, *weights = UNVERIFIED if self.proof is None else VERIFIED
        logit = first + sum(w * v for w, v in zip(weights, self.values(), strict=True))
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def certainty(score: float, places: Sequence[Placement], background: Background) -> float:
    """Return the probability, 0..1, that an image with this score and places shows the thing."""
    best = places[0] if places else None
    rise = background.rise(score)
    if best is None:
        return Signs.of(rise, None, None).probability
    return Signs.of(rise, best.evidence, best.coverage, best.agreement).probability
