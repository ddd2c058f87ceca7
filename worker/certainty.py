"""How sure a find is: the probability that a photo really shows what was searched for.

Two signals. Evidence: how unlikely chance would make as many local features agree. And how far the
photo's score stands out from the also-rans', the best scores of photos that rank behind: a search
for something that no photo shows has best scores as well, but none stands out. Both are comparable
between encoders and collections, where a bare score is not.

Two logistic models weigh them, one for finds with evidence and one for those without. They were
fitted to 922 searches of the development photos of which half had no right photo among those
searched: crops exact and altered, and second photographs, the open set of `make eval`. Its answers
are what to fit them to again; docs/EVALUATION.md has the precision and reliability that came out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from common.vectors.grouping import Match
from worker.local.placement import FOUND, Placement

LIKELY = 0.5
"""Probability from which a thing counts as found."""
UNVERIFIED, RISE_UNVERIFIED = -13.6, 17.3
"""Without evidence: logit = UNVERIFIED + RISE_UNVERIFIED * rise."""
VERIFIED, RISE_VERIFIED, EVIDENCE = -0.07, 3.1, 0.7
"""With it: logit = VERIFIED + RISE_VERIFIED * rise + EVIDENCE * ln(evidence / FOUND)."""
CLEAR = 4
"""Photos right behind the first are no background: several may show the thing."""
UNKNOWN_SCORE = 0.7
"""Stands in for the also-rans' score where there is none: a collection of one photo."""


@dataclass(frozen=True)
class Background:
    """What photos score that do not show the thing: `score`, cosine similarity."""

    score: float

    @classmethod
    def of(cls, matches: Sequence[Match]) -> Background:
        """Read it off a search's matches, best first; better the more there are."""
        behind = matches[1 + CLEAR :] or matches[1:]
        return cls(median(match.score for match in behind) if behind else UNKNOWN_SCORE)

    def rise(self, score: float) -> float:
        """Return how far a score stands out: 0 like the also-rans, 1 for an equal picture."""
        return (score - self.score) / max(1 - self.score, 1e-3)


def certainty(score: float, places: Sequence[Placement], background: Background) -> float:
    """Return the probability, 0..1, that a photo of this score and these places shows the thing."""
    rise = background.rise(score)
    logit = UNVERIFIED + RISE_UNVERIFIED * rise
    if places:
        proof = math.log(max(places[0].evidence, FOUND) / FOUND)
        logit = VERIFIED + RISE_VERIFIED * rise + EVIDENCE * proof
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))
