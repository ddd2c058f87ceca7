"""A search's result as clients see it: matches and their hits as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.catalogue import ImageRecord
from common.vectors.base import Hit, Source
from common.vectors.grouping import Match
from worker.local.placement import Placement

SAME_IOU = 0.3
"""An indexed hit that overlaps a verified place this much says nothing new."""


def match_json(
    match: Match, record: ImageRecord, places: Sequence[Placement], most: int
) -> dict[str, Any]:
    """Return one match; its verified places come first, at most `most` hits in all."""
    rest = [
        hit
        for hit in match.hits
        if all(hit.region.box.iou(place.box) < SAME_IOU for place in places)
    ]
    hits = [*(_place_json(place, match) for place in places), *(_hit_json(hit) for hit in rest)]
    return {
        "image_id": match.image_id,
        "score": round(match.score, 6),
        "distance": round(1 - match.score, 6),
        "verified": bool(places),
        "filename": record.filename,
        "width": record.width,
        "height": record.height,
        "metadata": dict(record.metadata),
        "hits": hits[:most],
    }


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
    }
