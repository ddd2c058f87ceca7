"""Families of things that differ in one respect, and the scenes that they stand in.

Everything is drawn from seeds: the same seed, the same pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from PIL.Image import Resampling

Drawer = Callable[[np.random.Generator, np.random.Generator, int], Image.Image]

SCENE_PX = (1600, 1200)
WORDS = (
    "LEMON", "CHERRY", "VANILLA", "COCOA", "GINGER", "ORANGE", "HONEY", "MINT", "PEACH", "APPLE",
    "ALMOND", "COFFEE",
)  # fmt: skip


@dataclass(frozen=True)
class Family:
    """Things of one make: `draw` takes what they share, what is a thing's own, and its number."""

    name: str
    draw: Drawer


def scene(seed: int, things: list[Image.Image]) -> Image.Image:
    """Return a photo of the things, each a little smaller, turned and lit."""
    rng = np.random.default_rng(seed)
    photo = _ground(rng, SCENE_PX)
    for number, thing in enumerate(things):
        scale = rng.uniform(0.7, 1.0)
        size = (round(thing.width * scale), round(thing.height * scale))
        light = rng.uniform(0.8, 1.15)
        seen = thing.resize(size, Resampling.LANCZOS).point(lambda v, light=light: v * light)
        angle = rng.uniform(-8, 8)
        turned = seen.rotate(angle, Resampling.BICUBIC, expand=True)
        mask = Image.new("L", size, 255).rotate(angle, Resampling.BICUBIC, expand=True)
        x = 60 + number % 3 * 500 + int(rng.integers(0, 80))
        y = 60 + number // 3 * 560 + int(rng.integers(0, 80))
        photo.paste(turned, (x, y), mask)
    return photo.filter(ImageFilter.GaussianBlur(0.6))


def _code(shared: np.random.Generator, own: np.random.Generator, number: int) -> Image.Image:
    """A square code: the same three corners, other cells."""
    cells = 25
    bits = own.integers(0, 2, (cells, cells), dtype=np.uint8)
    corner = np.zeros((8, 8), np.uint8)
    corner[:7, :7] = 1
    corner[1:6, 1:6] = 0
    corner[2:5, 2:5] = 1
    bits[:8, :8], bits[:8, -8:], bits[-8:, :8] = corner, corner[:, ::-1], corner[::-1]
    pixels = np.kron(255 - bits * 235, np.ones((10, 10), np.uint8))
    return Image.fromarray(np.pad(pixels, 20, constant_values=250)).convert("RGB")


def _package(shared: np.random.Generator, own: np.random.Generator, number: int) -> Image.Image:
    """A package of one brand in another flavour: name, picture and colour of the lower half."""
    package = _pattern(shared, (280, 380), 5)
    draw = ImageDraw.Draw(package)
    draw.rectangle((0, 20, 280, 110), fill=(250, 246, 236))
    _write(draw, (140, 65), "KARLSSON", 50, (120, 20, 30))
    lower = _pattern(own, (240, 170), 4)
    package.paste(lower, (20, 190))
    draw.rectangle((20, 130, 260, 180), fill=(255, 255, 255))
    _write(draw, (140, 155), WORDS[number % len(WORDS)], 38, (20, 20, 20))
    return package


def _shirt(shared: np.random.Generator, own: np.random.Generator, number: int) -> Image.Image:
    """A jersey: the same stripes and crest, another number."""
    shirt = Image.new("RGB", (300, 340), (30, 60, 150))
    draw = ImageDraw.Draw(shirt)
    for x in range(0, 300, 60):
        draw.rectangle((x, 0, x + 28, 340), fill=(235, 235, 240))
    shirt.paste(_pattern(shared, (60, 60), 6), (200, 20))
    draw.ellipse((40, 90, 260, 320), fill=(30, 60, 150))
    _write(draw, (150, 205), str(10 + number * 7 % 89), 170, (250, 220, 40))
    return shirt


def _mug(shared: np.random.Generator, own: np.random.Generator, number: int) -> Image.Image:
    """A mug with one emblem on another glaze."""
    mug = _pattern(own, (300, 320), 7)
    emblem = _pattern(shared, (90, 90), 8)
    ImageDraw.Draw(emblem).ellipse((12, 12, 78, 78), outline=(255, 255, 255), width=8)
    mug.paste(emblem, (105, 110))
    return mug


def _card(shared: np.random.Generator, own: np.random.Generator, number: int) -> Image.Image:
    """A card of one back and frame, with its own value in the corners and its own marks."""
    card = Image.new("RGB", (260, 360), (252, 250, 244))
    draw = ImageDraw.Draw(card)
    card.paste(_pattern(shared, (250, 50), 9), (5, 5))
    card.paste(_pattern(shared, (250, 50), 9), (5, 305))
    _write(draw, (45, 95), str(2 + number), 60, (160, 20, 20))
    _write(draw, (215, 265), str(2 + number), 60, (160, 20, 20))
    for _ in range(2 + number % 9):
        x, y = own.integers(70, 190), own.integers(110, 250)
        draw.regular_polygon((int(x), int(y), 16), 5 + number % 2, fill=(160, 20, 20))
    return card


FAMILIES = (
    Family("codes", _code),
    Family("flavours", _package),
    Family("numbers", _shirt),
    Family("emblems", _mug),
    Family("cards", _card),
)


def _pattern(rng: np.random.Generator, size: tuple[int, int], busy: int) -> Image.Image:
    """Return overlapping shapes of many colours."""
    width, height = size
    ground = tuple(int(v) for v in rng.integers(60, 220, 3))
    picture = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(picture)
    for _ in range(busy * 6):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        side = int(rng.integers(6, max(8, min(size) // 4)))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        shape = int(rng.integers(0, 3))
        if shape == 0:
            draw.ellipse((x, y, x + side, y + side), fill=colour)
        elif shape == 1:
            draw.regular_polygon((x, y, side), int(rng.integers(3, 7)), fill=colour)
        else:
            draw.line((x, y, x + side, y + int(rng.integers(-side, side))), fill=colour, width=4)
    return picture


def _ground(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Return a wall or a table: soft colour, fine grain."""
    coarse = rng.integers(90, 170, (6, 8, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize(size, Resampling.BICUBIC), np.float32)
    grain = rng.normal(0, 7, (size[1], size[0], 1))
    return Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8))


def _write(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, px: int, fill: tuple[int, int, int]
) -> None:
    draw.text(at, text, font=ImageFont.load_default(px), fill=fill, anchor="mm")
