"""Which photos are indexed, and what is searched for in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.bench.figures import LARGE, SMALL
from lab.evaluation import perturb
from lab.evaluation.photos import Photo, photos, spread
from needle.draw import open_upright

COCO = "coco256"
LEAST_SHARE = 0.01
"""Boxes from this share of their photo on are searched for."""


@dataclass(frozen=True)
class Sample:
    """Photos of one size."""

    size: str
    photos: tuple[Photo, ...]

    @property
    def paths(self) -> list[Path]:
        """Where they lie."""
        return [photo.path for photo in self.photos]

    @property
    def megapixels(self) -> float:
        """Of all together."""
        return megapixels(self.photos)


def megapixels(chosen: Sequence[Photo]) -> float:
    """Return how many millions of pixels photos have together."""
    return sum(photo.width * photo.height for photo in chosen) / 1e6


def samples(shared: Path, small: int, large: int) -> list[Sample]:
    """Return so many photos of COCO's size and so many large ones, evenly spread over their sets.

    Raises FileNotFoundError where there are none.
    """
    coco = [photo for photo in photos(shared / "data" / "dev") if photo.set == COCO]
    found = [Sample(SMALL, tuple(spread(coco, small)))]
    if large:
        whole = photos(shared / "data" / "large")
        found.append(Sample(LARGE, tuple(spread(whole, large))))
    if not all(sample.photos for sample in found):
        raise FileNotFoundError(f"{shared} holds no photos of that kind")
    return found


def queries(sample: Sequence[Photo], most: int) -> list[bytes]:
    """Return crops of labelled things, PNG, a box a photo, as a searcher would post them."""
    found: list[bytes] = []
    for photo in sample:
        boxes = [box for box in photo.boxes if photo.share(box) >= LEAST_SHARE]
        if boxes and len(found) < most:
            largest = max(boxes, key=lambda box: box.area)
            found.append(perturb.png(perturb.crop(open_upright(photo.path), largest.corners)))
    return found
