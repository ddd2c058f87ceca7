"""Things on a desk, from above: pencils, notebooks, rulers, tapes, keys."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.samples import lettering
from demo.samples.canvas import Pen
from demo.samples.colour import darker, lighter, mix, palette, readable_on
from demo.samples.light import glossed, ramp, relief, shaded, speckled
from demo.samples.motifs import motif
from demo.samples.pictures import picture
from demo.samples.texture import Size, cloth


def pencil(rng: np.random.Generator, size: Size) -> Image.Image:
    """A pencil lying along x: eraser, ferrule, facets, sharpened tip."""
    ink = palette(rng)
    pen = Pen(size)
    pen.box(0, 0.08, 0.07, 0.92, (226, 130, 140), 0.3)
    pen.box(0.05, 0.04, 0.12, 0.96, (176, 178, 186))
    pen.box(0.12, 0.04, 0.84, 0.96, ink.base)
    pen.box(0.12, 0.04, 0.84, 0.34, lighter(ink.base, 0.35))
    pen.box(0.12, 0.68, 0.84, 0.96, darker(ink.base, 0.3))
    pen.polygon([(0.84, 0.04), (0.84, 0.96), (1, 0.5)], (226, 186, 136))
    pen.polygon([(0.95, 0.345), (0.95, 0.655), (1, 0.5)], ink.dark)
    name = lettering.word(lettering.brand(rng).upper() + "  HB", readable_on(ink.base, ink))
    pen.fit(name, 0.2, 0.34, 0.5, 0.66)
    return pen.done()


def notebook(rng: np.random.Generator, size: Size) -> Image.Image:
    """A closed notebook: cloth cover, label, elastic band, page edges."""
    ink = palette(rng)
    pen = Pen(size)
    pen.box(0, 0, 1, 1, (238, 230, 212), 0.04)
    pen.box(0, 0, 0.975, 0.985, ink.base, 0.04)
    inner = pen.like()
    if rng.random() < 0.5:
        inner.stamp(picture(rng, size, ink), 0, 0, 0.97, 0.985)
    else:
        inner.stamp(cloth(rng, size, ink.base), 0, 0, 0.97, 0.985)
    inner.box(0, 0, 0.09, 1, darker(ink.base, 0.35))
    inner.box(0.22, 0.2, 0.78, 0.44, ink.light, 0.03)
    inner.fit(
        lettering.styled(
            rng, str(rng.choice(["Notes", "Ideas", "Field Log", "Recipes"])), ink.dark
        ),
        0.27,
        0.23,
        0.73,
        0.34,
    )
    inner.stamp(lettering.small_print(rng, (100, 20), ink.dark, 2), 0.3, 0.36, 0.7, 0.41)
    inner.box(0.87, 0, 0.91, 1, ink.accent)
    pen.clip(inner)
    return shaded(relief(pen.done(), size[0] / 30, 0.5), ramp(size, 1.05, 0.95))


def ruler(rng: np.random.Generator, size: Size) -> Image.Image:
    """A wooden or coloured ruler along x with its divisions."""
    ink = palette(rng)
    ground = mix((232, 196, 136), ink.second, float(rng.choice([0.0, 0.7])))
    pen = Pen(size, ground)
    for index, x in enumerate(np.linspace(0.02, 0.98, 61)):
        deep = 0.5 if index % 10 == 0 else 0.35 if index % 5 == 0 else 0.22
        pen.box(x, 0, x + 0.002, deep, ink.dark)
    for number in range(1, 6):
        x = 0.02 + number * 0.16
        pen.fit(lettering.word(str(number * 5), ink.dark), x - 0.03, 0.55, x + 0.03, 0.85)
    return speckled(rng, pen.done(), size[0] / 8, 0.15)


def tape(rng: np.random.Generator, size: Size) -> Image.Image:
    """A roll of printed tape from above."""
    ink = palette(rng)
    pen = Pen(size)
    pen.disc(0.5, 0.5, 0.5, darker(ink.base, 0.25))
    for radius in np.arange(0.26, 0.5, 0.022):
        pen.ring(
            0.5, 0.5, float(radius), mix(ink.base, ink.second, float(radius * 40 % 2 / 2)), 0.014
        )
    pen.disc(0.5, 0.5, 0.26, (206, 178, 138))
    hole = Pen(size)
    hole.disc(0.5, 0.5, 0.22, (255, 255, 255))
    picture_ = relief(pen.done(), size[0] / 10, 0.6)
    alpha = np.array(picture_.getchannel("A"))
    alpha[np.asarray(hole.done().getchannel("A")) > 128] = 0
    picture_.putalpha(Image.fromarray(alpha))
    return picture_


def key(rng: np.random.Generator, size: Size) -> Image.Image:
    """A key along x on an enamel tag."""
    ink = palette(rng)
    brass = (206, 164, 84) if rng.random() < 0.6 else (176, 182, 190)
    pen = Pen(size)
    pen.box(0.3, 0.42, 0.97, 0.6, brass, 0.05)
    for x, deep in ((0.7, 0.84), (0.78, 0.74), (0.86, 0.9)):
        pen.box(x, 0.5, x + 0.05, deep, brass)
    pen.disc(0.24, 0.5, 0.48, brass)
    pen.disc(0.24, 0.5, 0.38, ink.base)
    pen.fit(motif(rng, ink, (60, 60)), 0.13, 0.26, 0.35, 0.74)
    return glossed(relief(pen.done(), size[1] / 8, 0.9), ramp(size, 0.16, 0.0, vertical=True))
