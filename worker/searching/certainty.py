"""How sure a find is: the probability that an image really shows what was searched for.

Without evidence one sign tells it. The rise says how far the image's score stands out from those of
the images that rank behind: a search for something that no image shows has best scores as well, but
none stands out. With evidence three do. The proof says how unlikely chance would make as many local
features agree. The other two are of the part of the query that lies between the blocks that agree:
how large it is, and how much of its detail the image shows. Another code has the same corners and
other cells between them; the same thing before another background has all that lies between, and
nothing around. All are comparable between encoders and collections; a bare score is not.

Two logistic models weigh them, one for finds with evidence and one for those without. The latter
was fitted to the open set of `make eval`: crops of the development set, exact and altered, and
second views of its things, half of them searched for among images that do not show them. Of finds
with evidence three of a hundred were wrong there, too few to fit to; their weights were fitted with
drawn look-alikes beside them (`lab.evaluation lookalikes`), and other backgrounds, so that all come
out well.
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
VERIFIED = (-10.1, 0.32, 8.1, 5.6)
"""With it: weights of 1, the proof, the part's agreement and the part (`Signs`)."""
NOT_COMPARED = 0.72
"""Stands in for part and agreement where nobody has looked, or where there is too little detail."""
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
    """What tells how sure a find is: its score's `rise`, or, with evidence, the others.

    `proof` is the logarithm of how many times the least evidence there is; `part` the share of the
    query's detail that lies between what agrees: two mugs may bear the same icon; `agreement` how
    much of that part is there, 0..1.
    """

    rise: float
    proof: float | None = None
    agreement: float | None = None
    part: float | None = None

    UNVERIFIED: ClassVar = ("rise",)
    VERIFIED: ClassVar = ("proof", "agreement", "part")

    @classmethod
    def of(
        cls,
        rise: float,
        evidence: float | None,
        part: float | None = None,
        agreement: float | None = None,
    ) -> Signs:
        """Return the signs of a find; `evidence` is None where there is none."""
        if evidence is None:
            return cls(rise)
        if part is None or agreement is None:
            part = agreement = NOT_COMPARED
        return cls(rise, math.log(max(evidence, FOUND) / FOUND), agreement, part)

    def values(self) -> tuple[float, ...]:
        """Return those that count, in the order of the weights."""
        if self.proof is None or self.agreement is None or self.part is None:
            return (self.rise,)
        return (self.proof, self.agreement, self.part)

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
        return Signs.of(rise, None).probability
    return Signs.of(rise, best.evidence, best.part, best.part_agreement).probability
