"""The pixels of the best images compared with the query's, around the hits."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from common import pictures
from common.errors import NeedleError
from common.geometry import Box
from common.images import ImageStore, image_key
from worker.searching.candidates import FIRST_LOOKS
from worker.searching.embedding import QUARTERS
from worker.searching.grouping import Match
from worker.searching.options import SearchOptions
from worker.searching.proving import Proven
from worker.searching.resemblance import Resemblance, Template
from worker.searching.verifying import Places

log = logging.getLogger(__name__)

PIXELS = 64_000_000
"""Most pixels that a closer look decodes: 256 MB, and 0.5 s or so on two slow cores."""
PLACES = 3
"""Hits of an image around which pixels are compared."""
THREADS = 4
NOTHING = 0.3
"""Resemblance that says nothing: pictures of anything agree this much somewhere."""
SHARPNESS = 1.5
"""What is alike by half counts by a third."""
ALIKE = 0.6
"""Resemblance from which on the place is found: its box fits as no embedding's does."""
SURELY_ALIKE = 0.75
"""Resemblance from which on no more images are looked at. Chance gives it now and then; but from
0.85 on more are looked at than there is time for, and fewer small things come first."""
PROMISING = 0.3
"""Resemblance of a place that was found roughly from which on it counts, and is fitted exactly."""
ELSEWHERE_IOU = 0.5
"""A proof and a place that overlap less than this are of two different places."""


@dataclass
class View:
    """An image that is looked at: its match, its pixels, and the best boxes so far.

    `best` are places by their embeddings, `alike` is the one whose pixels are most like the
    query's, each with its score; `resemblance`, 0..1, says how much they are. `cut` tells that the
    time was up before its pixels were compared as they should be.
    """

    match: Match
    image: Image.Image
    best: list[tuple[float, Box]]
    alike: tuple[float, Box] | None = None
    resemblance: float = 0.0
    cut: bool = False

    @property
    def fitted(self) -> tuple[float, Box]:
        """The best score so far, and its box."""
        return max([self.best[0], *([self.alike] if self.alike else [])], key=lambda one: one[0])

    @property
    def score(self) -> float:
        """The best score so far."""
        return max(self.match.hits[0].score, self.fitted[0])


@dataclass(frozen=True)
class Comparer:
    """Decodes images and compares their pixels with a thing's."""

    images: ImageStore
    max_pixels: int

    def compare(
        self, proven: Proven, aspect: float, options: SearchOptions, deadline: float
    ) -> tuple[list[View], bool]:
        """Return the best images, the most alike first, and whether the time ran out on others.

        There is room for PIXELS of them. Behind the first looks, images are compared only as long
        as none was surely alike. `aspect` is the thing's width / height; `deadline` is on the
        monotonic clock.
        """
        budget = _PixelBudget(PIXELS)
        candidates, matches = proven.candidates, proven.matches
        templates = [Template(pixels) for pixels in _turned(candidates.thing.pixels, options)]
        views: list[View] = []
        cut = False
        looks = min(candidates.looks, len(matches))
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, looks, THREADS):
                found = any(view.resemblance >= SURELY_ALIKE for view in views)
                if (found and start >= FIRST_LOOKS) or budget.spent:
                    break
                if time.monotonic() > deadline:
                    cut = True
                    break
                part = matches[start : min(start + THREADS, looks)]
                opened = pool.map(
                    lambda match: self._open(options.collection, match, aspect, budget), part
                )
                some = [view for view in opened if view is not None]
                list(pool.map(lambda view: _compare(view, templates, deadline), some))
                views += some
        cut = cut or any(view.cut for view in views)
        return sorted(views, key=lambda view: -view.score), cut

    def _open(
        self, collection: str, match: Match, aspect: float, budget: _PixelBudget
    ) -> View | None:
        """Decode an image; one that cannot be read, or has no room, is not looked at."""
        try:
            content = self.images.open(image_key(collection, match.image_id))
            header = pictures.inspect(content, max_pixels=self.max_pixels)
            if not budget.take(header.width * header.height):
                return None
            image = pictures.decode(content, max_pixels=self.max_pixels)
        except NeedleError as error:
            log.warning("no closer look at %s: %s", match.image_id, error.message)
            return None
        starts = [(hit.score, _shaped(hit.region.box, aspect)) for hit in match.hits]
        return View(match, image, starts)


class _PixelBudget:
    """Pixels that may still be decoded."""

    def __init__(self, pixels: int) -> None:
        self.spent = False
        self._left = pixels
        self._lock = threading.Lock()

    def take(self, pixels: int) -> bool:
        """Take so many, unless there are fewer."""
        with self._lock:
            fits = pixels <= self._left
            self._left -= pixels if fits else 0
            self.spent |= not fits
            return fits


def refutes(view: View, places: Mapping[str, Places]) -> bool:
    """Tell whether the pixels are surely elsewhere than a proof that chance might give."""
    own = places.get(view.match.image_id)
    if not own or view.alike is None or view.resemblance < ALIKE:
        return False
    return own[0].box.iou(view.alike[1]) < ELSEWHERE_IOU


def _turned(pixels: Sequence[Image.Image], options: SearchOptions) -> list[Image.Image]:
    """Return the thing's images, and turned by quarters where the search asks for that."""
    turned = [image.transpose(turn) for image in pixels for turn in QUARTERS]
    return [*pixels, *turned] if options.order.rotate else list(pixels)


def _compare(view: View, templates: Sequence[Template], deadline: float) -> None:
    """Find the place around the view's hits whose pixels are most like a template's."""
    pixels = np.asarray(view.image)
    best: tuple[float, float, Template, Resemblance] | None = None
    for score, box in view.best[:PLACES]:
        for template in templates:
            if time.monotonic() > deadline:
                view.cut = True
                break
            rough = template.roughly(pixels, box)
            if rough is None:
                continue
            raised = _raised(score, rough)
            if best is None or raised > best[0]:
                best = raised, score, template, rough
    if best is None:
        return
    _, score, template, rough = best
    if _resemblance(rough) < PROMISING:
        return
    # What was found roughly counts as well, where the time is up.
    late = time.monotonic() > deadline
    view.cut = view.cut or late
    found = rough if late else template.exactly(pixels, rough)
    if found.score > NOTHING:
        view.alike, view.resemblance = (_raised(score, found), found.box), _resemblance(found)


def _resemblance(found: Resemblance) -> float:
    """Return how much a place is like the query, 0..1."""
    if found.score <= NOTHING:
        return 0.0
    return (found.score - NOTHING) / (1 - NOTHING)


def _raised(score: float, found: Resemblance) -> float:
    """Return a place's score: what is left to a perfect one is closed by how far pixels agree."""
    resemblance = _resemblance(found)
    return float(score + max(0.0, 1 - score) * resemblance**SHARPNESS)


def _shaped(box: Box, aspect: float) -> Box:
    """Return a box of equal centre and area and another width / height; it may leave the image."""
    side = math.sqrt(box.area)
    width, height = side * math.sqrt(aspect), side / math.sqrt(aspect)
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    return centred(x, y, width, height)


def centred(x: float, y: float, width: float, height: float) -> Box:
    """Return the box around a place; it may leave the image."""
    left, top = round(x - width / 2), round(y - height / 2)
    return Box(left, top, left + round(width), top + round(height))
