"""Stickers, button badges and signs: an emblem in a shape, with lettering."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.samples import lettering
from demo.samples.canvas import Pen, Point, curve, star
from demo.samples.colour import RGB, Palette, darker, lighter, mix, palette, readable_on
from demo.samples.light import ball, glossed, ramp, relief, shaded, speckled
from demo.samples.motifs import motif
from demo.samples.pictures import picture
from demo.samples.texture import Field, Size


def sticker(rng: np.random.Generator, size: Size) -> Image.Image:
    """A die-cut vinyl sticker with a white border: an emblem and a name."""
    ink = palette(rng)
    pen = Pen(size)
    kind = int(rng.integers(6))
    outline = _outline(kind)
    pen.polygon(outline, (250, 250, 248))
    pen.polygon(_shrunk(outline, 0.92), ink.dark)
    face = Pen(size)
    face.polygon(_shrunk(outline, 0.88), ink.base)
    inner = face.like()
    if rng.random() < 0.6:
        inner.stamp(picture(rng, (180, 180), ink), 0, 0, 1, 1)
    _emblem(rng, inner, ink, _MARGINS[kind])
    face.clip(inner)
    pen.glaze(face)
    return glossed(pen.done(), _sheen(size))


_MARGINS = (0.17, 0.27, 0.2, 0.15, 0.33, 0.17)
"""How far the name keeps from the sides, for each outline."""


def _sheen(size: Size) -> Field:
    slant = ramp(size, 0, 1.4) + ramp(size, 0, 0.8, vertical=True)
    return np.asarray(0.14 * np.exp(-(((slant - 0.7) / 0.22) ** 2)), np.float32)


def _outline(kind: int) -> list[Point]:
    if kind == 0:
        return star(0.5, 0.5, 0.5, 0.45, 18, 1.0)
    if kind == 1:
        return curve([(0.5, 0.0), (0.98, 0.1), (0.94, 0.6), (0.5, 1.0), (0.06, 0.6), (0.02, 0.1)])
    if kind == 2:
        return star(0.5, 0.5, 0.5, 0.433, 3, 1.0)
    if kind == 3:
        angles = np.linspace(0, 2 * np.pi, 80)
        power = 2 / 5
        xs = np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** power
        ys = np.sign(np.sin(angles)) * np.abs(np.sin(angles)) ** power
        return [(0.5 + 0.5 * float(x), 0.5 + 0.5 * float(y)) for x, y in zip(xs, ys, strict=True)]
    if kind == 4:
        return [(0.5, 0.0), (1, 0.5), (0.5, 1), (0, 0.5)]
    return star(0.5, 0.5, 0.5, 0.5, 40, 1.0)


def _shrunk(points: list[Point], share: float) -> list[Point]:
    return [(0.5 + (x - 0.5) * share, 0.5 + (y - 0.5) * share) for x, y in points]


def _emblem(rng: np.random.Generator, pen: Pen, ink: Palette, margin: float) -> None:
    """A motif with the name on a ribbon under it, or the name alone, large."""
    name = lettering.brand(rng)
    if rng.random() < 0.25:
        sign = lettering.styled(rng, name, ink.light, ink.dark)
        turned = sign.rotate(8, Image.Resampling.BICUBIC, expand=True)
        pen.fit(turned, 0.08, 0.3, 0.92, 0.7)
        return
    pen.disc(0.5, 0.42, 0.27, ink.light)
    pen.fit(motif(rng, ink, (150, 150)), 0.29, 0.21, 0.71, 0.63)
    pen.polygon([(0, 0.66), (1, 0.62), (1, 0.8), (0, 0.84)], ink.dark)
    pen.polygon([(0, 0.68), (1, 0.64), (1, 0.78), (0, 0.82)], ink.accent)
    pen.fit(
        lettering.styled(rng, name, readable_on(ink.accent, ink)), margin, 0.66, 1 - margin, 0.79
    )


def badge(rng: np.random.Generator, size: Size) -> Image.Image:
    """A domed button badge: lettering around an emblem, a steel rim."""
    ink = palette(rng)
    side = min(size)
    pen = Pen((side, side))
    pen.disc(0.5, 0.5, 0.5, (150, 152, 158))
    pen.disc(0.5, 0.5, 0.48, ink.dark)
    pen.disc(0.5, 0.5, 0.465, ink.base)
    text = f"{lettering.brand(rng)} · {lettering.place(rng)} · ".upper()
    pen.stamp(lettering.around(text, side, readable_on(ink.base, ink), 0.4, 0.085), 0, 0, 1, 1)
    pen.disc(0.5, 0.5, 0.32, ink.accent)
    pen.disc(0.5, 0.5, 0.3, ink.light)
    pen.fit(motif(rng, ink, (150, 150)), 0.3, 0.3, 0.7, 0.7)
    shade, shine = ball((side, side))
    flat = (1 + (shade - 1) * 0.45).astype(np.float32)
    return glossed(relief(shaded(pen.done(), flat), side / 18, 0.5), shine * 0.7)


def sign(rng: np.random.Generator, size: Size) -> Image.Image:
    """An enamel street or shop sign: name, bands, screws, rust."""
    ink = palette(rng)
    ground: RGB = (ink.base, ink.dark, ink.second)[int(rng.integers(3))]
    pen = Pen(size)
    pen.box(0, 0, 1, 1, darker(ground, 0.5), 0.08)
    pen.box(0.012, 0.03, 0.988, 0.97, ink.light, 0.07)
    pen.box(0.03, 0.07, 0.97, 0.93, ground, 0.05)
    colour = readable_on(ground, ink)
    pen.fit(lettering.styled(rng, lettering.brand(rng), colour), 0.1, 0.14, 0.9, 0.62)
    below = str(rng.choice(["CAFE", "BAKERY", "RECORDS", "HOTEL", "CINEMA", "FLOWERS", "REPAIRS"]))
    pen.fit(
        lettering.word(below, lighter(ink.accent, 0.3), bold=0.04, spacing=0.2),
        0.1,
        0.66,
        0.9,
        0.86,
    )
    for x in (0.05, 0.95):
        for y in (0.13, 0.87):
            pen.disc(x, y, 0.025, (110, 104, 98))
    enamel = speckled(rng, pen.done(), size[0] / 4, 0.2)
    return glossed(relief(enamel, min(size) / 24, 0.5), _sheen(size))


def price(rng: np.random.Generator, size: Size, name: str = "") -> Image.Image:
    """A hand-lettered price card for ``name``, or for any product."""
    ink = palette(rng)
    pen = Pen(size)
    pen.box(0, 0, 1, 1, mix(ink.light, ink.second, 0.15), 0.06)
    pen.box(0, 0, 1, 0.34, ink.base, 0.06)
    pen.fit(
        lettering.word(name or lettering.product(rng), readable_on(ink.base, ink), slant=0.1),
        0.08,
        0.06,
        0.92,
        0.29,
    )
    amount = f"{int(rng.integers(0, 9))}.{int(rng.integers(10, 99))}"
    pen.fit(lettering.word(amount, ink.dark, bold=0.06), 0.1, 0.4, 0.9, 0.92)
    return pen.done()
