"""Mugs, from the side and from above."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.samples.canvas import Pen, curve
from demo.samples.colour import darker, lighter, mix, palette
from demo.samples.light import cylinder, glossed, relief, shaded, speckled, streak
from demo.samples.motifs import motif
from demo.samples.texture import Size


def mug(rng: np.random.Generator, size: Size) -> Image.Image:
    """A glazed mug from the side: handle, dipped rim, a print on the belly."""
    ink = palette(rng)
    handle_right = bool(rng.random() < 0.5)
    pen = Pen(size)
    for radius, colour in ((0.25, darker(ink.base, 0.3)), (0.235, ink.base)):
        pen.ring(0.76, 0.54, radius, colour, 0.075)
    belly = curve(
        [
            (0.06, 0.1),
            (0.05, 0.5),
            (0.1, 0.93),
            (0.42, 0.99),
            (0.72, 0.93),
            (0.78, 0.5),
            (0.77, 0.1),
        ],
        closed=False,
    )
    pen.polygon(belly, ink.base)
    inner = pen.like()
    if rng.random() < 0.5:
        inner.polygon(
            [
                *curve(
                    [(0, 0.36), (0.2, 0.4), (0.4, 0.33), (0.6, 0.42), (0.84, 0.35)], closed=False
                ),
                (0.84, 0),
                (0, 0),
            ],
            ink.second,
        )
    else:
        for y in (0.2, 0.8):
            inner.box(0, y, 0.84, y + 0.06, ink.accent)
    print_ = motif(rng, ink, (150, 150))
    inner.disc(0.42, 0.57, 0.27, ink.light)
    inner.fit(print_, 0.22, 0.36, 0.62, 0.78)
    pen.clip(inner)
    wide = round(size[0] * 0.84)
    field = np.ones((size[1], size[0]), np.float32) * np.float32(0.8)
    field[:, :wide] = cylinder((wide, size[1]), -0.3, 0.5)
    picture = speckled(rng, shaded(pen.done(), field), size[0] / 12, 0.12)
    picture = glossed(picture, streak(size, 0.2, 0.03, 0.4))
    lip = Pen(size)
    lip.oval(0.415, 0.1, 0.365, 0.085, lighter(ink.base, 0.5))
    lip.oval(0.415, 0.108, 0.335, 0.07, darker(ink.second, 0.5))
    lip.oval(0.415, 0.13, 0.29, 0.045, (74, 44, 26))
    picture.alpha_composite(lip.done())
    return picture if handle_right else picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def coffee(rng: np.random.Generator, size: Size) -> Image.Image:
    """A mug of coffee on its saucer, from above."""
    ink = palette(rng)
    pen = Pen(size)
    pen.disc(0.5, 0.5, 0.5, ink.light)
    pen.disc(0.5, 0.5, 0.49, ink.base)
    for radius in (0.45, 0.42):
        pen.ring(0.5, 0.5, radius, ink.accent, 0.008)
    pen.disc(0.5, 0.5, 0.38, darker(ink.base, 0.25))
    saucer = relief(pen.done(), size[0] / 9, 0.5)
    cup = Pen(size)
    cup.line([(0.6, 0.5), (0.92, 0.5)], ink.second, 0.075)
    cup.disc(0.5, 0.5, 0.31, ink.second)
    cup.disc(0.5, 0.5, 0.28, darker(ink.second, 0.45))
    cup.disc(0.505, 0.51, 0.26, (92, 54, 28))
    cup.disc(0.505, 0.51, 0.235, (132, 82, 46))
    for step in range(4):
        y = 0.38 + step * 0.08
        half = 0.15 - step * 0.03
        cup.blob(
            [(0.5 - half, y), (0.5, y + 0.06), (0.5 + half, y), (0.5, y + 0.12)],
            mix((236, 214, 182), (132, 82, 46), 0.12 * step),
        )
    saucer.alpha_composite(relief(cup.done(), size[0] / 16, 0.6))
    return speckled(rng, saucer, size[0] / 10, 0.1)
