"""A closer look at the best photos of a search, at full resolution.

Indexed boxes are made without knowing what will be searched for; a tile rarely fits the thing. The
query's own shape is known now, so boxes of that shape are tried around the best hits, coarse to
fine, and the best of them becomes the photo's first hit. Bounded by a time budget: what a slow
encoder does not reach in time keeps its indexed box.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product

from PIL import Image

from common import pictures
from common.errors import NeedleError
from common.geometry import Box
from common.images import ImageStore, photo_key
from worker.models.base import Embeddings, Encoder
from worker.searching.grouping import Match
from worker.vectors.base import Hit, Source

log = logging.getLogger(__name__)

MIN_SIDE_PX = 12
GAIN = 0.005
"""A box must be better than the indexed one by this much to take its place."""


@dataclass(frozen=True)
class Step:
    """One round: the boxes tried around each of the best `starts` boxes so far.

    `shift` moves the centre, as a share of the box's sides; `scales` and `shapes` multiply its
    size and its aspect ratio. Only the best `photos` go through it.
    """

    starts: int
    shift: float
    scales: tuple[float, ...]
    shapes: tuple[float, ...]
    photos: int


STEPS = (
    Step(starts=2, shift=0.3, scales=(0.8, 1.3), shapes=(1.0,), photos=50),
    Step(starts=2, shift=0.15, scales=(0.85, 1.18), shapes=(1.0,), photos=3),
    Step(starts=1, shift=0.07, scales=(0.93, 1.07), shapes=(0.9, 1.1), photos=1),
    Step(starts=1, shift=0.03, scales=(0.97, 1.03), shapes=(0.95, 1.05), photos=1),
)


@dataclass
class View:
    """A photo that is looked at: its match, its pixels, and the best boxes so far."""

    match: Match
    image: Image.Image
    best: list[tuple[float, Box]]

    @property
    def score(self) -> float:
        """The best score so far."""
        return max(self.match.hits[0].score, self.best[0][0])


@dataclass(frozen=True)
class Zoom:
    """Looks closer with the encoder of the search."""

    encoder: Encoder
    images: ImageStore
    max_pixels: int
    budget_s: float

    def refine(
        self,
        collection: str,
        matches: Sequence[Match],
        embeddings: Embeddings,
        aspect: float,
        photos: int,
        most_s: float = math.inf,
    ) -> list[Match]:
        """Return the matches, the first `photos` of them with their boxes fitted, best first.

        `embeddings` (E, dim) are the query's, any of which counts; `aspect` its width over its
        height; `most_s` seconds it may take, where that is less than the budget. Scores can only
        rise.
        """
        deadline = time.monotonic() + min(self.budget_s, most_s)
        views = self._open(collection, matches[:photos], aspect)
        for step in STEPS:
            views.sort(key=lambda view: -view.score)
            if not self._round(views[: step.photos], embeddings, step, deadline):
                break
        refined = {view.match.image_id: _with_best(view) for view in views}
        found = [refined.get(match.image_id, match) for match in matches]
        return sorted(found, key=lambda match: (-match.score, match.image_id))

    def _open(self, collection: str, matches: Sequence[Match], aspect: float) -> list[View]:
        """Decode the photos side by side; one that cannot be read is not looked at."""

        def view(match: Match) -> View | None:
            try:
                content = self.images.open(photo_key(collection, match.image_id))
                image = pictures.decode(content, max_pixels=self.max_pixels)
            except NeedleError as error:
                log.warning("no closer look at %s: %s", match.image_id, error.message)
                return None
            starts = [(hit.score, _shaped(hit.region.box, aspect)) for hit in match.hits]
            return View(match, image, starts)

        if not matches:
            return []
        with ThreadPoolExecutor(len(matches)) as pool:
            return [found for found in pool.map(view, matches) if found is not None]

    def _round(
        self, views: Sequence[View], embeddings: Embeddings, step: Step, deadline: float
    ) -> bool:
        """Try one step's boxes in every photo; False when the time is up."""
        first = step is STEPS[0]
        for view in views:
            if time.monotonic() > deadline:
                return False
            boxes = list(dict.fromkeys(_around(view, step)))
            if not boxes:
                continue
            crops = [pictures.crop(view.image, box) for box in boxes]
            scores = (self.encoder.encode_images(crops) @ embeddings.T).max(axis=1)
            tried = list(zip(scores.tolist(), boxes, strict=True))
            # The first boxes were scored in another shape: they are where to look, no more.
            view.best = sorted(tried if first else tried + view.best, key=lambda t: -t[0])[:4]
        return True


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
    """Yield the boxes of a step, clipped to the photo."""
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
    """Return the photo's match with the fitted box first, if it is better than the indexed one."""
    score, box = view.best[0]
    old = view.match.hits[0]
    if score < old.score + GAIN:
        return view.match
    region = replace(old.region, box=box, source=Source.ZOOM)
    rest = [hit for hit in view.match.hits if hit.region.box.iou(box) < 0.3]
    hits = (Hit(old.id, score, region), *rest)
    return Match(view.match.image_id, score, hits[: len(view.match.hits)])
