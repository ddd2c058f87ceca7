"""Leaves out what is more like a negative example than like what is searched for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from worker.local.placement import Placement
from worker.searching.certainty import Background
from worker.searching.grouping import Fetch, Grouping, Match

NEAREST_TO_NEGATIVES = 2000
"""Regions compared with the negatives: those nearest to them."""
STANDS_OUT = 0.5
"""From which rise on a region is like a negative: also-rans are like anything a little."""


def without_unlike(
    matches: Sequence[Match],
    fetch: Fetch,
    places: Mapping[str, Sequence[Placement]],
    grouping: Grouping,
    background: Background,
) -> list[Match]:
    """Return the matches with the hits that are like what is searched for, not like a negative.

    `fetch` asks for the regions nearest to the negatives. A hit goes when it scores as high for a
    negative, and stands out from the `background` there; a match without hits goes too, unless it
    has verified places.
    """
    against = {
        hit.id: hit.score
        for hit in fetch(NEAREST_TO_NEGATIVES)
        if background.rise(hit.score) >= STANDS_OUT
    }
    kept = []
    for match in matches:
        hits = tuple(hit for hit in match.hits if against.get(hit.id, -1.0) < hit.score)
        if hits:
            kept.append(replace(match, hits=hits, score=grouping.score(hits)))
        elif match.image_id in places:
            kept.append(match)
    return kept
