"""Books: front covers and spines."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.samples import lettering
from demo.samples.canvas import Pen
from demo.samples.colour import Palette, darker, mix, palette, readable_on
from demo.samples.light import glossed, ramp, shaded, speckled, streak
from demo.samples.motifs import motif
from demo.samples.pictures import picture
from demo.samples.texture import Size, cloth


def cover(rng: np.random.Generator, size: Size) -> Image.Image:
    """A front cover: picture, title, author, the groove along the spine, page edges."""
    ink = palette(rng)
    pen = Pen(size, ink.light)
    pen.stamp(picture(rng, size, ink), 0, 0, 1, 1)
    panel = (ink.dark, ink.light, ink.base)[int(rng.integers(3))]
    top = float(rng.choice([0.06, 0.34, 0.62]))
    if rng.random() < 0.5:
        pen.box(0.1, top, 0.9, top + 0.27, panel)
        pen.box(0.12, top + 0.015, 0.88, top + 0.255, darker(panel, 0.12))
    else:
        pen.box(0, top, 1, top + 0.27, panel)
        pen.box(0, top + 0.26, 1, top + 0.285, ink.accent)
    _title(rng, pen, ink, top, panel)
    pen.box(0.975, 0.006, 1, 0.994, (235, 226, 205))
    book = shaded(pen.done(), ramp(size, 0.98, 1.04) * ramp(size, 1.05, 0.92, vertical=True))
    groove = 1 - streak(size, 0.055, 0.015, 0.35) + streak(size, 0.085, 0.01, 0.15)
    book = shaded(speckled(rng, book, size[0] / 3, 0.12), groove.astype(np.float32))
    return glossed(book, streak(size, 0.4, 0.25, 0.07))


def _title(
    rng: np.random.Generator, pen: Pen, ink: Palette, top: float, panel: tuple[int, int, int]
) -> None:
    """The title on one or two lines of the panel, the author under it."""
    words = lettering.title(rng).split()
    half = (len(words) + 1) // 2
    lines = [" ".join(words[:half]), " ".join(words[half:])] if len(words) > 1 else words
    colour = readable_on(panel, ink)
    bold = float(rng.choice([0.0, 0.04, 0.06]))
    for row, line in enumerate(lines):
        y = top + 0.025 + row * 0.09
        sign = lettering.word(line.upper() if bold else line, colour, bold=bold)
        pen.fit(sign, 0.16, y, 0.84, y + (0.08 if len(lines) > 1 else 0.16))
    author = lettering.word(
        f"{lettering.brand(rng)} {lettering.brand(rng)}", ink.accent, spacing=0.05
    )
    pen.fit(author, 0.2, top + 0.21, 0.8, top + 0.245)


def spine(rng: np.random.Generator, size: Size) -> Image.Image:
    """A spine: cloth or paper, bands, the title running down it, a publisher's mark."""
    ink = palette(rng)
    ground = (*ink.inks, ink.dark, ink.light)[int(rng.integers(5))]
    pen = Pen(size)
    pen.box(0, 0, 1, 1, ground, 0.03)
    inner = pen.like()
    if rng.random() < 0.6:
        inner.stamp(cloth(rng, size, ground, 3), 0, 0, 1, 1)
    colour = readable_on(ground, ink)
    bands = mix(ink.accent, ground, 0.15) if ground != ink.accent else ink.second
    _bands(rng, inner, bands)
    text = lettering.styled(rng, lettering.title(rng), colour)
    inner.fit(text.transpose(Image.Transpose.ROTATE_270), 0.2, 0.2, 0.8, 0.8)
    inner.fit(motif(rng, ink, (64, 64)), 0.15, 0.885, 0.85, 0.965)
    pen.clip(inner)
    x = np.linspace(-1, 1, size[0], dtype=np.float32)
    rounding = (1.08 - 0.42 * np.abs(x + 0.2) ** 2.5)[None, :] * np.ones((size[1], 1), np.float32)
    book = shaded(pen.done(), rounding.astype(np.float32))
    return speckled(rng, book, size[0], 0.16)


def _bands(rng: np.random.Generator, pen: Pen, colour: tuple[int, int, int]) -> None:
    kind = int(rng.integers(4))
    if kind == 0:
        for y in (0.06, 0.1, 0.86):
            pen.box(0, y, 1, y + 0.012, colour)
    elif kind == 1:
        pen.box(0, 0, 1, 0.16, colour)
        pen.box(0, 0.84, 1, 0.87, colour)
    elif kind == 2:
        pen.box(0, 0.18, 1, 0.82, darker(colour, 0.2))
        pen.box(0, 0.19, 1, 0.81, darker(colour, 0.45))
    else:
        for y in np.arange(0.03, 0.16, 0.03):
            pen.line([(0, y), (0.5, y + 0.02), (1, y)], colour, 0.05)
