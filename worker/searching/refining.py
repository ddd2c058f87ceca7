"""A closer look at the best images of a search, at full resolution.

Indexed boxes are made without knowing what will be searched for; a tile rarely fits the thing. The
query's own shape is known now. Its pixels are compared with those around the best hits: where they
are much alike, that is the place, and its box fits. Where they are nowhere, the thing looks another
way, and in the best image boxes of the query's shape are tried by their embeddings, coarse to fine.
Bounded by a time budget: what is not reached in time keeps its indexed box.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from common.contract.fields import HitSource
from common.geometry import Box
from worker.models.base import Embeddings, Encoder
from worker.searching.agreeing import surely_there
from worker.searching.comparing import ALIKE, Comparer, View, centred, refutes
from worker.searching.grouping import Match
from worker.searching.hits import outside
from worker.searching.looking import look_at
from worker.searching.nearest import Nearest
from worker.searching.options import PATIENT_S, SearchOptions
from worker.searching.proving import Proven
from worker.searching.standing import by_standing
from worker.vectors.base import Hit

IN_ALL_S = 0.65
"""Fitting boxes may use what finding and verifying leave of this: a search stays under 1 s."""
LEAST_FIT_S = 0.15
MIN_SIDE_PX = 12
REACH = 1.75
"""No step's boxes reach further from a first box's centre than so many of its sides."""
GAIN = 0.005
"""A box must be better than the indexed one by this much to take its place."""


@dataclass(frozen=True)
class Step:
    """One round: the boxes tried around each of the best `starts` boxes so far.

    `shift` moves the centre, as a share of the box's sides; `scales` and `shapes` multiply its
    size and its aspect ratio.
    """

    starts: int
    shift: float
    scales: tuple[float, ...]
    shapes: tuple[float, ...]


STEPS = (
    Step(starts=2, shift=0.3, scales=(0.8, 1.3), shapes=(1.0,)),
    Step(starts=2, shift=0.15, scales=(0.85, 1.18), shapes=(1.0,)),
    Step(starts=1, shift=0.07, scales=(0.93, 1.07), shapes=(0.9, 1.1)),
    Step(starts=1, shift=0.03, scales=(0.97, 1.03), shapes=(0.95, 1.05)),
)


@dataclass(frozen=True)
class Refiner:
    """Looks closer with the encoder of the search, for at most `budget_s`."""

    nearest: Nearest
    encoder: Encoder
    comparer: Comparer
    budget_s: float

    def refine(self, proven: Proven, options: SearchOptions) -> Proven:
        """Return the matches, the first `looks` of them with their boxes fitted, best first.

        This is for what has too little texture to prove: what is proven beyond chance, and a text,
        stays as it is. Scores can only rise. The time that finding and verifying took is taken off
        the budget.
        """
        candidates = proven.candidates
        aspect = candidates.thing.aspect
        places = proven.proof.places
        sure = any(surely_there(own[0]) for own in places.values())
        if not candidates.looks or aspect is None or sure:
            return proven
        deadline = time.monotonic() + self._budget_s(candidates.started, options)
        views, cut = self.comparer.compare(proven, aspect, options, deadline)
        if views and max(view.resemblance for view in views) < ALIKE:
            # In the best image alone: of 150 crops of photos of 0.3 megapixels whose search came so
            # far, none was found better by fitting boxes in four, at most of a closer look's price.
            weight = self.nearest.kind_weight(candidates.thing, options)
            compared = self.nearest.compared(candidates.thing, weight)
            cut = not self._fit(views[0], compared, deadline) or cut
        fitted = {view.match.image_id: _with_best(view) for view in views}
        matches = [fitted.get(match.image_id, match) for match in proven.matches]
        refuted = {view.match.image_id for view in views if refutes(view, places)}
        kept = {name: own for name, own in places.items() if name not in refuted}
        proof = replace(proven.proof, places=kept, complete=proven.proof.complete and not cut)
        return replace(proven, matches=by_standing(matches, kept), proof=proof)

    def _budget_s(self, started: float, options: SearchOptions) -> float:
        """Return how long looking may take in a search that began at `started`."""
        if options.order.patient:
            return PATIENT_S * options.share
        left_s = max(LEAST_FIT_S, IN_ALL_S - (time.monotonic() - started))
        return min(self.budget_s, options.share * left_s)

    def _fit(self, view: View, embeddings: Embeddings, deadline: float) -> bool:
        """Try boxes by their embeddings, step by step; return whether the time sufficed."""
        starts = [box for _, box in view.best[: STEPS[0].starts]]
        look = look_at(
            self.encoder, view.image, [_reached(box, *view.image.size) for box in starts]
        )
        for step in STEPS:
            if time.monotonic() > deadline:
                return False
            boxes = list(dict.fromkeys(_around(view, step)))
            if not boxes:
                continue
            scores = (look.embeddings(boxes) @ embeddings.T).max(axis=1)
            tried = list(zip(scores.tolist(), boxes, strict=True))
            # The first boxes were scored in another shape: they are where to look, no more.
            known = [] if step is STEPS[0] else view.best
            view.best = sorted(tried + known, key=lambda t: -t[0])[:4]
        return True


def _reached(start: Box, width: int, height: int) -> Box:
    """Return the part of an image that the steps may come to from this box."""
    x, y = (start.x1 + start.x2) / 2, (start.y1 + start.y2) / 2
    around = centred(x, y, 2 * REACH * start.width, 2 * REACH * start.height)
    return Box.covering(around.as_tuple(), width, height)


def _around(view: View, step: Step) -> Iterator[Box]:
    """Yield the boxes of a step, clipped to the image."""
    shifts = (-step.shift, 0.0, step.shift)
    for _, start in view.best[: step.starts]:
        x, y = (start.x1 + start.x2) / 2, (start.y1 + start.y2) / 2
        for scale, shape in product(step.scales, step.shapes):
            width = start.width * scale * math.sqrt(shape)
            height = start.height * scale / math.sqrt(shape)
            for dx, dy in product(shifts, shifts):
                moved = centred(x + dx * width, y + dy * height, width, height)
                box = Box.covering(moved.as_tuple(), *view.image.size)
                if min(box.width, box.height) >= MIN_SIDE_PX:
                    yield box


def _with_best(view: View) -> Match:
    """Return the image's match with the fitted box first, if it is better than the indexed one."""
    score, box = view.fitted
    old = view.match.hits[0]
    if score < old.score + GAIN:
        return view.match
    region = replace(old.region, box=box, source=HitSource.ZOOM)
    hits = (Hit(old.id, score, region), *outside(view.match.hits, [box]))
    return Match(view.match.image_id, score, hits[: len(view.match.hits)])
