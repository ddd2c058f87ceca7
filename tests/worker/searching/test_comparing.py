"""Pixels against a proof that chance might give."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from PIL import Image

from common.contract.fields import HitSource
from common.geometry import Box
from tests.textures import texture
from worker.local.placement import Placement
from worker.searching import comparing
from worker.searching.candidates import images_to_look_at
from worker.searching.comparing import ALIKE, View, refutes
from worker.searching.grouping import Match
from worker.searching.question import Thing
from worker.searching.resemblance import Resemblance, Template
from worker.vectors.base import Hit, Region

HERE, THERE = Box(10, 10, 50, 50), Box(200, 100, 240, 140)


def view(resemblance: float, box: Box | None = HERE) -> View:
    hit = Hit("p", 0.5, Region("a", THERE, HitSource.TILE, None, None))
    alike = None if box is None else (0.9, box)
    return View(
        Match("a", 0.5, (hit,)), Image.new("RGB", (300, 200)), [(0.5, THERE)], alike, resemblance
    )


def place(box: Box) -> Placement:
    corners = ((box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2))
    return Placement(box, corners, 0.0, 1.0, False, 5, 9, 4.0, 0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "proof", "refuted"),
    [
        (view(ALIKE), {"a": (place(THERE),)}, True),
        (view(ALIKE), {"a": (place(HERE),)}, False),
        (view(ALIKE / 2), {"a": (place(THERE),)}, False),
        (view(0.0, None), {"a": (place(THERE),)}, False),
        (view(ALIKE), {"b": (place(THERE),)}, False),
    ],
    ids=["elsewhere", "the same place", "hardly alike", "not compared", "another image"],
)
def test_a_proof_gives_way_to_pixels_that_are_surely_elsewhere(
    seen: View, proof: dict[str, tuple[Placement, ...]], refuted: bool
) -> None:
    assert refutes(seen, proof) is refuted


def test_what_was_found_roughly_counts_where_the_time_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = texture(1, (300, 200))
    seen = replace(view(0.0, None), image=image, best=[(0.5, HERE), (0.4, THERE)])
    clock = iter([0.0, 9.0, 9.0])
    monkeypatch.setattr(comparing.time, "monotonic", lambda: next(clock))
    comparing._compare(seen, [Template(image.crop(HERE.as_tuple()))], deadline=1.0)
    assert seen.alike is not None and seen.alike[1].iou(HERE) > 0.5
    assert seen.resemblance > ALIKE


def test_the_best_of_an_image_is_what_is_alike_or_what_its_embedding_says() -> None:
    assert view(ALIKE).fitted == (0.9, HERE) and view(ALIKE).score == 0.9
    assert view(0.0, None).fitted == (0.5, THERE)


def test_what_is_hardly_alike_raises_no_score() -> None:
    seen = replace(view(0.0, None), image=texture(1, (300, 200)), best=[(0.5, HERE)])
    chance = SimpleNamespace(roughly=lambda *_: Resemblance(0.45, HERE, False))
    comparing._compare(seen, [chance], deadline=math.inf)  # type: ignore[list-item]
    assert seen.alike is None and seen.resemblance == 0.0 and not seen.cut


def test_a_place_that_there_was_no_time_for_is_told() -> None:
    image = texture(1, (300, 200))
    seen = replace(view(0.0, None), image=image, best=[(0.5, HERE), (0.4, THERE)])
    comparing._compare(seen, [Template(image.crop(HERE.as_tuple()))], deadline=-math.inf)
    assert seen.cut and seen.alike is None


@pytest.mark.parametrize(("side", "looks"), [(10, 72), (32, 48), (64, 24), (400, 24)])
def test_a_small_query_has_more_images_looked_at(side: int, looks: int) -> None:
    thing = Thing((Image.new("RGB", (side, side)),))
    assert images_to_look_at(thing, 24) == looks
    assert images_to_look_at(Thing(()), 24) == 0, "a text has no pixels"
