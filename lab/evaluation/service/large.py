"""Small windows of large photos: by pixels of their sides, not by their share of the photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import Progress

from lab.evaluation.perturb import crop, png, reworked
from lab.evaluation.photos import Photo, open_photos, read_pixels, spread
from lab.evaluation.questions import BoxQuestion
from lab.evaluation.service.ask import Answer, Asker
from lab.evaluation.service.index import Collection, index_photos
from lab.evaluation.service.plan import EXACT, Question
from machine.stack import Stack
from needle import Needle

ALTERED = "altered"
"""Mirrored, brighter, at four fifths of the size, JPEG 50."""
WHATS = (EXACT, ALTERED)


@dataclass(frozen=True)
class LargePlan:
    """Large photos, and their windows (labelled boxes), in the order of the photos.

    `beside` are the photos that are indexed with them: what is searched for is in none of these.
    """

    photos: tuple[Photo, ...]
    windows: tuple[BoxQuestion, ...]
    beside: tuple[Photo, ...] = ()

    @property
    def searches(self) -> int:
        """How many searches that makes."""
        return len(WHATS) * len(self.windows)


@dataclass(frozen=True)
class Window:
    """A window's side in pixels, what it was asked as, and the answer."""

    side_px: int
    what: str
    photo: str
    answer: Answer


@dataclass(frozen=True)
class Large:
    """The large photos as the service holds them, and what it answered about their windows."""

    collection: Collection
    windows: tuple[Window, ...]


def plan_large(folder: Path, most: int | None, beside: Sequence[Photo] = ()) -> LargePlan:
    """Return the photos of a folder and at most `most` of their boxes, evenly spread.

    `beside` are the photos that are indexed with them.

    Raises FileNotFoundError where the folder holds no labelled photos.
    """
    photos = open_photos(folder)
    every = [
        BoxQuestion(number, box, photo.share(box))
        for number, photo in enumerate(photos)
        for box in photo.boxes
        if not box.difficult
    ]
    return LargePlan(tuple(photos), tuple(_spread_by_side(every, most)), tuple(beside))


def ask_large(
    plan: LargePlan, stack: Stack, needle: Needle, budget_ms: int | None, console: Console
) -> Large:
    """Index the photos, and those beside them, and ask for their windows."""
    every = [*plan.photos, *plan.beside]
    collection = index_photos(every, [0] * len(every), stack, needle, console)
    asker = Asker(needle, collection, budget_ms)
    windows: list[Window] = []
    with Progress(console=console) as progress:
        bar = progress.add_task("asking, large photos", total=plan.searches)
        for number, photo in enumerate(plan.photos):
            own = [window for window in plan.windows if window.photo == number]
            image = read_pixels(photo.path) if own else None
            for window in own:
                assert image is not None  # it is read where there are windows
                for what in WHATS:
                    question = Question(what, photo.set, frozenset({number}), box=window)
                    answer = asker.ask(question, png(_picture(image, window, what)))
                    windows.append(Window(_side(window), what, photo.path.name, answer))
                    progress.advance(bar)
    return Large(collection, tuple(windows))


def _picture(image: Image.Image, window: BoxQuestion, what: str) -> Image.Image:
    corners = window.box.corners
    return crop(image, corners) if what == EXACT else reworked(image, corners)


def _side(window: BoxQuestion) -> int:
    """Return what the labels say of the side, or else the root of the window's area."""
    return window.box.side_px or round(window.box.area**0.5)


def _spread_by_side(windows: Sequence[BoxQuestion], most: int | None) -> list[BoxQuestion]:
    """Return at most `most` windows in their order, as evenly of all sides as can be."""
    by_side = sorted(range(len(windows)), key=lambda n: (_side(windows[n]), n))
    return [windows[n] for n in sorted(spread(by_side, most))]
