"""What images are ordered by: their score, raised by their proof."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from worker.local.placement import Placement
from worker.searching.grouping import Match

SURE = 12.0
"""Evidence that outweighs any difference of scores."""


def standing(score: float, places: Sequence[Placement]) -> float:
    """Return what an image is ordered by, of its score and its verified places, surest first.

    Proof far beyond chance outweighs any score; a proof that chance might give now and then only
    helps an image that the embedding likes too.
    """
    return score + (min(places[0].evidence, SURE) / SURE if places else 0.0)


def by_standing(
    matches: Iterable[Match], places: Mapping[str, Sequence[Placement]]
) -> tuple[Match, ...]:
    """Return the matches in their order, best first, ties by the image's id."""

    def key(match: Match) -> tuple[float, str]:
        return (-standing(match.score, places.get(match.image_id, ())), match.image_id)

    return tuple(sorted(matches, key=key))
