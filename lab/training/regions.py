"""Which boxes of the training photos stand in for things that somebody searches for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lab.training.kinds import kind_of
from lab.training.photos import TrainingPhoto
from lab.training.teacher import Boxes
from worker.models.base import Detection

SMALLEST_SHARE = 0.06
"""Least area of a random region, as a share of the photo: the photos are 170 px high."""
MIN_SIDE_PX = 24
WHOLE_SHARE = 0.35
"""A region of this share of the photo shows what the photo's folder is named after."""
CERTAIN = 0.5
MAX_OVERLAP = 0.4
"""Two regions of a photo that are told apart share at most this much of the smaller one."""

_KIND_OF_LABEL = {
    "airplane": "aircraft",
    "bear": "bear_or_panda",
    "bicycle": "cycle",
    "bird": "bird",
    "boat": "boat",
    "bottle": "bottle",
    "bowl": "cup_or_bowl",
    "bus": "train_or_bus",
    "car": "car",
    "cat": "cat",
    "cell phone": "phone",
    "chair": "chair",
    "clock": "clock",
    "cow": "hoofed",
    "cup": "cup_or_bowl",
    "dog": "dog",
    "elephant": "elephant",
    "giraffe": "hoofed",
    "horse": "hoofed",
    "laptop": "electronics",
    "motorcycle": "motorcycle",
    "person": "person",
    "pizza": "cooked_food",
    "potted plant": "flower",
    "sheep": "hoofed",
    "sports ball": "ball",
    "stop sign": "sign",
    "train": "train_or_bus",
    "truck": "truck",
    "tv": "electronics",
    "vase": "vase",
    "zebra": "hoofed",
}
"""The kinds (`lab.training.kinds`) of those of the teacher's classes that the photos show often."""


@dataclass(frozen=True)
class Region:
    """A box of a photo (by its number), and the kind of thing in it where that is known."""

    photo: int
    box: tuple[float, float, float, float]
    kind: str | None


class Regions:
    """Draws regions: detections, and random boxes of all sizes and shapes.

    Photos of frequent kinds are drawn less often than their number says (square root), so that
    four hundred motorcycles do not crowd out the hen.
    """

    def __init__(self, photos: Sequence[TrainingPhoto], boxes: Boxes) -> None:
        self._photos = photos
        self._boxes = boxes
        self._kinds = [kind_of(photo.category) for photo in photos]
        counts: dict[str | None, int] = {}
        for kind in self._kinds:
            counts[kind] = counts.get(kind, 0) + 1
        weights = np.array([1 / math.sqrt(counts[kind]) for kind in self._kinds])
        self._chances = weights / weights.sum()

    def draw(self, count: int, rng: np.random.Generator) -> list[Region]:
        """Return `count` regions, at most two of a photo, and those two apart from each other."""
        regions: list[Region] = []
        for photo in rng.choice(len(self._photos), count, replace=False, p=self._chances):
            first = self._one(int(photo), rng)
            regions.append(first)
            second = self._one(int(photo), rng)
            if _overlap(first, second) <= MAX_OVERLAP:
                regions.append(second)
            if len(regions) >= count:
                break
        return regions[:count]

    def kinds(self) -> list[str]:
        """Return every kind that a region may have, sorted."""
        return sorted({kind for kind in self._kinds if kind} | set(_KIND_OF_LABEL.values()))

    def _one(self, photo: int, rng: np.random.Generator) -> Region:
        found = list(self._usable(photo))
        if found and rng.random() < 0.35:
            detection = found[rng.integers(len(found))]
            kind = _KIND_OF_LABEL.get(detection.label) if detection.confidence >= CERTAIN else None
            corners = (detection.x1, detection.y1, detection.x2, detection.y2)
            return Region(photo, corners, kind or self._kind_of_box(photo, corners))
        height, width = self._photos[photo].pixels.shape[:2]
        corners = random_box(width, height, rng)
        return Region(photo, corners, self._kind_of_box(photo, corners))

    def _usable(self, photo: int) -> Iterator[Detection]:
        for hit in self._boxes[self._photos[photo].name]:
            if min(hit.x2 - hit.x1, hit.y2 - hit.y1) >= MIN_SIDE_PX:
                yield hit

    def _kind_of_box(self, photo: int, box: tuple[float, float, float, float]) -> str | None:
        height, width = self._photos[photo].pixels.shape[:2]
        share = (box[2] - box[0]) * (box[3] - box[1]) / (width * height)
        return self._kinds[photo] if share >= WHOLE_SHARE else None


def random_box(
    width: int, height: int, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Return a box in a photo of that size: from a small part of it to all of it."""
    share = math.exp(rng.uniform(math.log(SMALLEST_SHARE), 0.2))
    stretch = math.exp(rng.uniform(-0.6, 0.6))
    side = math.sqrt(min(1.0, share))
    w = min(width, max(MIN_SIDE_PX, width * side * stretch))
    h = min(height, max(MIN_SIDE_PX, height * side / stretch))
    x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
    return (x, y, x + w, y + h)


def _overlap(a: Region, b: Region) -> float:
    w = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    h = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    smaller = min((r.box[2] - r.box[0]) * (r.box[3] - r.box[1]) for r in (a, b))
    return max(0.0, w) * max(0.0, h) / smaller
