"""The printed front of a pack: brand, picture, product, small print, in one of six layouts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image

from demo.samples import lettering
from demo.samples.canvas import Pen, star
from demo.samples.colour import RGB, Palette, darker, lighter, mix, readable_on
from demo.samples.motifs import motif
from demo.samples.pictures import picture
from demo.samples.texture import Size

Layout: TypeAlias = Callable[[np.random.Generator, Pen, Palette, str], None]


def label(rng: np.random.Generator, size: Size, ink: Palette) -> Image.Image:
    """A label that fills the size: RGBA, opaque."""
    pen = Pen(size, ink.base)
    layout = _LAYOUTS[int(rng.integers(len(_LAYOUTS)))]
    layout(rng, pen, ink, lettering.brand(rng))
    _flash(rng, pen, ink)
    return pen.done()


def _name(
    rng: np.random.Generator,
    pen: Pen,
    text: str,
    colour: RGB,
    box: tuple[float, float, float, float],
    edge: RGB | None = None,
) -> None:
    """The brand, in a random style, as large as the box allows."""
    x1, y1, x2, y2 = box
    sign = lettering.styled(rng, text, colour, edge)
    room = (x2 - x1) * pen.wide / max((y2 - y1) * pen.high, 1)
    if sign.width / sign.height > room:
        pen.stamp(
            sign,
            x1,
            max(y1, (y1 + y2) / 2 - 0.5 * 1.5 * (x2 - x1) * pen.ratio * sign.height / sign.width),
            x2,
            min(y2, (y1 + y2) / 2 + 0.5 * 1.5 * (x2 - x1) * pen.ratio * sign.height / sign.width),
        )
    else:
        pen.fit(sign, x1, y1, x2, y2)


def _banner(rng: np.random.Generator, pen: Pen, ink: Palette, name: str) -> None:
    """The brand on a band across the top, a picture under it."""
    pen.stamp(picture(rng, (200, 200), ink), 0, 0.25, 1, 0.85)
    pen.box(0, 0, 1, 0.27, ink.base)
    pen.box(0, 0.255, 1, 0.285, ink.accent)
    _name(rng, pen, name, readable_on(ink.base, ink), (0.07, 0.05, 0.93, 0.23))
    pen.box(0, 0.82, 1, 1, ink.dark)
    _name(rng, pen, lettering.product(rng), lighter(ink.accent, 0.4), (0.1, 0.85, 0.9, 0.96))


def _medal(rng: np.random.Generator, pen: Pen, ink: Palette, name: str) -> None:
    """A round medal with a motif between the brand and the product."""
    for y in np.arange(0, 1, 0.1):
        pen.box(0, y, 1, y + 0.05, mix(ink.base, ink.dark, 0.12))
    pen.disc(0.5, 0.53, 0.42, ink.accent)
    pen.disc(0.5, 0.53, 0.38, ink.light)
    half = 0.27 / max(pen.ratio, 1)
    pen.fit(motif(rng, ink, (160, 160)), 0.5 - half, 0.36, 0.5 + half, 0.7)
    _name(rng, pen, name, readable_on(ink.base, ink), (0.06, 0.04, 0.94, 0.2), ink.dark)
    pen.box(0.04, 0.8, 0.96, 0.94, ink.second, 0.05)
    _name(rng, pen, lettering.product(rng), readable_on(ink.second, ink), (0.12, 0.82, 0.88, 0.92))


def _diagonal(rng: np.random.Generator, pen: Pen, ink: Palette, name: str) -> None:
    """Two colours parted by a slanting band."""
    pen.polygon([(0, 0.62), (1, 0.34), (1, 1), (0, 1)], ink.second)
    pen.polygon([(0, 0.56), (1, 0.28), (1, 0.36), (0, 0.64)], ink.accent)
    _name(rng, pen, name, readable_on(ink.base, ink), (0.06, 0.06, 0.94, 0.3))
    pen.fit(motif(rng, ink, (180, 180)), 0.15, 0.38, 0.85, 0.8)
    _name(rng, pen, lettering.product(rng), readable_on(ink.second, ink), (0.1, 0.84, 0.9, 0.95))


def _window(rng: np.random.Generator, pen: Pen, ink: Palette, name: str) -> None:
    """A pale panel with everything on it, over a pattern."""
    pen.stamp(picture(rng, (200, 200), ink), 0, 0, 1, 1)
    pen.box(0.1, 0.12, 0.9, 0.88, ink.accent, 0.1)
    pen.box(0.13, 0.14, 0.87, 0.86, ink.light, 0.08)
    _name(rng, pen, name, ink.dark, (0.17, 0.19, 0.83, 0.35))
    pen.fit(motif(rng, ink, (150, 150)), 0.2, 0.38, 0.8, 0.66)
    _name(rng, pen, lettering.product(rng), darker(ink.base), (0.22, 0.7, 0.78, 0.78))
    pen.stamp(lettering.small_print(rng, (120, 24), ink.dark, 2), 0.24, 0.8, 0.76, 0.84)


def _poster(rng: np.random.Generator, pen: Pen, ink: Palette, name: str) -> None:
    """A full picture with outlined lettering over it."""
    pen.stamp(picture(rng, (pen.size[0], pen.size[1]), ink), 0, 0, 1, 1)
    pen.polygon([(0, 0), (1, 0), (1, 0.24), (0.5, 0.3), (0, 0.24)], ink.dark)
    _name(rng, pen, name, ink.light, (0.07, 0.04, 0.93, 0.22), ink.base)
    pen.polygon([(0.08, 0.8), (0.92, 0.77), (0.95, 0.9), (0.05, 0.92)], ink.accent)
    _name(rng, pen, lettering.product(rng), readable_on(ink.accent, ink), (0.15, 0.8, 0.85, 0.89))


def _blocks(rng: np.random.Generator, pen: Pen, ink: Palette, name: str) -> None:
    """Plain blocks, the product larger than the brand."""
    pen.box(0, 0, 1, 0.14, ink.light)
    _name(rng, pen, name, ink.dark, (0.08, 0.03, 0.7, 0.11))
    _name(rng, pen, lettering.product(rng), readable_on(ink.base, ink), (0.07, 0.18, 0.93, 0.4))
    pen.box(0, 0.44, 0.5, 0.84, ink.second)
    pen.box(0.5, 0.44, 1, 0.84, ink.accent)
    pen.fit(motif(rng, ink, (150, 150)), 0.06, 0.46, 0.94, 0.82)
    pen.box(0, 0.84, 1, 1, ink.light)
    pen.stamp(lettering.small_print(rng, (120, 36), ink.dark, 3), 0.08, 0.87, 0.6, 0.97)
    for index, x in enumerate(np.linspace(0.68, 0.92, 12)):
        pen.box(x, 0.87, x + 0.006 + 0.006 * (index % 3), 0.97, ink.dark)


def _flash(rng: np.random.Generator, pen: Pen, ink: Palette) -> None:
    """On some packs, a burst with a word in it, in a corner."""
    if rng.random() > 0.45:
        return
    x, y = float(rng.choice([0.2, 0.8])), float(rng.uniform(0.32, 0.74))
    reach = 0.16
    pen.polygon(star(x, y, reach, reach * 0.82, 12, pen.ratio), ink.accent)
    text = str(rng.choice(["NEW", "+20%", "BIO", "EXTRA", "2 in 1"]))
    sign = lettering.word(text, readable_on(ink.accent, ink), bold=0.05)
    pen.fit(sign, x - reach * 0.6, y - reach * 0.5, x + reach * 0.6, y + reach * 0.5)


_LAYOUTS: tuple[Layout, ...] = (_banner, _medal, _diagonal, _window, _poster, _blocks)
