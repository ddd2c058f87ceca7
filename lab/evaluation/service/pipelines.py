"""What most would build instead: the same models in simpler pipelines, searched exactly."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from common.contract.fields import HitSource
from lab.evaluation.embedder import GalleryBuilder
from lab.evaluation.photos import Corners
from lab.evaluation.references import ImageEncoder
from lab.evaluation.retrieval import Gallery, Outcomes, Truth, look_up
from worker.indexing.regions import Tiling, propose
from worker.models.base import Detector, Embeddings

PLAIN, ONE, GRID = "plain pipeline", "one vector a photo", "3 x 3 grid"
CELLS = 3
FLOAT_BYTES = 4
_ENCODER = "encoder"

Regions = Callable[[Image.Image], Sequence[Corners]]


@dataclass(frozen=True)
class Cost:
    """What indexing with a pipeline costs, over all photos: regions, processor seconds, bytes."""

    regions: float
    cpu_s: float
    bytes: float


@dataclass(frozen=True)
class Crops:
    """An encoder that embeds crops, even where it could read them off the photo's maps."""

    encoder: ImageEncoder

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings of RGB images, shape (N, dim), each of L2 norm 1."""
        return self.encoder.encode_images(images)


class Pipeline:
    """Photos as some regions each, one embedding a region; a photo may have none.

    A photo is ranked by its best region; one without regions is never found.
    """

    def __init__(self, regions: Regions, encoder: ImageEncoder) -> None:
        self._regions = regions
        self._builder = GalleryBuilder({_ENCODER: Crops(encoder)})
        self._kept: list[int] = []
        self._photos = 0
        self._cpu_s = 0.0

    def add(self, image: Image.Image) -> None:
        """Take the next photo, in RGB."""
        started = time.process_time()
        found = self._regions(image)
        self._builder.add(len(self._kept), image, found)
        if found:
            self._kept.append(self._photos)
        self._photos += 1
        self._cpu_s += time.process_time() - started

    def gallery(self) -> Gallery:
        """Return the regions of the photos that have any."""
        started = time.process_time()
        found = self._builder.gallery(_ENCODER)
        self._cpu_s += time.process_time() - started
        return found

    def look_up(self, queries: Embeddings, truths: Sequence[Truth]) -> Outcomes:
        """Search for (n, dim) queries; the numbers in the truths are the places of photos."""
        gallery = self.gallery()
        if not len(self._builder):
            return _nothing(truths, self._photos)
        place = {number: n for n, number in enumerate(self._kept)}
        own = [
            Truth(frozenset(place[n] for n in truth.right if n in place), box=truth.box)
            for truth in truths
        ]
        found = look_up(gallery, queries, own)
        lost = np.array([not truth.right for truth in own]) & ~_boxless(truths)
        found.iou_right[lost] = found.iou_top[lost] = 0.0
        return found

    def cost(self) -> Cost:
        """Return what it cost so far."""
        gallery = self.gallery()
        return Cost(len(gallery.owners), self._cpu_s, gallery.embeddings.size * FLOAT_BYTES)


def pipelines(
    encoder: ImageEncoder, detector: Detector | None, confidence_threshold: float
) -> Mapping[str, Pipeline]:
    """Return the references by name; without a detector there is no plain pipeline."""
    found = {ONE: Pipeline(_whole, encoder), GRID: Pipeline(_cells, encoder)}
    if detector is None:
        return found
    return {PLAIN: Pipeline(_detected(detector, confidence_threshold), encoder), **found}


def _whole(image: Image.Image) -> list[Corners]:
    return [(0.0, 0.0, float(image.width), float(image.height))]


def _cells(image: Image.Image) -> list[Corners]:
    across, down = image.width / CELLS, image.height / CELLS
    return [
        (column * across, row * down, (column + 1) * across, (row + 1) * down)
        for row in range(CELLS)
        for column in range(CELLS)
    ]


def _detected(detector: Detector, confidence_threshold: float) -> Regions:
    """Return what boxes the things that are detected in the photo as a whole, and nothing else."""
    none = Tiling((), 0.0, 1)

    def regions(image: Image.Image) -> list[Corners]:
        hits = detector.detect([image], confidence_threshold=confidence_threshold)[0]
        found = propose(image.width, image.height, hits, none)
        return [p.box.as_tuple() for p in found if p.source is not HitSource.WHOLE]

    return regions


def _boxless(truths: Sequence[Truth]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([truth.box is None for truth in truths], bool)


def _nothing(truths: Sequence[Truth], photos: int) -> Outcomes:
    count = len(truths)
    overlap = np.where(_boxless(truths), np.nan, 0.0)
    return Outcomes(np.full(count, photos + 1), np.zeros(count), overlap, overlap.copy())
