"""Flat illustrations that fill a rectangle, for posters, covers, stamps, cards and packs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image

from demo.samples.canvas import Pen, curve, star
from demo.samples.colour import Palette, darker, lighter, mix
from demo.samples.motifs import motif
from demo.samples.texture import Size

Picture: TypeAlias = Callable[[np.random.Generator, Size, Palette], Image.Image]
"""(rng, size, palette) -> an opaque picture of that size, RGBA."""


def landscape(rng: np.random.Generator, size: Size, ink: Palette) -> Image.Image:
    """Banded sky, a low sun, ranges of hills and a few trees."""
    pen = Pen(size, mix(ink.second, ink.light, 0.55))
    sun_x, sun_y = float(rng.uniform(0.25, 0.75)), float(rng.uniform(0.2, 0.42))
    for radius, share in ((0.62, 0.35), (0.44, 0.2), (0.3, 0.0)):
        pen.disc(sun_x, sun_y, radius, mix(ink.second, ink.light, share))
    pen.disc(sun_x, sun_y, float(rng.uniform(0.12, 0.2)), ink.accent)
    for depth in range(4):
        colour = mix(mix(ink.base, ink.light, 0.5), darker(ink.base, 0.55), depth / 3)
        heights = 0.46 + depth * 0.13 + rng.uniform(-0.1, 0.1, 6)
        ridge = curve(list(zip(np.linspace(-0.1, 1.1, 6), heights, strict=True)), closed=False)
        pen.polygon([*ridge, (1.1, 1), (-0.1, 1)], colour)
    for x in rng.uniform(0.02, 0.98, 9):
        high = float(rng.uniform(0.1, 0.22))
        y = float(rng.uniform(0.88, 1.04))
        pen.polygon([(x, y - high), (x - 0.05, y), (x + 0.05, y)], darker(ink.base, 0.75))
    return pen.done()


def city(rng: np.random.Generator, size: Size, ink: Palette) -> Image.Image:
    """Two rows of towers with lit windows under a large moon."""
    pen = Pen(size, ink.base)
    pen.disc(float(rng.uniform(0.25, 0.75)), 0.27, 0.24, ink.light)
    for row, colour in enumerate((mix(ink.base, ink.dark, 0.5), ink.dark)):
        left = -0.05
        while left < 1:
            wide = float(rng.uniform(0.09, 0.2))
            top = float(rng.uniform(0.3, 0.6)) + row * 0.15
            pen.box(left, top, left + wide, 1, colour)
            if rng.random() < 0.4:
                pen.polygon([(left, top), (left + wide / 2, top - 0.1), (left + wide, top)], colour)
            _windows(rng, pen, ink, (left, top, wide))
            left += wide + 0.012
    return pen.done()


def _windows(
    rng: np.random.Generator, pen: Pen, ink: Palette, tower: tuple[float, float, float]
) -> None:
    left, top, wide = tower
    lit = rng.random((9, 3)) < 0.55
    for row, column in np.argwhere(lit):
        x, y = left + wide * (0.14 + column * 0.28), top + 0.04 + row * 0.075
        pen.box(x, y, x + wide * 0.16, y + 0.038, ink.accent if (row + column) % 3 else ink.second)


def geometry(rng: np.random.Generator, size: Size, ink: Palette) -> Image.Image:
    """A grid of quarter discs, half discs, triangles and rings."""
    pen = Pen(size, ink.light)
    columns = int(rng.integers(3, 5))
    rows = max(2, round(columns * size[1] / size[0]))
    colours = (*ink.inks, ink.dark, ink.light)
    for row in range(rows):
        for column in range(columns):
            back, front = (colours[int(i)] for i in rng.permutation(5)[:2])
            cell = Pen((size[0] // columns + 2, size[1] // rows + 2), back)
            _tile(cell, int(rng.integers(5)), front)
            turn = Image.Transpose(int(rng.integers(2, 5)))
            tile = cell.done().transpose(turn)
            pen.stamp(tile, column / columns, row / rows, (column + 1) / columns, (row + 1) / rows)
    return pen.done()


def _tile(cell: Pen, kind: int, colour: tuple[int, int, int]) -> None:
    if kind == 0:
        cell.oval(0, 0, 1, 1, colour)
    elif kind == 1:
        cell.polygon([(0, 0), (1, 0), (0, 1)], colour)
    elif kind == 2:
        cell.oval(0.5, 0, 0.5, 0.5, colour)
        cell.oval(0.5, 1, 0.5, 0.5, colour)
    elif kind == 3:
        cell.disc(0.5, 0.5, 0.4, colour)
    else:
        for x in (0.0, 0.4, 0.8):
            cell.box(x, 0, x + 0.2, 1, colour)


def botany(rng: np.random.Generator, size: Size, ink: Palette) -> Image.Image:
    """Stems with paired leaves, berries and blossoms on a plain ground."""
    pen = Pen(size, ink.light if rng.random() < 0.5 else ink.dark)
    for x in np.linspace(0.14, 0.86, 5) + rng.uniform(-0.06, 0.06, 5):
        lean, top = float(rng.uniform(-0.15, 0.15)), float(rng.uniform(0.08, 0.4))
        leaf = ink.inks[int(rng.integers(3))]
        pen.line([(x, 1), (x + lean / 2, 0.6), (x + lean, top)], darker(leaf, 0.3), 0.014)
        for step in np.linspace(0.1, 0.9, 7):
            at_x, at_y = x + lean * step, 1 - (1 - top) * step
            for side in (-1, 1):
                reach = 0.15 * (1.15 - step) * side
                tip = (at_x + reach, at_y - 0.07)
                pen.blob(
                    [
                        (at_x, at_y),
                        (at_x + reach * 0.5, at_y - 0.075),
                        tip,
                        (at_x + reach * 0.6, at_y - 0.01),
                    ],
                    leaf,
                )
        bloom = motif(rng, ink, (64, 64))
        pen.fit(bloom, x + lean - 0.1, top - 0.1, x + lean + 0.1, top + 0.08)
    return pen.done()


def cosmos(rng: np.random.Generator, size: Size, ink: Palette) -> Image.Image:
    """Stars, a ringed planet, moons and their orbits."""
    pen = Pen(size, ink.dark)
    for x, y, r in rng.random((70, 3)):
        pen.disc(x, y, 0.003 + r * 0.006, ink.light)
    x, y = float(rng.uniform(0.35, 0.65)), float(rng.uniform(0.35, 0.65))
    for radius in (0.3, 0.42, 0.56, 0.7):
        pen.ring(x, y, radius, mix(ink.dark, ink.second, 0.5), 0.006)
        angle = float(rng.uniform(0, 6.28))
        at = x + radius * np.cos(angle), y + radius * np.sin(angle) * pen.ratio
        pen.disc(*at, float(rng.uniform(0.03, 0.075)), ink.inks[int(rng.integers(3))])
    pen.disc(x, y, 0.23, ink.base)
    for band in (-0.12, -0.04, 0.05, 0.13):
        half = float(np.sqrt(0.22**2 - band**2))
        pen.line(
            [(x - half, y + band * pen.ratio), (x + half, y + band * pen.ratio)],
            ink.accent if band > 0 else darker(ink.base),
            0.035,
        )
    pen.line([(x - 0.38, y + 0.14), (x, y + 0.03), (x + 0.38, y - 0.14)], ink.second, 0.03)
    return pen.done()


def sea(rng: np.random.Generator, size: Size, ink: Palette) -> Image.Image:
    """Rows of scalloped waves under a sun, with one thing afloat."""
    pen = Pen(size, mix(ink.light, ink.accent, 0.35))
    pen.disc(float(rng.uniform(0.2, 0.8)), 0.26, 0.2, ink.second)
    pen.fit(motif(rng, ink, (96, 96)), 0.25, 0.2, 0.75, 0.62)
    for row in range(6):
        y = 0.52 + row * 0.09
        for column in range(-1, 9):
            x = (column + (row % 2) / 2) / 7
            for radius, colour in (
                (0.11, ink.base),
                (0.08, lighter(ink.base, 0.55)),
                (0.055, darker(ink.base, 0.25)),
                (0.03, ink.light),
            ):
                pen.oval(x, y + 0.06, radius, radius * pen.ratio, colour)
    return pen.done()


def rays(rng: np.random.Generator, size: Size, ink: Palette) -> Image.Image:
    """A sunburst behind one large motif."""
    pen = Pen(size, ink.base)
    count = int(rng.integers(9, 18))
    x, y = 0.5, float(rng.uniform(0.45, 0.65))
    other = mix(ink.base, ink.light, float(rng.uniform(0.2, 0.8)))
    for index in range(count):
        angles = (2 * np.pi * index / count, 2 * np.pi * (index + 0.5) / count)
        fan = [(x + 2 * np.cos(a), y + 2 * np.sin(a)) for a in angles]
        pen.polygon([(x, y), *fan], other)
    pen.polygon(star(x, y, 0.42, 0.36, 24, pen.ratio), ink.second)
    pen.disc(x, y, 0.33, ink.light)
    pen.fit(
        motif(rng, ink, (160, 160)), x - 0.27, y - 0.27 * pen.ratio, x + 0.27, y + 0.27 * pen.ratio
    )
    return pen.done()


def confetti(rng: np.random.Generator, size: Size, ink: Palette) -> Image.Image:
    """One motif in rows, like wrapping paper, over stripes."""
    pen = Pen(size, ink.base)
    for x in np.arange(0, 1, 0.125):
        pen.box(x, 0, x + 0.06, 1, mix(ink.base, ink.light, 0.18))
    one = motif(rng, Palette(ink.accent, ink.light, ink.second, ink.dark, ink.light), (72, 72))
    columns = int(rng.integers(3, 6))
    step = 1 / columns
    rows = max(1, round(columns / pen.ratio))
    for row in range(rows + 1):
        for column in range(columns + 1):
            x, y = (column - (row % 2) / 2) * step, row / rows
            pen.fit(one, x + step * 0.12, y + 0.12 / rows, x + step * 0.88, y + 0.88 / rows)
    return pen.done()


PICTURES: tuple[Picture, ...] = (
    landscape,
    city,
    geometry,
    botany,
    cosmos,
    sea,
    rays,
    confetti,
)


def picture(rng: np.random.Generator, size: Size, ink: Palette) -> Image.Image:
    """One of the illustrations, in the palette, filling the size; RGBA and opaque."""
    return PICTURES[int(rng.integers(len(PICTURES)))](rng, size, ink)
