"""What the service is asked, decided before anything runs and always by the same dice."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from lab.evaluation.pack import BOXES_A_BAND, LEAST_PX
from lab.evaluation.perturb import PERTURBATIONS
from lab.evaluation.photos import Photo, Query, spread
from lab.evaluation.questions import BANDS, SEED, BoxQuestion, choose_boxes, findable
from lab.evaluation.report import SECOND

EXACT, TOGETHER = "exact", "all together"
FOLDS = 10
"""Parts of the collection that a filter can leave out."""
SAMPLED = 4
"""Every so many boxes one is asked under every perturbation, and of the open set."""
INDEX_S, SEARCH_S, GROUPED_S = 0.3, 0.4, 0.06
"""Rough seconds of a core a photo and a search, to say beforehand how long it takes."""


@dataclass(frozen=True)
class Question:
    """One small picture to search for, and the photos (by number) that show it.

    `what` names the perturbation, or `SECOND`. `box` is where it was cut from; a second photograph
    has its `query` instead. `open_set`: it is asked again without its photos; `stepwise`: it is
    followed through the steps of a search.
    """

    what: str
    group: str
    right: frozenset[int]
    box: BoxQuestion | None = None
    query: Query | None = None
    open_set: bool = False
    stepwise: bool = False

    def picture(self, photo: Image.Image) -> Image.Image:
        """Return the small picture, cut from its photo (RGB). Raises ValueError without a box."""
        if self.box is None:
            raise ValueError("a second photograph is a file of its own")
        corners = self.box.box.corners
        rng = random.Random(f"{SEED}/{corners}/{self.what}")
        return PERTURBATIONS[self.what](photo, corners, rng)


@dataclass(frozen=True)
class Plan:
    """The photos and every question about them; those of boxes come in the order of the photos."""

    photos: tuple[Photo, ...]
    questions: tuple[Question, ...]

    @property
    def searches(self) -> int:
        """How many whole searches that makes."""
        return len(self.questions) + sum(question.open_set for question in self.questions)

    def minutes(self) -> tuple[float, float]:
        """Return the rough minutes of indexing and of asking, on one quiet core."""
        grouped = sum(question.stepwise for question in self.questions)
        asking = SEARCH_S * self.searches + GROUPED_S * grouped
        return INDEX_S * len(self.photos) / 60, asking / 60


def make_plan(photos: Sequence[Photo], seconds: Sequence[Query], most: int | None) -> Plan:
    """Return the plan: at most `most` boxes, and as many second photographs.

    All boxes are asked as exact crops and under everything together; a part of them, as evenly
    spread over the sizes, under each perturbation.
    """
    boxes = balanced(choose_boxes(photos, bands=BANDS, most=BOXES_A_BAND, least_px=LEAST_PX), most)
    sample = set(balanced(boxes, max(1, len(boxes) // SAMPLED)))
    asked = [q for box in boxes for q in _of_box(box, photos[box.photo].set, box in sample)]
    asked += [_of_query(query, photos) for query in spread(findable(seconds, photos), most)]
    return Plan(tuple(photos), tuple(asked))


def balanced(boxes: Sequence[BoxQuestion], most: int | None) -> list[BoxQuestion]:
    """Return at most `most` boxes, in their order: as many of each band of sizes as can be."""
    if most is None or most >= len(boxes):
        return list(boxes)
    bands = [[box for box in boxes if low <= box.share < high] for low, high in BANDS.values()]
    chosen: list[BoxQuestion] = []
    bands.sort(key=len)
    for left, band in zip(range(len(bands), 0, -1), bands, strict=True):
        chosen += spread(band, (most - len(chosen)) // left)
    return [box for box in boxes if box in set(chosen)]


def folds(photos: Sequence[Photo], seconds: Sequence[Query]) -> list[int]:
    """Return the part of the collection, 0..9, that each photo belongs to, by its names alone.

    Photos that show what one second photograph is of belong together, so that leaving out one
    part leaves them all out; of any other photo the file's name decides.
    """
    families: dict[str, str] = {}
    for query in sorted(seconds, key=lambda query: str(query.path.name)):
        family = min(query.right, default="")
        for name in query.right:
            families.setdefault(name, families.get(family, family))
    return [_fold(families.get(photo.path.name, photo.path.name)) for photo in photos]


def _fold(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % FOLDS


def _of_box(box: BoxQuestion, group: str, sampled: bool) -> Iterator[Question]:
    for name in PERTURBATIONS:
        whole = name in (EXACT, TOGETHER)
        if whole or sampled:
            yield Question(
                name,
                group,
                frozenset({box.photo}),
                box=box,
                open_set=whole and sampled,
                stepwise=whole,
            )


def _of_query(query: Query, photos: Sequence[Photo]) -> Question:
    right = frozenset(n for n, photo in enumerate(photos) if photo.path.name in query.right)
    return Question(SECOND, query.group, right, query=query, open_set=True)
