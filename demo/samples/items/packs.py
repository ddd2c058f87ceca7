"""Packs of board and film: boxes, cartons, bags."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.samples.canvas import Pen, curve, masked
from demo.samples.colour import lighter, mix, palette
from demo.samples.labels import label
from demo.samples.light import glossed, ramp, shaded, speckled, streak
from demo.samples.texture import Field, Size, noise


def box(rng: np.random.Generator, size: Size) -> Image.Image:
    """A board box seen from the front, a sliver of its side and top showing."""
    ink = palette(rng)
    art = label(rng, size, ink)
    side = float(rng.uniform(0.04, 0.09))
    pen = Pen(size)
    pen.polygon([(side, 0), (1, 0), (1 - side, 0.025), (0, 0.025)], lighter(ink.base, 0.45))
    pen.stamp(art, 0, 0.025, 1 - side, 1)
    strip = art.crop((0, 0, max(2, art.width // 6), art.height))
    pen.stamp(_dim(strip), 1 - side, 0.025, 1, 1)
    pen.polygon([(1 - side, 0.025), (1, 0), (1, 0.03)], ink.base)
    pack = pen.done()
    pack = shaded(pack, ramp(size, 1.07, 0.92) * ramp(size, 1.06, 0.9, vertical=True))
    return glossed(speckled(rng, pack, size[0] / 3, 0.1), streak(size, 0.05, 0.03, 0.25))


def _dim(picture: Image.Image) -> Image.Image:
    return shaded(picture, np.full((picture.height, picture.width), 0.55, np.float32))


def carton(rng: np.random.Generator, size: Size) -> Image.Image:
    """A drinks carton with a folded gable and a screw cap."""
    ink = palette(rng)
    pen = Pen(size)
    pen.polygon([(0.1, 0.06), (0.9, 0.06), (1, 0.24), (0, 0.24)], mix(ink.base, ink.light, 0.25))
    pen.polygon([(0.1, 0.06), (0.26, 0.24), (0, 0.24)], mix(ink.base, ink.dark, 0.25))
    pen.polygon([(0.9, 0.06), (0.74, 0.24), (1, 0.24)], mix(ink.base, ink.dark, 0.35))
    pen.box(0.1, 0.01, 0.9, 0.07, ink.light)
    pen.oval(0.5, 0.155, 0.15, 0.052, ink.dark)
    pen.oval(0.5, 0.145, 0.14, 0.047, ink.accent)
    pen.stamp(label(rng, (size[0], round(size[1] * 0.76)), ink), 0, 0.24, 1, 1)
    pack = shaded(pen.done(), ramp(size, 1.1, 0.84) * ramp(size, 1.04, 0.92, vertical=True))
    return speckled(rng, pack, size[0] / 2, 0.08)


def bag(rng: np.random.Generator, size: Size) -> Image.Image:
    """A crinkled, glossy bag of crisps or coffee with crimped ends."""
    ink = palette(rng)
    outline = Pen(size)
    outline.polygon(_pillow(), (255, 255, 255))
    mask = outline.done().getchannel("A")
    art = masked(label(rng, size, ink), mask)
    folds = _folds(rng, size)
    pack = shaded(art, np.clip(1 + folds, 0.5, 1.5).astype(np.float32))
    pack = glossed(pack, np.clip(folds - 0.1, 0, 1) * np.float32(1.5))
    crimps = np.ones((size[1], size[0]), np.float32)
    edge = max(3, size[1] // 22)
    stripes = 0.85 + 0.25 * np.sin(np.arange(size[0]) * 2 * np.pi / max(4, size[0] / 34))
    crimps[:edge] = crimps[-edge:] = stripes.astype(np.float32)
    return shaded(pack, crimps)


def _pillow() -> list[tuple[float, float]]:
    top = [(x, 0.012 * (i % 2)) for i, x in enumerate(np.linspace(0.03, 0.97, 40))]
    right = curve([(0.97, 0.04), (1.0, 0.3), (0.98, 0.5), (1.0, 0.7), (0.97, 0.96)], closed=False)
    bottom = [(x, 1 - y) for x, y in reversed(top)]
    left = [(1 - x, y) for x, y in reversed(right)]
    return [*top, *right, *bottom, *left]


def _folds(rng: np.random.Generator, size: Size) -> Field:
    """Light and dark of puffed film, about -0.5..0.5: a bulge, and creases near the ends."""
    y = np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :]
    creases = noise(rng, size, (size[0] / 14, size[1] / 3)) - np.float32(0.5)
    dents = noise(rng, size, (size[0] / 4, size[1] / 7)) - np.float32(0.5)
    bulge = -0.3 * (x + 0.25) ** 2 - 0.16 * np.abs(y) ** 6 + 0.12
    folds = bulge + creases * (0.12 + 0.4 * np.abs(y) ** 3) + dents * 0.28
    return np.asarray(folds, np.float32)
