"""A search's result as clients see it. What stands in it, and in which order, is decided before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.contract.answers import Findings
from worker.local.placement import Placement
from worker.models.base import Detection
from worker.searching.hits import ShownHit
from worker.searching.judging import Judged
from worker.searching.ranking import RankedImage
from worker.searching.verifying import Proof

Json = dict[str, Any]


@dataclass(frozen=True)
class Searched:
    """How much was searched."""

    images: int
    regions: int


def answer(
    ranked: Sequence[RankedImage],
    judged: Sequence[Judged],
    timings_ms: dict[str, float],
    searched: Searched,
    *,
    objects: bool,
) -> Findings:
    """Return the result; where `objects`, with the things and of which thing each hit is."""
    proof = Proof.summed([one.proof for one in judged])
    result: Json = {
        "found": any(one.holding.likely for one in ranked),
        "probability": round(max((one.holding.probability for one in ranked), default=0.0), 4),
        "matches": [_match_json(one, numbered=objects) for one in ranked],
        "verification": {
            "checked": len(proof.checked),
            "verified": len(proof.places),
            "complete": proof.complete,
        },
        "timings_ms": timings_ms,
        "index": {"images": searched.images, "regions": searched.regions},
    }
    if objects:
        result["objects"] = [_object_json(one) for one in judged]
    return Findings.model_validate(result)


def _match_json(ranked: RankedImage, *, numbered: bool) -> Json:
    holding, record = ranked.holding, ranked.record
    return {
        "image_id": holding.image_id,
        "score": round(holding.score, 6),
        "distance": round(1 - holding.score, 6),
        "probability": round(holding.probability, 4),
        "rise": round(holding.rise, 4),
        "likeness": holding.likeness.value,
        "verified": holding.verified,
        "filename": record.filename,
        "width": record.width,
        "height": record.height,
        "metadata": dict(record.metadata),
        "hits": [
            _hit_json(hit) | ({"object": number} if numbered else {}) for number, hit in ranked.hits
        ],
    }


def _hit_json(hit: ShownHit) -> Json:
    return {
        "box": hit.box.as_list(),
        "score": round(hit.score, 6),
        "source": hit.source.value,
        "label": hit.label,
        "confidence": hit.confidence,
        "verified": hit.place is not None,
        **(_place_json(hit.place) if hit.place is not None else {}),
    }


def _place_json(place: Placement) -> Json:
    return {
        "quad": [list(corner) for corner in place.quad],
        "rotation": place.rotation,
        "mirrored": place.mirrored,
        "inliers": place.inliers,
        "evidence": place.evidence,
        "coverage": place.coverage,
    }


def _object_json(judged: Judged) -> Json:
    """Return a thing of the query's picture, and whether any image holds it."""
    said = judged.thing.detection
    return {
        "box": _rounded(said) if said else None,
        "label": said.label if said else None,
        "confidence": round(said.confidence, 4) if said else None,
        "found": judged.likely,
        "probability": round(judged.probability, 4),
    }


def _rounded(said: Detection) -> list[int]:
    """Return a detection's box; one at the left or upper edge is a pixel wide at least."""
    return [round(said.x1), round(said.y1), max(1, round(said.x2)), max(1, round(said.y2))]
