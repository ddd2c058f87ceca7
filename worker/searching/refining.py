"""A closer look at the best images of a search, at full resolution.

Indexed boxes are made without knowing what will be searched for; a tile rarely fits the thing. The
query's own shape is known now, so boxes of that shape are tried around the best hits, coarse to
fine, and the best of them becomes the image's first hit. Bounded by a time budget: what a slow
encoder does not reach in time keeps its indexed box.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product

from common import pictures
from common.contract.fields import HitSource
from common.errors import NeedleError
from common.geometry import Box
from common.images import ImageStore, image_key
from worker.models.base import Embeddings, Encoder
from worker.searching.grouping import Match
from worker.searching.hits import outside
from worker.searching.looking import Look, look_at
from worker.searching.nearest import Nearest
from worker.searching.options import SearchOptions
from worker.searching.proving import Proven
from worker.vectors.base import Hit

log = logging.getLogger(__name__)

IN_ALL_S = 0.65
"""Fitting boxes may use what finding and verifying leave of this: a search stays under 1 s."""
LEAST_FIT_S = 0.15
PIXELS = 64_000_000
"""Most pixels that a closer look decodes: 256 MB, and 0.5 s or so on two slow cores."""
THREADS = 8
MIN_SIDE_PX = 12
REACH = 1.75
"""No step's boxes reach further from a first box's centre than so many of its sides."""
GAIN = 0.005
"""A box must be better than the indexed one by this much to take its place."""


@dataclass(frozen=True)
class Step:
    """One round: the boxes tried around each of the best `starts` boxes so far.

    `shift` moves the centre, as a share of the box's sides; `scales` and `shapes` multiply its
    size and its aspect ratio. Only the best `images` go through it.
    """

    starts: int
    shift: float
    scales: tuple[float, ...]
    shapes: tuple[float, ...]
    images: int


STEPS = (
    Step(starts=2, shift=0.3, scales=(0.8, 1.3), shapes=(1.0,), images=50),
    Step(starts=2, shift=0.15, scales=(0.85, 1.18), shapes=(1.0,), images=3),
    Step(starts=1, shift=0.07, scales=(0.93, 1.07), shapes=(0.9, 1.1), images=1),
    Step(starts=1, shift=0.03, scales=(0.97, 1.03), shapes=(0.95, 1.05), images=1),
)


class _Room:
    """Pixels that may still be decoded."""

    def __init__(self, pixels: int) -> None:
        self._left = pixels
        self._lock = threading.Lock()

    def take(self, pixels: int) -> bool:
        """Take so many, unless there are fewer."""
        with self._lock:
            fits = pixels <= self._left
            self._left -= pixels if fits else 0
            return fits


@dataclass
class View:
    """An image that is looked at: its match, its size in pixels, and the best boxes so far."""

    match: Match
    size: tuple[int, int]
    look: Look
    best: list[tuple[float, Box]]

    @property
    def score(self) -> float:
        """The best score so far."""
        return max(self.match.hits[0].score, self.best[0][0])


@dataclass(frozen=True)
class Refiner:
    """Looks closer with the encoder of the search, for at most `budget_s`."""

    nearest: Nearest
    encoder: Encoder
    images: ImageStore
    max_pixels: int
    budget_s: float

    def refine(self, proven: Proven, options: SearchOptions) -> Proven:
        """Return the matches, the first `looks` of them with their boxes fitted, best first.

        This is for what has no texture to verify: what is proven, and a text, stays as it is.
        Scores can only rise. The time that finding and verifying took is taken off the budget.
        """
        candidates = proven.candidates
        aspect = candidates.thing.aspect
        if not candidates.looks or aspect is None or proven.proof.places:
            return proven
        left_s = max(LEAST_FIT_S, IN_ALL_S - (time.monotonic() - candidates.started))
        deadline = time.monotonic() + min(self.budget_s, options.share * left_s)
        embeddings = self.nearest.compared(candidates.thing)
        views = self._open(options.collection, proven.matches[: candidates.looks], aspect, deadline)
        for step in STEPS:
            views.sort(key=lambda view: -view.score)
            if not self._round(views[: step.images], embeddings, step, deadline):
                break
        fitted = {view.match.image_id: _with_best(view) for view in views}
        matches = [fitted.get(match.image_id, match) for match in proven.matches]
        matches.sort(key=lambda match: (-match.score, match.image_id))
        return replace(proven, matches=tuple(matches))

    def _open(
        self, collection: str, matches: Sequence[Match], aspect: float, deadline: float
    ) -> list[View]:
        """Decode the images side by side; one that cannot be read is not looked at.

        Nor is one that would take longer to decode, or more memory, than a closer look may.
        """

        room = _Room(PIXELS)

        def view(match: Match) -> View | None:
            if time.monotonic() > deadline:
                return None
            try:
                content = self.images.open(image_key(collection, match.image_id))
                header = pictures.inspect(content, max_pixels=self.max_pixels)
                if not room.take(header.width * header.height):
                    return None
                image = pictures.decode(content, max_pixels=self.max_pixels)
            except NeedleError as error:
                log.warning("no closer look at %s: %s", match.image_id, error.message)
                return None
            starts = [(hit.score, _shaped(hit.region.box, aspect)) for hit in match.hits]
            parts = [_reached(box, *image.size) for _, box in starts[: STEPS[0].starts]]
            return View(match, image.size, look_at(self.encoder, image, parts), starts)

        if not matches:
            return []
        with ThreadPoolExecutor(min(len(matches), THREADS)) as pool:
            return [opened for opened in pool.map(view, matches) if opened is not None]

    def _round(
        self, views: Sequence[View], embeddings: Embeddings, step: Step, deadline: float
    ) -> bool:
        """Try one step's boxes in every image; False when the time is up."""
        first = step is STEPS[0]
        for view in views:
            if time.monotonic() > deadline:
                return False
            boxes = list(dict.fromkeys(_around(view, step)))
            if not boxes:
                continue
            scores = (view.look.embeddings(boxes) @ embeddings.T).max(axis=1)
            tried = list(zip(scores.tolist(), boxes, strict=True))
            # The first boxes were scored in another shape: they are where to look, no more.
            view.best = sorted(tried if first else tried + view.best, key=lambda t: -t[0])[:4]
        return True


