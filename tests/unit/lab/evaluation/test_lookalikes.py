"""Drawn look-alikes: always the same pixels, and what is counted of them."""

from __future__ import annotations

import json

import numpy as np

from lab.evaluation.lookalikes.drawing import FAMILIES, scene
from lab.evaluation.lookalikes.run import ABSENT, SHOWN, Asked, _lines, _things, table
from tests.unit.lab.evaluation.helpers import answer


def test_the_same_seed_draws_the_same_and_things_of_a_family_differ() -> None:
    for family in FAMILIES:
        things = _things(family, 1)
        assert len(things) == SHOWN + ABSENT
        again = _things(family, 1)
        pixels = [np.asarray(thing, np.int16) for thing in things]
        assert all((a == np.asarray(b)).all() for a, b in zip(pixels, again, strict=True))
        for number, one in enumerate(pixels):
            for other in pixels[number + 1 :]:
                assert 0.005 < (np.abs(one - other).max(axis=2) > 40).mean() < 0.98
        photo = scene(5, things[:SHOWN])
        assert (np.asarray(photo) == np.asarray(scene(5, things[:SHOWN]))).all()


def test_what_is_found_all_the_same_is_counted_by_family() -> None:
    asked = [
        Asked(family.name, there, answer(right=there, verified=True, probability=chance))
        for family in FAMILIES
        for there, chance in ((True, 0.9), (False, 0.8 if family.name == "codes" else 0.1))
    ]
    columns = [list(column.cells) for column in table(asked).columns]
    assert columns[0] == [*(family.name for family in FAMILIES), "all"]
    assert columns[2][-1] == "1.000"
    assert columns[4] == ["1.000", "0.000", "0.000", "0.000", "0.000", "0.200"]
    lines = [json.loads(line) for line in _lines(asked)]
    assert [line["asked"] for line in lines[:2]] == ["among all", "without the right ones"]
    assert len(lines) == 2 * len(FAMILIES)
