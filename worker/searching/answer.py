"""A search's answer, in the models of the contract. Its content and order are decided before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.contract.answers.searches import (
    Findings,
    FoundHit,
    FoundMatch,
    Searched,
    Verification,
)
from common.contract.answers.searches import Thing as FoundThing
from worker.local.placement import Placement
from worker.models.base import Detection
from worker.searching.hits import ShownHit
from worker.searching.judging import Judged
from worker.searching.ranking import RankedImage
from worker.searching.verifying import Proof


def answer(
    ranked: Sequence[RankedImage],
    judged: Sequence[Judged],
    timings_ms: dict[str, float],
    searched: Searched,
    *,
    objects: bool,
) -> Findings:
    """Return the result; where `objects`, with the things and of which thing each hit is.

    What does not apply is left out and not null: clients see only the fields that are set.
    """
    proof = Proof.summed([one.proof for one in judged])
    things: dict[str, Any] = {"objects": [_thing(one) for one in judged]} if objects else {}
    return Findings(
        found=any(one.holding.likely for one in ranked),
        probability=round(max((one.holding.probability for one in ranked), default=0.0), 4),
        matches=tuple(_match(one, numbered=objects) for one in ranked),
        verification=Verification(
            checked=len(proof.checked - proof.missed),
            verified=len(proof.places),
            unchecked=len(proof.missed),
            complete=proof.complete,
        ),
        timings_ms=timings_ms,
        index=searched,
        **things,
    )


def _match(ranked: RankedImage, *, numbered: bool) -> FoundMatch:
    holding, record = ranked.holding, ranked.record
    shows: dict[str, Any] = {"shows": tuple(holding.likely)} if numbered else {}
    return FoundMatch(
        image_id=holding.image_id,
        score=round(holding.score, 6),
        distance=round(1 - holding.score, 6),
        probability=round(holding.probability, 4),
        rise=round(holding.rise, 4),
        likeness=holding.likeness,
        verified=holding.verified,
        count=holding.count,
        filename=record.filename,
        path=record.path,
        paths=tuple(record.paths or (record.path,)),
        width=record.width,
        height=record.height,
        metadata=dict(record.metadata),
        hits=tuple(_hit(hit, number if numbered else None) for number, hit in ranked.hits),
        **shows,
    )


def _hit(hit: ShownHit, number: int | None) -> FoundHit:
    proof: dict[str, Any] = _proof(hit.place) if hit.place is not None else {}
    thing: dict[str, Any] = {} if number is None else {"object": number}
    return FoundHit(
        box=hit.box.as_tuple(),
        score=round(hit.score, 6),
        source=hit.source,
        label=hit.label,
        confidence=hit.confidence,
        verified=hit.place is not None,
        **proof,
        **thing,
    )


def _proof(place: Placement) -> dict[str, Any]:
    return {
        "quad": [list(corner) for corner in place.quad],
        "rotation": place.rotation,
        "mirrored": place.mirrored,
        "inliers": place.inliers,
        "evidence": place.evidence,
        "coverage": place.coverage,
        "agreement": place.agreement,
        "part": place.part,
        "part_agreement": place.part_agreement,
    }


def _thing(judged: Judged) -> FoundThing:
    """Return a thing of the query, and whether any image holds it."""
    detection = judged.thing.detection
    return FoundThing(
        box=_rounded(detection) if detection else None,
        label=detection.label if detection else None,
        confidence=round(detection.confidence, 4) if detection else None,
        found=judged.likely,
        probability=round(judged.probability, 4),
    )


def _rounded(detection: Detection) -> tuple[int, int, int, int]:
    """Return a detection's box; one at the left or upper edge is a pixel wide at least."""
    left, top = round(detection.x1), round(detection.y1)
    return left, top, max(1, round(detection.x2)), max(1, round(detection.y2))