def _reached(start: Box, width: int, height: int) -> Box:
    """Return the part of an image that the steps may come to from this box."""
    x, y = (start.x1 + start.x2) / 2, (start.y1 + start.y2) / 2
    around = _centred(x, y, 2 * REACH * start.width, 2 * REACH * start.height)
    return Box.covering(around.as_tuple(), width, height)


def _shaped(box: Box, aspect: float) -> Box:
    """Return a box of equal centre and area and another width / height; it may leave the image."""
    side = math.sqrt(box.area)
    width, height = side * math.sqrt(aspect), side / math.sqrt(aspect)
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    return _centred(x, y, width, height)


def _centred(x: float, y: float, width: float, height: float) -> Box:
    left, top = round(x - width / 2), round(y - height / 2)
    return Box(left, top, left + round(width), top + round(height))


def _around(view: View, step: Step) -> Iterator[Box]:
    """Yield the boxes of a step, clipped to the image."""
    shifts = (-step.shift, 0.0, step.shift)
    for _, start in view.best[: step.starts]:
        x, y = (start.x1 + start.x2) / 2, (start.y1 + start.y2) / 2
        for scale, shape in product(step.scales, step.shapes):
            width = start.width * scale * math.sqrt(shape)
            height = start.height * scale / math.sqrt(shape)
            for dx, dy in product(shifts, shifts):
                moved = _centred(x + dx * width, y + dy * height, width, height)
                box = Box.covering(moved.as_tuple(), *view.size)
                if min(box.width, box.height) >= MIN_SIDE_PX:
                    yield box


def _with_best(view: View) -> Match:
    """Return the image's match with the fitted box first, if it is better than the indexed one."""
    score, box = view.best[0]
    old = view.match.hits[0]
    if score < old.score + GAIN:
        return view.match
    region = replace(old.region, box=box, source=HitSource.ZOOM)
    hits = (Hit(old.id, score, region), *outside(view.match.hits, [box]))
    return Match(view.match.image_id, score, hits[: len(view.match.hits)])
