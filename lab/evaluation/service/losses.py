"""Where crops are lost on their way through a search, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.boxes import iou
from lab.evaluation.report import SAME_BOX
from lab.evaluation.service.ask import LIMIT
from lab.evaluation.service.index import Collection
from lab.evaluation.service.plan import Question
from worker.models.base import Embeddings
from worker.vectors.stores import VectorStore

PROPOSED = f"a region of IoU >= {SAME_BOX}"
EXACT_STEP = "exact search: its best region first"
ENGINE = "the engine's search: the same"
GROUPED = "grouped: its photo first"
VERIFIED = "verified, the whole search: its photo first"
STEPS = (PROPOSED, EXACT_STEP, ENGINE, GROUPED, VERIFIED)

EVERY_REGION = 100_000
"""More regions than a photo has."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Steps:
    """Of n questions: `well[step]` (n,) tells whether each had what it needs after that step.

    `engine_is_exact` where the service itself compares every region of so small a collection.
    """

    well: dict[str, Bools]
    engine_is_exact: bool

    def __getitem__(self, chosen: Bools) -> Steps:
        """Return the chosen questions."""
        return Steps({step: own[chosen] for step, own in self.well.items()}, self.engine_is_exact)

    def __len__(self) -> int:
        return len(self.well[PROPOSED])

    def changes(self) -> list[tuple[str, int, int]]:
        """Return, of each step after the first, how many questions it loses and wins back."""
        found = []
        for before, step in pairwise(STEPS):
            was, now = self.well[before], self.well[step]
            found.append((step, int((was & ~now).sum()), int((~was & now).sum())))
        return found

    def blame(self) -> dict[str, int]:
        """Return how many of the questions that fail in the end failed first at each step."""
        every = np.array([self.well[step] for step in STEPS])
        failed = every[:, ~every[-1]]
        first = (~failed).argmax(axis=0)
        return {step: int((first == n).sum()) for n, step in enumerate(STEPS)}


def follow(
    questions: Sequence[Question],
    vectors: Embeddings,
    grouped: NDArray[np.bool_],
    verified: NDArray[np.bool_],
    collection: Collection,
    store: VectorStore,
    exact_below: int,
) -> Steps:
    """Return how crops (n of them, embeddings (n, dim)) fare; the last two steps are given.

    The store is that of the service, opened here once the service has let go of it.
    """
    engine_is_exact = store.count(collection.name) < exact_below
    proposed, exact, engine = [], [], []
    for question, vector in zip(questions, vectors, strict=True):
        right = {collection.ids[n] for n in question.right}
        proposed.append(_proposed(question, vector, right, collection, store))
        exact.append(_first(store, collection, vector, right, exact=True))
        engine.append(
            exact[-1] if engine_is_exact else _first(store, collection, vector, right, exact=False)
        )
    columns = (proposed, exact, engine, grouped, verified)
    well = {step: np.array(own, bool) for step, own in zip(STEPS, columns, strict=True)}
    return Steps(well, engine_is_exact)


def _proposed(
    question: Question,
    vector: Embeddings,
    right: set[str],
    collection: Collection,
    store: VectorStore,
) -> bool:
    if question.box is None:
        raise ValueError("a second photograph has no box to be proposed")
    regions = [
        hit.region.box.as_tuple()
        for name in right
        for hit in store.search(collection.name, vector, limit=EVERY_REGION, image_id=name)
    ]
    return bool(regions) and bool(iou(regions, question.box.box.corners).max() >= SAME_BOX)


def _first(
    store: VectorStore, collection: Collection, vector: Embeddings, right: set[str], *, exact: bool
) -> bool:
    """Tell whether the nearest region, of all there are, is in a right photo.

    Of equally near ones a wrong one goes first.
    """
    hits = store.search(collection.name, vector, limit=LIMIT, exact=exact)
    nearest = [hit for hit in hits if hit.score == hits[0].score]
    return bool(nearest) and all(hit.region.image_id in right for hit in nearest)
