"""What images are ordered by: their score, raised by their proof and by what their pixels show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from worker.local.placement import Placement
from worker.searching.grouping import Match

SURE = 12.0
"""Evidence that outweighs any difference of scores."""
AGREEING = 4.0
"""What full agreement of details adds, over none: more than any difference of evidence or scores.

Of two images that surely show the place, the one with the very thing comes first: photos of one
scene, packages of two flavours.
"""
UNSEEN = 0.5
"""Agreement that images stand by whose details were not compared."""


def standing(score: float, places: Sequence[Placement]) -> float:
    """Return what an image is ordered by, of its score and its verified places, surest first.

    Proof far beyond chance outweighs any score; a proof that chance might give now and then only
    helps an image that the embedding likes too.
    """
    if not places:
        return score
    best = places[0]
    proof = min(best.evidence, SURE) / SURE
    beyond = math.log10(max(best.evidence, SURE) / SURE)
    shown = UNSEEN if best.agreement is None else best.agreement
    return score + proof + beyond + AGREEING * (shown - UNSEEN)


def by_standing(
    matches: Iterable[Match], places: Mapping[str, Sequence[Placement]]
) -> tuple[Match, ...]:
    """Return the matches in their order, best first, ties by the image's id."""

    def key(match: Match) -> tuple[float, str]:
        return (-standing(match.score, places.get(match.image_id, ())), match.image_id)

    return tuple(sorted(matches, key=key))
