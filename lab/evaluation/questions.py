"""What is searched for: boxes of the photos, perturbed, and second photographs."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lab.evaluation.embedder import Embedder
from lab.evaluation.perturb import PERTURBATIONS
from lab.evaluation.photos import LabelledBox, Photo, Query, read_pixels
from lab.evaluation.report import ALL, PERTURBED, SAME_KIND, SECOND, Row
from lab.evaluation.retrieval import Gallery, Truth, look_up

SEED = 0
BOX_SET = "coco256"
"""The set of the development photos whose boxes are everyday things of many kinds."""

Bands = dict[str, tuple[float, float]]
"""Shares of the photo's area, from and below, by name."""

EVERY_SIZE: Bands = {ALL: (0.0, np.inf)}
BANDS: Bands = {
    "> 16 %": (0.16, np.inf),
    "4-16 %": (0.04, 0.16),
    "1-4 %": (0.01, 0.04),
    "0.25-1 %": (0.0025, 0.01),
    "< 0.25 %": (0.0, 0.0025),
}
CUMULATIVE: Bands = {">= 4 %": (0.04, np.inf), ">= 1 %": (0.01, np.inf)}


@dataclass(frozen=True)
class BoxQuestion:
    """A box of the photo with the number `photo`; `share` of the photo's area, 0..1."""

    photo: int
    box: LabelledBox
    share: float


@dataclass(frozen=True)
class Questions:
    """All that is searched for in one run; numbers are places in the list of photos."""

    boxes: tuple[BoxQuestion, ...]
    seconds: tuple[Query, ...]

    def embed_boxes(self, number: int, image: Image.Image, into: Embedder) -> None:
        """Cut the boxes of the photo with that number under every perturbation."""
        for index, question in enumerate(self.boxes):
            if question.photo != number:
                continue
            for name, perturb in PERTURBATIONS.items():
                rng = random.Random(f"{SEED}/{index}/{name}")
                into.add(perturb(image, question.box.corners, rng), name)

    def embed_seconds(self, into: Embedder) -> None:
        """Take the second photographs, whole."""
        for query in self.seconds:
            into.add(read_pixels(query.path), SECOND)


def choose_boxes(
    photos: Sequence[Photo], *, bands: Bands, most: int, least_px: float
) -> tuple[BoxQuestion, ...]:
    """Return up to `most` boxes a band of each photo, drawn by always the same dice.

    Of the photos in `BOX_SET`, or of all where there is no such set. Boxes whose shorter side is
    under `least_px`, and difficult ones, are left out. The order is that of the photos, and a
    photo's dice are its own: fewer photos do not change what is drawn from the others.
    """
    own = [n for n, photo in enumerate(photos) if photo.set == BOX_SET] or range(len(photos))
    return tuple(
        BoxQuestion(number, box, photos[number].share(box))
        for number in own
        for box in _drawn(photos[number], bands, most, least_px)
    )


def _drawn(photo: Photo, bands: Bands, most: int, least_px: float) -> Iterator[LabelledBox]:
    rng = random.Random(f"{SEED}/{photo.path.name}")
    usable = [box for box in photo.boxes if box.shorter_px >= least_px and not box.difficult]
    for low, high in bands.values():
        within = [box for box in usable if low <= photo.share(box) < high]
        yield from rng.sample(within, min(most, len(within)))


def findable(seconds: Sequence[Query], photos: Sequence[Photo]) -> tuple[Query, ...]:
    """Return the queries that have a right photo among the photos."""
    names = {photo.path.name for photo in photos}
    return tuple(query for query in seconds if query.right & names)


def all_rows(
    encoder: str,
    gallery: Gallery,
    into: Embedder,
    questions: Questions,
    photos: Sequence[Photo],
    bands: Bands,
) -> Iterator[Row]:
    """Yield one encoder's rows of all three tables."""
    yield from perturbed_rows(encoder, gallery, into, questions, bands)
    yield from second_rows(encoder, gallery, into, questions, photos)
    yield from same_kind_rows(encoder, gallery, into, questions, photos)


def perturbed_rows(
    encoder: str, gallery: Gallery, into: Embedder, questions: Questions, bands: Bands
) -> Iterator[Row]:
    """Yield a row for each perturbation and band of sizes: right is the box's own photo."""
    truths = [Truth(frozenset({q.photo}), box=q.box.corners) for q in questions.boxes]
    shares = np.array([q.share for q in questions.boxes])
    for name in PERTURBATIONS if truths else ():
        outcomes = look_up(gallery, into.embeddings(encoder, name), truths)
        for band, (low, high) in bands.items():
            chosen = (low <= shares) & (shares < high)
            if chosen.any():
                yield Row(PERTURBED, name, band, encoder, outcomes[chosen])


def second_rows(
    encoder: str, gallery: Gallery, into: Embedder, questions: Questions, photos: Sequence[Photo]
) -> Iterator[Row]:
    """Yield a row for each set of second photographs, and for each group of a set."""
    truths = [
        Truth(frozenset(n for n, photo in enumerate(photos) if photo.path.name in query.right))
        for query in questions.seconds
    ]
    if not truths:
        return
    outcomes = look_up(gallery, into.embeddings(encoder, SECOND), truths)
    members = defaultdict(list)
    for number, query in enumerate(questions.seconds):
        members[query.set].append(number)
        if query.group != query.set:
            members[f"{query.set} {query.group}"].append(number)
    for name, numbers in sorted(members.items()):
        chosen = np.isin(np.arange(len(truths)), numbers)
        yield Row(SECOND, name, ALL, encoder, outcomes[chosen])


def same_kind_rows(
    encoder: str, gallery: Gallery, into: Embedder, questions: Questions, photos: Sequence[Photo]
) -> Iterator[Row]:
    """Yield how well a box finds the other photos with a box of its label.

    Photos without labels may well show the kind and count as wrong all the same; the second row
    searches only the photos of the boxes' own sets.
    """
    sets = {photos[question.photo].set for question in questions.boxes}
    holders = _holders(photos, sets)
    others = [frozenset(holders[q.box.label] - {q.photo}) for q in questions.boxes]
    asked = [q for q, right in zip(questions.boxes, others, strict=True) if right]
    if not asked:
        return
    exact = into.embeddings(encoder, "exact")[np.array([bool(right) for right in others])]
    labels = tuple(question.box.label for question in asked)
    elsewhere = frozenset(n for n, photo in enumerate(photos) if photo.set not in sets)
    for name, left_out in {"all photos": frozenset(), "labelled photos only": elsewhere}.items():
        truths = [
            Truth(frozenset(holders[q.box.label] - {q.photo}), left_out | {q.photo}) for q in asked
        ]
        yield Row(SAME_KIND, name, ALL, encoder, look_up(gallery, exact, truths), labels)


def _holders(photos: Sequence[Photo], sets: Collection[str]) -> dict[str, set[int]]:
    """Return the photos of those sets that hold a box of each label."""
    holders: dict[str, set[int]] = defaultdict(set)
    for number, photo in enumerate(photos):
        for label in photo.labels if photo.set in sets else ():
            holders[label].add(number)
    return holders
