"""A closer look at the best images of a search, at full resolution.

Indexed boxes are made without knowing what will be searched for; a tile rarely fits the thing. The
query's own shape is known now. Its pixels are compared with those around the best hits: where they
are much alike, that is the place, and its box fits. Where they are nowhere, the thing looks another
way, and boxes of the query's shape are tried by their embeddings, coarse to fine. Bounded by a time
budget: what is not reached in time keeps its indexed box.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from PIL import Image

from common import pictures
from common.contract.fields import HitSource
from common.errors import NeedleError
from common.geometry import Box
from common.images import ImageStore, image_key
from worker.models.base import Embeddings, Encoder
from worker.searching.candidates import Candidates
from worker.searching.embedding import QUARTERS
from worker.searching.grouping import Match
from worker.searching.hits import outside
from worker.searching.likeness import Template
from worker.searching.looking import Look, look_at
from worker.searching.nearest import Nearest
from worker.searching.options import SearchOptions
from worker.searching.proving import Proven
from worker.searching.standing import SURE, by_standing
from worker.searching.verifying import Places
from worker.vectors.base import Hit

log = logging.getLogger(__name__)

IN_ALL_S = 0.65
"""Fitting boxes may use what finding and verifying leave of this: a search stays under 1 s."""
LEAST_FIT_S = 0.15
PIXELS = 64_000_000
"""Most pixels that a closer look decodes: 256 MB, and 0.5 s or so on two slow cores."""
MIN_SIDE_PX = 12
REACH = 1.75
"""No step's boxes reach further from a first box's centre than so many of its sides."""
GAIN = 0.005
"""A box must be better than the indexed one by this much to take its place."""
PLACES = 3
"""Hits of an image around which pixels are compared."""
THREADS = 4
NOTHING = 0.3
"""Likeness that says nothing: pictures of anything agree this much somewhere."""
SHARPNESS = 1.5
"""What is alike by half counts by a third."""
LIKE = 0.6
"""Likeness from which on boxes are not fitted by embeddings: pixels fit them better."""
ELSEWHERE_IOU = 0.5
"""A proof and a place that overlap less than this are of two different places."""
FITTED = 4
"""Images in which boxes are fitted by embeddings."""


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
    Step(starts=2, shift=0.3, scales=(0.8, 1.3), shapes=(1.0,), images=FITTED),
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
    """An image that is looked at: its match, its pixels, and the best boxes so far.

    `alike` is the place whose pixels are most like the query's, `likeness` how much, 0..1.
    """

    match: Match
    image: Image.Image
    best: list[tuple[float, Box]]
    alike: tuple[float, Box] | None = None
    likeness: float = 0.0
    look: Look | None = None

    @property
    def fitted(self) -> tuple[float, Box]:
        """The best score so far, and its box."""
        return max([self.best[0], *([self.alike] if self.alike else [])], key=lambda one: one[0])

    @property
    def score(self) -> float:
        """The best score so far."""
        return max(self.match.hits[0].score, self.fitted[0])


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

        This is for what has too little texture to prove: what is proven beyond chance, and a text,
        stays as it is. Scores can only rise. The time that finding and verifying took is taken off
        the budget.
        """
        candidates = proven.candidates
        aspect = candidates.thing.aspect
        places = proven.proof.places
        sure = any(own[0].evidence >= SURE for own in places.values())
        if not candidates.looks or aspect is None or sure:
            return proven
        left_s = max(LEAST_FIT_S, IN_ALL_S - (time.monotonic() - candidates.started))
        deadline = time.monotonic() + min(self.budget_s, options.share * left_s)
        views = self._compared(options, candidates, proven.matches, aspect, deadline)
        if views and max(view.likeness for view in views) < LIKE:
            self._fit(views[:FITTED], self.nearest.compared(candidates.thing), deadline)
        fitted = {view.match.image_id: _with_best(view) for view in views}
        matches = [fitted.get(match.image_id, match) for match in proven.matches]
        refuted = {view.match.image_id for view in views if _refutes(view, places)}
        kept = {name: own for name, own in places.items() if name not in refuted}
        proof = replace(proven.proof, places=kept)
        return replace(proven, matches=by_standing(matches, kept), proof=proof)

    def _compared(
        self,
        options: SearchOptions,
        candidates: Candidates,
        matches: Sequence[Match],
        aspect: float,
        deadline: float,
    ) -> list[View]:
        """Compare the pixels of the thing with the best images', as many as there is time for."""
        room = _Room(PIXELS)
        templates = [Template(pixels) for pixels in _turned(candidates.thing.pixels, options)]
        views: list[View] = []
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, candidates.looks, THREADS):
                if time.monotonic() > deadline:
                    break
                part = matches[start : min(start + THREADS, candidates.looks)]
                opened = pool.map(
                    lambda match: self._open(options.collection, match, aspect, room), part
                )
                some = [view for view in opened if view is not None]
                list(pool.map(lambda view: _compare(view, templates, deadline), some))
                views += some
        return sorted(views, key=lambda view: -view.score)

    def _open(self, collection: str, match: Match, aspect: float, room: _Room) -> View | None:
        """Decode an image; one that cannot be read, or has no room, is not looked at."""
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
        return View(match, image, starts)

    def _fit(self, views: list[View], embeddings: Embeddings, deadline: float) -> None:
        """Try boxes by their embeddings, in rounds."""
        for step in STEPS:
            views.sort(key=lambda view: -view.score)
            if not self._round(views[: step.images], embeddings, step, deadline):
                return

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
            if view.look is None:
                starts = [box for _, box in view.best[: STEPS[0].starts]]
                parts = [_reached(box, *view.image.size) for box in starts]
                view.look = look_at(self.encoder, view.image, parts)
            scores = (view.look.embeddings(boxes) @ embeddings.T).max(axis=1)
            tried = list(zip(scores.tolist(), boxes, strict=True))
            # The first boxes were scored in another shape: they are where to look, no more.
            view.best = sorted(tried if first else tried + view.best, key=lambda t: -t[0])[:4]
        return True


def _refutes(view: View, places: Mapping[str, Places]) -> bool:
    """Tell whether the pixels are surely elsewhere than a proof that chance might give."""
    own = places.get(view.match.image_id)
    if not own or view.alike is None or view.likeness < LIKE:
        return False
    return own[0].box.iou(view.alike[1]) < ELSEWHERE_IOU


def _turned(pixels: Sequence[Image.Image], options: SearchOptions) -> list[Image.Image]:
    """Return the thing's images, and turned by quarters where the search asks for that."""
    turned = [image.transpose(turn) for image in pixels for turn in QUARTERS]
    return [*pixels, *turned] if options.order.rotate else list(pixels)


def _compare(view: View, templates: Sequence[Template], deadline: float) -> None:
    """Find the place around the view's hits whose pixels are most like a template's."""
    pixels = np.asarray(view.image)
    for score, box in view.best[:PLACES]:
        for template in templates:
            if time.monotonic() > deadline:
                return
            found = template.likeness(pixels, box)
            if found is None or found.score <= NOTHING:
                continue
            likeness = (found.score - NOTHING) / (1 - NOTHING)
            # What is left to a perfect score is closed by how far the pixels agree.
            raised = score + max(0.0, 1 - score) * likeness**SHARPNESS
            if view.alike is None or raised > view.alike[0]:
                view.alike, view.likeness = (raised, found.box), likeness


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
