"""Printed paper: posters, postcards, stamps, snapshots, tickets."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.samples import lettering
from demo.samples.canvas import Pen
from demo.samples.colour import RGB, Palette, darker, lighter, mix, palette, readable_on
from demo.samples.light import ramp, shaded, speckled
from demo.samples.pictures import picture
from demo.samples.texture import Size, fractal, noise

_CREAM: RGB = (246, 240, 226)


def poster(rng: np.random.Generator, size: Size) -> Image.Image:
    """A poster that has hung a while: a picture, large lettering, folds and wrinkles."""
    ink = palette(rng)
    pen = Pen(size, ink.light)
    margin = float(rng.choice([0.0, 0.05]))
    low = float(rng.uniform(0.66, 0.8))
    pen.stamp(
        picture(rng, (size[0], round(size[1] * low)), ink), margin, margin * 0.7, 1 - margin, low
    )
    ground = (ink.dark, ink.light, ink.base)[int(rng.integers(3))]
    pen.box(margin, low, 1 - margin, 1 - margin * 0.7, ground)
    _headline(rng, pen, ink, low, ground)
    return _worn(rng, pen.done())


def _headline(rng: np.random.Generator, pen: Pen, ink: Palette, top: float, ground: RGB) -> None:
    colour = readable_on(ground, ink)
    room = 0.96 - top
    name = lettering.title(rng).upper()
    pen.fit(lettering.word(name, colour, bold=0.06), 0.08, top + 0.03, 0.92, top + room * 0.55)
    when = f"{int(rng.integers(1, 29))}.{int(rng.integers(1, 13))}  {lettering.place(rng)}"
    shade = lighter(ink.accent, 0.35) if colour == ink.light else darker(ink.second, 0.3)
    pen.fit(lettering.word(when, shade), 0.12, top + room * 0.6, 0.88, top + room * 0.75)
    pen.stamp(
        lettering.small_print(rng, (160, 16), colour, 2),
        0.2,
        top + room * 0.82,
        0.8,
        top + room * 0.95,
    )


def _worn(rng: np.random.Generator, sheet: Image.Image) -> Image.Image:
    """Folds in quarters, soft wrinkles, yellowed patches, a torn corner."""
    size = sheet.size
    wrinkles = fractal(rng, size, size[0] / 3, 3)
    field = 1 + np.gradient(wrinkles, axis=1) * np.float32(size[0] / 48) + wrinkles * 0.04
    for share in (0.33, 0.66):
        row = int(size[1] * share)
        field[row : row + 2] *= 1.12
        field[row + 2 : row + 6] *= 0.93
    column = size[0] // 2
    field[:, column : column + 2] *= 0.88
    worn = shaded(sheet, np.clip(field, 0.6, 1.25).astype(np.float32))
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    corner = x / size[0] + y / size[1] + (noise(rng, size, (9, 9)) - np.float32(0.5)) * 0.06
    alpha = np.where(corner < rng.uniform(-0.02, 0.12), 0, 255).astype(np.uint8)
    worn.putalpha(Image.fromarray(alpha))
    return worn


def postcard(rng: np.random.Generator, size: Size) -> Image.Image:
    """A holiday card: a picture in a pale border and a greeting."""
    ink = palette(rng)
    pen = Pen(size, _CREAM)
    pen.stamp(picture(rng, size, ink), 0.04, 0.055, 0.96, 0.945)
    name = lettering.place(rng)
    greeting = lettering.word("Greetings from", ink.light, slant=0.2, edge=ink.dark)
    pen.fit(greeting, 0.1, 0.1, 0.6, 0.24)
    pen.fit(lettering.word(name.upper(), ink.accent, bold=0.06, edge=ink.dark), 0.1, 0.6, 0.9, 0.9)
    card = speckled(rng, pen.done(), size[0] / 4, 0.1)
    return shaded(card, ramp(size, 1.05, 0.95))


def stamp(rng: np.random.Generator, size: Size) -> Image.Image:
    """A postage stamp: perforated edge, picture, value, and on some a postmark."""
    ink = palette(rng)
    pen = Pen(size, _CREAM)
    pen.box(0.07, 0.07 * pen.ratio, 0.93, 1 - 0.07 * pen.ratio, mix(ink.base, ink.light, 0.25))
    pen.stamp(picture(rng, size, ink), 0.1, 0.1 * pen.ratio, 0.9, 0.8)
    land = lettering.word(lettering.place(rng).upper(), darker(ink.base, 0.5), bold=0.03)
    pen.fit(land, 0.1, 0.82, 0.66, 0.91)
    value = str(rng.choice(["5", "10", "20", "35", "50", "80", "1.20", "2.50"]))
    sign = lettering.word(value, ink.light, bold=0.07, edge=ink.dark)
    pen.fit(sign, 0.62, 0.12, 0.88, 0.28)
    if rng.random() < 0.35:
        _postmark(rng, pen)
    _perforate(pen)
    return speckled(rng, pen.done(), size[0] / 3, 0.1)


def _perforate(pen: Pen) -> None:
    """Bite half discs out of all four edges."""
    bites = Image.new("L", pen.image.size, 255)
    holes = Pen(pen.size)
    count = 13
    for step in np.arange(count + 1) / count:
        for y in (0.0, 1.0):
            holes.disc(float(step), y, 0.024 * max(1, pen.ratio), (255, 255, 255))
    down = max(4, round(count / pen.ratio))
    for step in np.arange(down + 1) / down:
        for x in (0.0, 1.0):
            holes.disc(x, float(step), 0.024 * max(1, pen.ratio), (255, 255, 255))
    bites.paste(0, (0, 0), holes.image.getchannel("A"))
    pen.image.putalpha(bites)


def _postmark(rng: np.random.Generator, pen: Pen) -> None:
    mark = pen.like()
    x, y = float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.6, 0.95))
    black = (30, 26, 34, 130)
    for radius in (0.34, 0.24):
        mark.ring(x, y, radius, black, 0.02)
    for step in range(4):
        wave = [
            (x - 1 + t, y - 0.12 + step * 0.08 + 0.02 * np.sin(t * 20))
            for t in np.linspace(0, 0.75, 20)
        ]
        mark.line(wave, black, 0.018)
    pen.glaze(mark)


def snapshot(rng: np.random.Generator, size: Size) -> Image.Image:
    """An instant photograph in its white frame."""
    ink = palette(rng)
    pen = Pen(size, (250, 248, 242))
    pen.stamp(
        shaded(picture(rng, (200, 200), ink), ramp((200, 200), 1.1, 0.8, vertical=True)),
        0.07,
        0.06,
        0.93,
        0.78,
    )
    pen.fit(lettering.word(lettering.place(rng), (50, 54, 90), slant=0.25), 0.15, 0.83, 0.85, 0.92)
    return speckled(rng, pen.done(), size[0] / 2, 0.07)


def ticket(rng: np.random.Generator, size: Size) -> Image.Image:
    """An admission ticket with notched ends and a stub."""
    ink = palette(rng)
    pen = Pen(size, mix(ink.base, ink.light, 0.5))
    pen.box(0.05, 0.1, 0.95, 0.9, ink.base)
    pen.box(0.07, 0.14, 0.93, 0.86, mix(ink.base, ink.light, 0.65))
    pen.fit(lettering.word("ADMIT ONE", ink.dark, bold=0.06), 0.12, 0.2, 0.68, 0.52)
    pen.fit(lettering.word(lettering.title(rng), darker(ink.base, 0.4)), 0.12, 0.6, 0.68, 0.78)
    for y in np.linspace(0.12, 0.88, 12):
        pen.box(0.735, y, 0.742, y + 0.03, ink.dark)
    number = lettering.word(str(int(rng.integers(1000, 9999))), ink.dark, bold=0.05)
    pen.fit(number.transpose(Image.Transpose.ROTATE_90), 0.77, 0.18, 0.91, 0.82)
    return speckled(rng, pen.done(), size[0] / 4, 0.14)
