"""A search's result as clients see it: matches and their hits as JSON."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from common.catalogue import ImageRecord
from common.vectors.base import Hit, Source
from common.vectors.grouping import Match
from worker.certainty import LIKELY
from worker.found import Found
from worker.local.placement import Placement
from worker.models.base import Detection
from worker.question import Thing
from worker.together import Holding

Json = dict[str, Any]
SAME_IOU = 0.3
"""An indexed hit that overlaps a verified place this much says nothing new."""


def match_json(photo: Holding, record: ImageRecord, most: int, *, numbered: bool) -> Json:
    """Return one match with at most `most` hits; where `numbered`, each says of which thing it is.

    Of each thing the verified places come first, and the things take turns.
    """
    by_thing = [
        [{**hit, "object": number} if numbered else hit for hit in _hits(found)]
        for number, found in photo.found.items()
    ]
    hits = [hit for row in zip_longest(*by_thing) for hit in row if hit is not None]
    return {
        "image_id": photo.image_id,
        "score": round(photo.score, 6),
        "distance": round(1 - photo.score, 6),
        "probability": round(photo.probability, 4),
        "rise": round(photo.rise, 4),
        "likeness": photo.likeness.value,
        "verified": any(found.places for found in photo.found.values()),
        "filename": record.filename,
        "width": record.width,
        "height": record.height,
        "metadata": dict(record.metadata),
        "hits": hits[: max(most, len(by_thing))],
    }


def thing_json(thing: Thing, probability: float) -> Json:
    """Return a thing of the query picture, and whether any photo holds it."""
    said = thing.detection
    return {
        "box": _rounded(said) if said else None,
        "label": said.label if said else None,
        "confidence": round(said.confidence, 4) if said else None,
        "found": probability >= LIKELY,
        "probability": round(probability, 4),
    }


def _rounded(said: Detection) -> list[int]:
    """Return a detection's box; one at the left or upper edge is a pixel wide at least."""
    return [round(said.x1), round(said.y1), max(1, round(said.x2)), max(1, round(said.y2))]


def _hits(found: Found) -> list[Json]:
    rest = [
        hit
        for hit in found.match.hits
        if all(hit.region.box.iou(place.box) < SAME_IOU for place in found.places)
    ]
    return [*(_place_json(p, found.match) for p in found.places), *(_hit_json(h) for h in rest)]


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "box": hit.region.box.as_list(),
        "score": round(hit.score, 6),
        "source": hit.region.source.value,
        "label": hit.region.label,
        "confidence": hit.region.confidence,
        "verified": False,
    }


def _place_json(place: Placement, match: Match) -> dict[str, Any]:
    """Return a verified place; its label and score are those of the indexed hit it lies on."""
    over = max(match.hits, key=lambda hit: (hit.region.box.iou(place.box), hit.score))
    labelled = over.region.box.iou(place.box) >= SAME_IOU
    return {
        "box": place.box.as_list(),
        "score": round(over.score if labelled else match.score, 6),
        "source": Source.LOCAL.value,
        "label": over.region.label if labelled else None,
        "confidence": over.region.confidence if labelled else None,
        "verified": True,
        "quad": [list(corner) for corner in place.quad],
        "rotation": place.rotation,
        "mirrored": place.mirrored,
        "inliers": place.inliers,
        "evidence": place.evidence,
        "coverage": place.coverage,
    }
