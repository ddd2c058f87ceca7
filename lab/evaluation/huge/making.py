"""Makes the images of every kind in a folder, labelled as the other sets are."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from lab.evaluation.huge import drawings, mosaics
from lab.evaluation.photos import LabelledBox, Photo, photos, spread

SIDES = (80, 110, 160, 230, 330)
"""Sides of the windows, in pixels."""
GRIDS = {"24 MP photo": (4, 4), "12 MP photo": (4, 2), "panorama": (14, 2)}
"""Columns and rows of the mosaics of a kind: 23.7, 11.9 and 41.6 megapixels."""
PLAN, WALL = "plan", "wall of icons"
KINDS = (*GRIDS, PLAN, WALL)
QUALITY = 92
"""Of the JPEG files; what is drawn is kept without loss."""


def made(folder: Path, of: Sequence[Photo], images: int, windows: int, seed: int) -> list[Photo]:
    """Make so many images of each kind in a folder, with so many windows of each side a kind.

    `of` are the photos whose pieces are put together; without any there are drawings alone. A
    photo's `set` is its kind. The same seed makes the same files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, kind, image, boxes in _every(of, images, windows, seed):
        path = folder / name
        image.save(path, quality=QUALITY)  # which PNG leaves alone
        lines.append(json.dumps(_facts(name, kind, image, boxes)) + "\n")
    (folder / "photos.jsonl").write_text("".join(lines), encoding="utf-8")
    return photos(folder)


Made = tuple[str, str, Image.Image, list[LabelledBox]]


def _every(of: Sequence[Photo], images: int, windows: int, seed: int) -> Iterator[Made]:
    grids = [(kind, grid) for kind, grid in GRIDS.items() for _ in range(images)] if of else []
    hands = mosaics.dealt(of, [grid for _, grid in grids], seed) if of else []
    for number, ((kind, (columns, _)), pieces) in enumerate(zip(grids, hands, strict=True)):
        rng = random.Random(f"{seed}/{kind}/{number}")
        image = mosaics.mosaic(of, pieces, columns)
        each = _share(windows, images, number % images)
        boxes = mosaics.windows(image, pieces, columns, SIDES, each, rng)
        yield f"{_spelled(kind)}-{number % images}.jpg", kind, image, boxes
    for number in range(images):
        each = _share(windows, images, number)
        rng = random.Random(f"{seed}/{PLAN}/{number}")
        image, places = drawings.plan(rng)
        boxes = drawings.windows(places, SIDES, each, rng)
        yield f"{_spelled(PLAN)}-{number}.png", PLAN, image, boxes
        image, icons = drawings.wall(random.Random(f"{seed}/{WALL}/{number}"))
        own = [box for side in SIDES for box in spread(_of_side(icons, side), each)]
        yield f"{_spelled(WALL)}-{number}.png", WALL, image, own


def _of_side(boxes: Sequence[LabelledBox], side: int) -> list[LabelledBox]:
    return [box for box in boxes if box.side_px == side]


def _share(windows: int, images: int, number: int) -> int:
    """Return how many windows of each side an image has, so that all have `windows` together."""
    return windows * (number + 1) // images - windows * number // images


def _spelled(kind: str) -> str:
    return kind.lower().replace(" ", "-")


def _facts(
    name: str, kind: str, image: Image.Image, boxes: Sequence[LabelledBox]
) -> dict[str, object]:
    return {
        "file": name,
        "set": kind,
        "width": image.width,
        "height": image.height,
        "boxes": [_box(box) for box in boxes],
    }


def _box(box: LabelledBox) -> dict[str, object]:
    facts = asdict(box)
    return {"box": facts.pop("corners"), "side": facts.pop("side_px"), **facts}
