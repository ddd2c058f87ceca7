"""Writes a sample set: the photos in two processes, each with its query, then the truth."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from demo.samples import records
from demo.samples.items import mugs
from demo.samples.queries import (
    BRIGHTER,
    EXACT,
    HALF,
    MIRRORED,
    PACK_SHOT,
    REFRAMED,
    Alteration,
)
from demo.samples.records import Plan, Query, SampleSet
from demo.samples.scenes import RECIPES, Scene, make

PHOTO_SIZE = (2400, 1600)
"""Width and height of a photo, in pixels."""

_PHOTO_QUALITY = 90
_WORKERS = 2
_ALTERATIONS: dict[str, Alteration] = {
    "grocery": EXACT,
    "meadow": MIRRORED,
    "street": HALF,
    "bookshelf": BRIGHTER,
    "toys": REFRAMED,
    "album": EXACT,
    "fridge": PACK_SHOT,
    "stickers": HALF,
}
_NAMES = {
    "grocery": "box",
    "meadow": "bird",
    "street": "poster",
    "bookshelf": "book",
    "toys": "robot",
    "album": "stamp",
    "fridge": "bottle",
    "stickers": "sticker",
}
_ABSENT = "not in any photo"


def generate(
    folder: Path,
    *,
    seed: int = 7,
    scenes: int = 12,
    progress: Callable[[int, int], None] | None = None,
    size: tuple[int, int] = PHOTO_SIZE,
) -> SampleSet:
    """Write the sample set of a seed into a folder, unless it is already there, and return it.

    Writes ``photos/*.jpg``, ``queries/*.jpg`` and, last, ``truth.json``. The same arguments give
    the same bytes (with the same versions of Pillow and numpy). ``progress`` is called with the
    photos done and their total after each photo. ``size`` is a photo's width and height in
    pixels, 3 : 2. Two processes draw, by ``spawn``: call it from a module that may be imported.

    Raises ValueError if ``scenes`` is below 1 or the size too small to draw on.
    """
    if scenes < 1 or min(size) < 200:
        raise ValueError(f"cannot draw {scenes} scenes of {size[0]} x {size[1]} pixels")
    plan = Plan(seed, scenes, size)
    there = records.finished(folder, plan)
    if there is not None:
        return there
    for name in ("photos", "queries"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / records.TRUTH).unlink(missing_ok=True)
    photos, queries = [], []
    for done, (photo, query) in enumerate(_drawn(folder, plan), start=1):
        photos.append(photo)
        queries += [query] if query else []
        if progress:
            progress(done, scenes)
    made = SampleSet(tuple(photos), (*queries, _absent(folder, plan)))
    records.write(folder, plan, made)
    return made


def load(folder: Path) -> SampleSet:
    """The finished set in a folder.

    Raises FileNotFoundError if there is none, ValueError if it is of another version.
    """
    return records.read(folder)


def _drawn(folder: Path, plan: Plan) -> Iterator[tuple[Path, Query | None]]:
    """Each photo's path and its query, in order, as they are drawn."""
    draw = partial(_draw, folder, plan)
    workers = min(_WORKERS, plan.scenes, os.cpu_count() or 1)
    if workers == 1:
        yield from map(draw, range(plan.scenes))
        return
    # Spawned, not forked: the caller may run threads, and a fork would copy their locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(draw, range(plan.scenes))


def _draw(folder: Path, plan: Plan, number: int) -> tuple[Path, Query | None]:
    """Draw one scene, write its photo and, if it has a star, its query."""
    scene = make(number, plan.seed, plan.size)
    recipe = RECIPES[number % len(RECIPES)]
    path = folder / "photos" / f"{number + 1:02}-{recipe.name}.jpg"
    scene.photo.save(path, quality=_PHOTO_QUALITY)
    return path, _query(folder, path, scene, recipe.name)


def _query(folder: Path, path: Path, scene: Scene, recipe: str) -> Query | None:
    """The scene's query, cut from the photo as it was saved, or None without a star."""
    if scene.box is None or scene.star is None:
        return None
    alteration = _ALTERATIONS[recipe]
    with Image.open(path) as saved:
        picture = alteration.alter(saved.convert("RGB"), scene.box, scene.star)
    name = _NAMES[recipe]
    target = folder / "queries" / f"{name}.jpg"
    picture.save(target, quality=alteration.quality)
    return Query(name, target, path.name, scene.box, alteration.words)


def _absent(folder: Path, plan: Plan) -> Query:
    """A query for a mug that no photo shows."""
    rng = np.random.default_rng([plan.seed, 1_000_003])
    mug = mugs.mug(rng, (260, 228))
    target = folder / "queries" / "absent.jpg"
    PACK_SHOT.alter(mug, (0, 0, 1, 1), mug).save(target, quality=PACK_SHOT.quality)
    return Query("absent", target, None, None, _ABSENT)
