"""Which places of an image are shown, each once: verified ones first, then indexed ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from common.contract.fields import HitSource
from common.geometry import Box
from worker.boxes import clear_of
from worker.local.placement import Placement
from worker.searching.grouping import Match
from worker.vectors.base import Hit

SAME_SPOT_IOU = 0.3
"""An indexed hit that overlaps a better box of the same image this much says nothing new."""


@dataclass(frozen=True)
class ShownHit:
    """A place of an image: `score` is cosine similarity, `place` its proof where there is one."""

    box: Box
    score: float
    source: HitSource
    label: str | None
    confidence: float | None
    place: Placement | None = None

    @classmethod
    def indexed(cls, hit: Hit) -> ShownHit:
        """Return an indexed region that the search found."""
        region = hit.region
        return cls(region.box, hit.score, region.source, region.label, region.confidence)

    @classmethod
    def verified(cls, place: Placement, match: Match) -> ShownHit:
        """Return a verified place; label and score are those of the indexed hit it lies on."""
        over = max(match.hits, key=lambda hit: (hit.region.box.iou(place.box), hit.score))
        if over.region.box.iou(place.box) < SAME_SPOT_IOU:
            return cls(place.box, match.score, HitSource.LOCAL, None, None, place)
        region = over.region
        return cls(place.box, over.score, HitSource.LOCAL, region.label, region.confidence, place)


def outside(hits: Iterable[Hit], boxes: Iterable[Box]) -> list[Hit]:
    """Return the hits that lie elsewhere than the boxes, in their order."""
    known = list(boxes)
    return [hit for hit in hits if clear_of(hit.region.box, known, SAME_SPOT_IOU)]


def shown_hits(match: Match, places: Iterable[Placement]) -> list[ShownHit]:
    """Return an image's places, best first: what is verified, and the hits elsewhere."""
    proven = list(places)
    rest = outside(match.hits, (place.box for place in proven))
    return [
        *(ShownHit.verified(place, match) for place in proven),
        *(ShownHit.indexed(hit) for hit in rest),
    ]
