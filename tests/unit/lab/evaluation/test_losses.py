"""Where a crop that is not found was lost on its way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from common.contract.fields import HitSource
from common.geometry import Box
from lab.evaluation.service.losses import (
    ENGINE,
    EXACT_STEP,
    GROUPED,
    PROPOSED,
    STEPS,
    VERIFIED,
    Steps,
    follow,
)
from lab.evaluation.service.plan import make_plan
from tests.unit.lab.evaluation.helpers import collection, photos
from worker.vectors.base import Hit, Region
from worker.vectors.stores import VectorStore


class Memory:
    """A vector store in a list: compares everything; inexactly, it sees the first point only."""

    def __init__(self, points: Sequence[tuple[str, Box, Sequence[float]]]) -> None:
        self._points = points

    def count(self, collection: str) -> int:
        return len(self._points)

    def search(
        self,
        collection: str,
        vector: Any,
        *,
        limit: int,
        image_id: str | None = None,
        exact: bool = True,
    ) -> list[Hit]:
        seen = self._points if exact else self._points[:1]
        hits = [
            Hit(name, float(np.dot(own, vector)), _region(name, box))
            for name, box, own in seen
            if image_id in (None, name)
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]


def _region(name: str, box: Box) -> Region:
    return Region(name, box, HitSource.TILE, None, None)


def test_crops_are_followed_through_the_steps() -> None:
    plan = make_plan(photos(2), (), None)
    own = [q for q in plan.questions if q.what == "exact" and q.box and q.box.share > 0.2]
    near = Box(10, 10, 500, 500)
    store = Memory([("id-0", near, (1, 0)), ("id-1", Box(900, 900, 990, 990), (0, 1))])
    good, bad = np.array([True, True]), np.array([False, True])
    followed = follow(
        own,
        np.eye(2, dtype=np.float32),
        bad,
        good,
        collection(plan),
        cast(VectorStore, store),
        exact_below=0,
    )
    assert not followed.engine_is_exact
    assert {step: well.tolist() for step, well in followed.well.items()} == {
        PROPOSED: [True, False],
        EXACT_STEP: [True, True],
        ENGINE: [True, False],
        GROUPED: [False, True],
        VERIFIED: [True, True],
    }


def test_of_equally_near_regions_the_wrong_one_counts() -> None:
    plan = make_plan(photos(2), (), None)
    own = [q for q in plan.questions if q.what == "exact"][:1]
    store = Memory([(name, Box(0, 0, 9, 9), (1, 0)) for name in ("id-0", "id-1")])
    well = np.array([True])
    vectors = np.array([[1, 0]], np.float32)
    found = follow(own, vectors, well, well, collection(plan), cast(VectorStore, store), 99)
    assert found.engine_is_exact
    assert found.well[EXACT_STEP].tolist() == found.well[ENGINE].tolist() == [False]


def test_losses_are_counted_where_they_happen_and_blamed_on_the_first() -> None:
    rows = {
        PROPOSED: [True, False, False],
        EXACT_STEP: [False, True, False],
        ENGINE: [False, True, False],
        GROUPED: [False, True, False],
        VERIFIED: [False, True, False],
    }
    steps = Steps({step: np.array(rows[step]) for step in STEPS}, engine_is_exact=True)
    assert steps.changes()[0] == (EXACT_STEP, 1, 1)
    assert {lost + won for _, lost, won in steps.changes()[1:]} == {0}
    assert steps.blame() == {PROPOSED: 1, EXACT_STEP: 1, ENGINE: 0, GROUPED: 0, VERIFIED: 0}
