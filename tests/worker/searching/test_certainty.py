"""How sure a find is: what counts for it, and what against it."""

from __future__ import annotations

import pytest

from common.geometry import Box
from worker.local.placement import Placement
from worker.searching.certainty import LIKELY, Background, certainty

QUAD = ((0.0, 0.0), (90.0, 0.0), (90.0, 90.0), (0.0, 90.0))


def sure(evidence: float, agreement: float | None, part: float | None) -> float:
    place = Placement(
        Box(0, 0, 90, 90), QUAD, 0, 1, False, 30, 40, evidence, 0.3, agreement,
        part=part, part_agreement=agreement,
    )  # fmt: skip
    return certainty(0.75, (place,), Background(0.7))


@pytest.mark.parametrize(
    ("what", "evidence", "agreement", "part", "there"),
    [
        ("the thing, all of it", 300.0, 0.95, 0.99, True),
        ("the thing before another background", 300.0, 0.91, 0.5, True),
        ("a second photograph of it", 60.0, 0.8, 0.9, True),
        ("half of it hidden", 150.0, 0.7, 0.95, True),
        ("another code with the same corners", 22.0, 0.38, 0.75, False),
        ("another mug with the same emblem", 60.0, 0.8, 0.15, False),
        ("few features that might agree by chance", 3.2, 0.4, 0.6, False),
        ("nobody has looked, little proof", 3.2, None, None, False),
        ("nobody has looked, much proof", 300.0, None, None, True),
    ],
)
def test_what_is_found(
    what: str, evidence: float, agreement: float | None, part: float | None, there: bool
) -> None:
    assert (sure(evidence, agreement, part) >= LIKELY) is there, what


def test_more_proof_more_agreement_and_a_larger_part_make_surer() -> None:
    assert sure(20, 0.7, 0.7) < sure(40, 0.7, 0.7)
    assert sure(20, 0.7, 0.7) < sure(20, 0.8, 0.7)
    assert sure(20, 0.7, 0.7) < sure(20, 0.7, 0.8)
