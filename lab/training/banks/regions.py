"""The bank of regions: what the backbone makes of things in photos, and of pictures of them.

Each region is there as it is indexed, read off the maps of its photo, and twice as somebody would
search for it: a picture of its own, altered, seen alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.training.banks.engine import Reader
from lab.training.banks.shards import Bank, make_bank
from lab.training.pictures.boxes import astray, regions
from lab.training.pictures.photos import Pixels, TrainingPhoto, digest
from lab.training.pictures.views import ASTRAY, MILD, SEARCHED, Views, resized
from worker.models.onepass.scales import LARGEST

PHOTOS_A_SHARD = 50
QUERIES = 2
VIEW_PX = 160
LEAST_PX, LEAST_QUERY_PX = 64, 10
INDEX_REACH = 0.13
"""No indexed box fits what is searched for: sides are off by up to this share."""


@dataclass(frozen=True)
class RegionRecipe:
    """Everything that decides the bank, beside photos and backbone."""

    photos: int = 4200
    most_of_source: int = 1000
    """No archive or folder gives more photos than this, so that none crowds out the others."""
    regions: int = 8
    seed: int = 7


@dataclass(frozen=True)
class RegionShards:
    """Makes shards of so many photos; a `Maker`.

    Arrays, a row a region: `photo` int32, `side_px` float32; of the indexed one `index_fine`,
    `index_deep`, `index_kind`, of the searched ones `query_fine` (QUERIES, ...) and so on:
    `Features`, float16.
    """

    photos: Sequence[TrainingPhoto]
    graphs: Path
    recipe: RegionRecipe

    def __call__(self, number: int) -> Mapping[str, NDArray[Any]]:
        """See Maker."""
        rng = np.random.default_rng((self.recipe.seed, number))
        first = number * PHOTOS_A_SHARD
        members = range(first, min(len(self.photos), first + PHOTOS_A_SHARD))
        parts = [self._photo(member, rng) for member in members]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.graphs)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the networks behind: each process loads its own."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def _photo(self, number: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        full = self.photos[number].pixels
        photo = _at_some_size(full, rng)
        backdrop = self.photos[int(rng.integers(len(self.photos)))].pixels
        height, width = photo.shape[:2]
        boxes = regions(photo, self.recipe.regions, rng)
        indexed = astray(boxes, width, height, INDEX_REACH, rng)
        index = self._reader.boxes(photo, indexed, _finest(rng))
        scene = _Scene(full, photo, backdrop, Views(VIEW_PX))
        crops = [scene.query(box, hard=bool(n), rng=rng) for box in boxes for n in range(QUERIES)]
        query = self._reader.crops(crops)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        rows: dict[str, NDArray[Any]] = {
            "photo": np.full(len(boxes), number, np.int32),
            "side_px": np.sqrt(areas).astype(np.float32),
        }
        for name, found in vars(index).items():
            rows[f"index_{name}"] = found
        for name, found in vars(query).items():
            rows[f"query_{name}"] = found.reshape(len(boxes), QUERIES, *found.shape[1:])
        return rows


@dataclass(frozen=True)
class _Scene:
    """A photo in full and at the size it is indexed, and another one for what lies beside."""

    full: Pixels
    photo: Pixels
    backdrop: Pixels
    views: Views

    def query(self, box: NDArray[np.float64], *, hard: bool, rng: np.random.Generator) -> Pixels:
        """Return a picture of what is in a box of the photo, as somebody may have it."""
        mild = rng.random() < 0.35
        strength = MILD if mild else ASTRAY if hard else SEARCHED
        width, height = box[2:] - box[:2]
        side = math.sqrt(width * height)
        if rng.random() < 0.5:
            side *= math.exp(rng.uniform(-0.5, 0.9))
        side = min(VIEW_PX, side)
        ratio = math.sqrt(width / height) * math.exp(rng.uniform(-0.08, 0.08))
        source = self.photo if mild or len(self.photo) >= len(self.full) else self.full
        gain = np.tile(np.array(source.shape[1::-1]) / self.photo.shape[1::-1], 2)
        corners = tuple((box * gain).tolist())
        view = self.views.view(source, corners, strength, rng, self.backdrop)
        return resized(view, *(max(LEAST_QUERY_PX, round(n)) for n in (side * ratio, side / ratio)))


def make_region_bank(shards: RegionShards, folder: Path, *, workers: int = 1) -> Bank:
    """Make what is missing of the bank in a folder, and open it. Raises ValueError."""
    count = -(-len(shards.photos) // PHOTOS_A_SHARD)
    recipe = {**asdict(shards.recipe), "made of": digest(shards.photos)}
    return make_bank(folder, recipe, count, shards, workers=workers)


def chosen(photos: Sequence[TrainingPhoto], recipe: RegionRecipe) -> list[TrainingPhoto]:
    """Return the photos of a bank, shuffled: of each source so many, and not more in all."""
    rng = np.random.default_rng(recipe.seed)
    taken: dict[str, int] = {}
    found = []
    for number in rng.permutation(len(photos)):
        photo = photos[int(number)]
        taken[photo.source] = taken.get(photo.source, 0) + 1
        if taken[photo.source] <= recipe.most_of_source:
            found.append(photo)
    return found[: recipe.photos]


def _at_some_size(full: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a photo at 0.05 to 0.25 megapixels, and enlarged by half at most."""
    area = math.exp(rng.uniform(math.log(0.05e6), math.log(0.25e6)))
    scale = min(1.5, math.sqrt(area / (full.shape[0] * full.shape[1])))
    return resized(full, *(max(LEAST_PX, round(n * scale)) for n in (full.shape[1], full.shape[0])))


def _finest(rng: np.random.Generator) -> float:
    """Return how fine the finest scale is: as fine as for small photos, or as large ones have."""
    if rng.random() < 0.7:
        return LARGEST
    return math.exp(rng.uniform(math.log(0.75), math.log(LARGEST)))
