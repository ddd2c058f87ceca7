"""What is asked: chosen evenly, always the same, and left out as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lab.evaluation.perturb import PERTURBATIONS
from lab.evaluation.photos import Query
from lab.evaluation.report import SECOND
from lab.evaluation.service.plan import FOLDS, balanced, folds, make_plan
from tests.unit.lab.evaluation.helpers import SIDES, photos, seconds


def test_boxes_are_taken_evenly_from_the_bands_of_sizes() -> None:
    boxes = [q.box for q in make_plan(photos(8), (), None).questions if q.what == "exact"]
    every = [box for box in boxes if box is not None]
    large = [box for box in every if box.share > 0.16]
    chosen = balanced([*every[:5], *large[1:]], 7)
    shares = [box.share for box in chosen]
    assert len(chosen) == 7
    assert [sum(np.isclose(shares, s * s / 1e6)) for s in SIDES] == [3, 1, 1, 1, 1]


def test_every_box_is_asked_as_it_is_and_some_under_every_perturbation() -> None:
    plan = make_plan(photos(8), seconds(2), None)
    count = {what: sum(q.what == what for q in plan.questions) for what in PERTURBATIONS}
    assert count["exact"] == count["all together"] == 40
    assert {count[what] for what in PERTURBATIONS} == {40, 10}
    assert sum(q.stepwise for q in plan.questions) == 80
    assert sum(q.open_set for q in plan.questions) == 20 + 2
    assert plan.searches == len(plan.questions) + 22


def test_the_number_of_questions_is_bounded() -> None:
    plan = make_plan(photos(8), seconds(8), 5)
    assert sum(q.what == "exact" for q in plan.questions) == 5
    assert sum(q.what == SECOND for q in plan.questions) == 5


def test_a_picture_is_always_the_same_and_does_not_hang_on_the_other_photos() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    photo = Image.fromarray(pixels)
    few, many = (make_plan(photos(count), (), None).questions for count in (4, 8))
    wanted = next(q for q in few if q.what == "harsh")
    same = next(
        q
        for q in many
        if q.what == "harsh" and q.box and wanted.box and q.box.box == wanted.box.box
    )
    assert wanted.picture(photo).tobytes() == same.picture(photo).tobytes()


def test_photos_of_the_same_thing_are_left_out_together() -> None:
    names = frozenset({"001.jpg", "004.jpg", "007.jpg"})
    found = folds(photos(9), [Query(Path("q.jpg"), "made", "made", names)])
    assert found[1] == found[4] == found[7]
    assert set(found) <= set(range(FOLDS))
    assert len(set(found)) > 1


def test_a_photos_part_does_not_hang_on_the_others() -> None:
    assert folds(photos(4), ()) == folds(photos(9), ())[:4]
