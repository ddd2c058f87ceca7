"""Photos of 12 and 24 megapixels and panoramas, put together from pieces of smaller photos.

Pieces lie side by side at their own resolution: no detail is invented.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from PIL import Image

from lab.evaluation.boxes import iou
from lab.evaluation.photos import LabelledBox, Photo, read_pixels

CELL_PX = (1400, 1060)
"""Width and height of a piece: two by two in a photo of 6 megapixels."""
OWN = 0.6
"""The share of the pieces that one mosaic alone shows, dealt evenly to all."""
DRAWS = 12
"""Places that are drawn for a window: the first with DETAIL is taken, else the one with most."""
DETAIL = 8.0
"""Grey levels from pixel to pixel, down and across together: lawn has them, and masonry."""
LONGER = 1.4
"""How much longer one side of a window may be than the other."""


@dataclass(frozen=True)
class Piece:
    """A part of a photo; `own` says that no other mosaic shows it."""

    photo: int
    left: int
    top: int
    own: bool


def dealt(
    photos: Sequence[Photo], grids: Sequence[tuple[int, int]], seed: int
) -> list[list[Piece]]:
    """Return the pieces of each mosaic of so many columns and rows, row by row.

    Each has pieces of its own, as many as there are for all; the rest are shown by several. Raises
    FileNotFoundError where there are too few.
    """
    width, height = CELL_PX
    every = [
        (number, left, top)
        for number, photo in enumerate(photos)
        for left in range(0, photo.width - width + 1, width)
        for top in range(0, photo.height - height + 1, height)
    ]
    rng = random.Random(seed)
    rng.shuffle(every)
    each = int(OWN * len(every)) // max(1, len(grids))
    if not each:
        raise FileNotFoundError(
            f"{len(photos)} photos are too few: {len(grids)} mosaics need pieces of "
            f"{width} x {height} px that no other one shows"
        )
    owned, rest = every[: each * len(grids)], cycle(every[each * len(grids) :])
    hands = []
    for number, (columns, rows) in enumerate(grids):
        own = owned[number * each : (number + 1) * each][: columns * rows]
        hand = [Piece(*card, own=True) for card in own]
        hand += [Piece(*next(rest), own=False) for _ in range(columns * rows - len(own))]
        rng.shuffle(hand)
        hands.append(hand)
    return hands


def mosaic(photos: Sequence[Photo], pieces: Sequence[Piece], columns: int) -> Image.Image:
    """Return the pieces side by side, row by row."""
    width, height = CELL_PX
    rows = -(-len(pieces) // columns)
    whole = Image.new("RGB", (columns * width, rows * height))
    opened = {number: read_pixels(photos[number].path) for number in {p.photo for p in pieces}}
    for place, piece in enumerate(pieces):
        box = (piece.left, piece.top, piece.left + width, piece.top + height)
        at = (place % columns * width, place // columns * height)
        whole.paste(opened[piece.photo].crop(box), at)
    return whole


def windows(
    image: Image.Image,
    pieces: Sequence[Piece],
    columns: int,
    sides: Sequence[int],
    each: int,
    rng: random.Random,
) -> list[LabelledBox]:
    """Return `each` windows of every side, each wholly inside a piece that no other mosaic shows.

    No two overlap by half.
    """
    width, height = CELL_PX
    cells = [
        (place % columns * width, place // columns * height)
        for place, piece in enumerate(pieces)
        if piece.own
    ]
    grey = image.convert("L")
    chosen: list[LabelledBox] = []
    for side in sides:
        for _ in range(each):
            drawn = [_drawn(rng, rng.choice(cells), side) for _ in range(DRAWS)]
            free = [box for box in drawn if not _taken(box, chosen)] or drawn[:1]
            best = max(free, key=lambda box: min(DETAIL, _detail(grey, box)))  # the first of these
            chosen.append(LabelledBox(_floats(best), "window", side_px=side))
    return chosen


Whole = tuple[int, int, int, int]


def _drawn(rng: random.Random, cell: tuple[int, int], side: int) -> Whole:
    shape = rng.uniform(1 / LONGER, LONGER) ** 0.5
    width, height = round(side * shape), round(side / shape)
    left = cell[0] + rng.randint(0, CELL_PX[0] - width)
    top = cell[1] + rng.randint(0, CELL_PX[1] - height)
    return left, top, left + width, top + height


def _taken(box: Whole, chosen: Sequence[LabelledBox]) -> bool:
    return bool(chosen) and float(iou(box, [one.corners for one in chosen]).max()) >= 0.5


def _detail(grey: Image.Image, box: Whole) -> float:
    """Return the mean step between neighbouring pixels."""
    pixels = np.asarray(grey.crop(box), np.float32)
    return float(np.abs(np.diff(pixels, axis=0)).mean() + np.abs(np.diff(pixels, axis=1)).mean())


def _floats(box: Whole) -> tuple[float, float, float, float]:
    left, top, right, bottom = map(float, box)
    return left, top, right, bottom
