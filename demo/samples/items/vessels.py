"""Round packs: cans, bottles, jars."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.samples.canvas import Pen, Point, curve, masked
from demo.samples.colour import RGB, Palette, darker, hsv, lighter, mix, palette
from demo.samples.labels import label
from demo.samples.light import cylinder, glossed, shaded, speckled, streak, wrapped
from demo.samples.texture import Size, fractal, two_tone

_TIN: RGB = (196, 200, 206)


def can(rng: np.random.Generator, size: Size) -> Image.Image:
    """A tin can: a paper label around it, rims of metal."""
    ink = palette(rng)
    pen = Pen(size)
    pen.oval(0.5, 0.93, 0.5, 0.07, darker(_TIN, 0.3))
    pen.box(0, 0.06, 1, 0.93, darker(_TIN, 0.1))
    inner = pen.like()
    inner.stamp(_wrap(rng, size, 0.8, ink), 0, 0.105, 1, 0.925)
    pen.clip(inner)
    picture = pen.done()
    picture = shaded(picture, cylinder(size, float(rng.uniform(-0.45, -0.2))))
    picture = glossed(picture, streak(size, 0.27, 0.05, 0.4) + streak(size, 0.9, 0.03, 0.15))
    lid = Pen(size)
    lid.oval(0.5, 0.07, 0.5, 0.07, lighter(_TIN, 0.6))
    lid.oval(0.5, 0.075, 0.46, 0.058, darker(_TIN, 0.35))
    lid.oval(0.5, 0.085, 0.43, 0.045, _TIN)
    lid.oval(0.5, 0.08, 0.13, 0.018, darker(_TIN, 0.3))
    picture.alpha_composite(lid.done())
    return picture


_PROFILES: tuple[tuple[Point, ...], ...] = (
    ((0.17, 0.0), (0.18, 0.2), (0.22, 0.3), (0.45, 0.42), (0.5, 0.52), (0.5, 0.96), (0.46, 1)),
    ((0.16, 0.0), (0.16, 0.22), (0.28, 0.38), (0.46, 0.55), (0.48, 0.75), (0.5, 0.94), (0.45, 1)),
    ((0.22, 0.0), (0.2, 0.12), (0.4, 0.2), (0.5, 0.28), (0.44, 0.6), (0.5, 0.9), (0.46, 1)),
    ((0.18, 0.0), (0.18, 0.24), (0.46, 0.29), (0.5, 0.36), (0.5, 0.7), (0.5, 0.96), (0.47, 1)),
)
"""Half widths (over the width) against heights, from the mouth to the foot."""


def bottle(rng: np.random.Generator, size: Size) -> Image.Image:
    """A glass bottle with a drink in it, a cap, a label and a neck band."""
    ink = palette(rng)
    profile = _PROFILES[int(rng.integers(len(_PROFILES)))]
    glass = hsv(
        float(rng.choice([0.04, 0.09, 0.14, 0.3, 0.36, 0.55, 0.97])),
        float(rng.uniform(0.45, 0.9)),
        float(rng.uniform(0.35, 0.85)),
    )
    half = curve(profile, closed=False)
    outline = [*((0.5 + x, y) for x, y in half), *((0.5 - x, y) for x, y in reversed(half))]
    pen = Pen(size)
    pen.polygon(outline, glass)
    inner = pen.like()
    inner.box(0, 0, 1, 0.2, lighter(glass, 0.35))
    inner.stamp(_wrap(rng, size, 0.36, ink), 0, 0.52, 1, 0.9)
    inner.box(0, 0.2, 1, 0.27, ink.base)
    inner.box(0, 0.22, 1, 0.225, ink.accent)
    pen.clip(inner)
    picture = shaded(speckled(rng, pen.done(), size[0] / 2, 0.15), cylinder(size, -0.3, 0.35))
    picture = glossed(picture, streak(size, 0.25, 0.035, 0.55) + streak(size, 0.8, 0.02, 0.25))
    cap = Pen(size)
    neck = profile[0][0] + 0.03
    cap.box(0.5 - neck, 0, 0.5 + neck, 0.085, ink.accent, 0.04)
    for x in np.linspace(-neck, neck, 9):
        cap.line([(0.5 + x, 0.02), (0.5 + x, 0.08)], darker(ink.accent, 0.35), 0.02)
    picture.alpha_composite(shaded(cap.done(), cylinder(size, -0.1, 0.5)))
    return picture


def _wrap(rng: np.random.Generator, size: Size, share: float, ink: Palette) -> Image.Image:
    """A paper label bent around the belly, transparent beyond its curved edges.

    It covers ``share`` of the height and has twice the size, so that it stays sharp. Its front is
    printed, its flanks are plain, so that no letter vanishes around the bend.
    """
    band = (2 * size[0], max(8, round(2 * size[1] * share)))
    rim = max(2, band[1] // 14)
    flank = round(band[0] * 0.2)
    framed = Image.new("RGBA", (band[0] + 2 * flank, band[1] + 2 * rim))
    framed.paste(ink.base, (0, rim, framed.width, rim + band[1]))
    framed.paste(label(rng, band, ink), (flank, rim))
    return wrapped(framed, band, 0.05)


def jar(rng: np.random.Generator, size: Size) -> Image.Image:
    """A jar of preserve: fruit behind glass, a gingham lid, a label."""
    ink = palette(rng)
    fruit = hsv(
        float(rng.choice([0.0, 0.03, 0.08, 0.13, 0.22, 0.78, 0.95])),
        float(rng.uniform(0.7, 0.95)),
        float(rng.uniform(0.5, 0.9)),
    )
    shape = Pen(size)
    shape.box(0.03, 0.2, 0.97, 1, (255, 255, 255), 0.16)
    shape.box(0.12, 0.12, 0.88, 0.3, (255, 255, 255), 0.05)
    lumps = fractal(rng, size, size[0] / 6, 3) * np.float32(1.6) + np.float32(0.45)
    content = two_tone(darker(fruit, 0.55), lighter(fruit, 0.15), lumps)
    pen = Pen(size)
    pen.stamp(masked(content, shape.done().getchannel("A")), 0, 0, 1, 1)
    inner = pen.like()
    inner.stamp(_wrap(rng, size, 0.44, ink), 0.03, 0.42, 0.97, 0.88)
    pen.clip(inner)
    picture = shaded(pen.done(), cylinder(size, -0.3, 0.4))
    picture = glossed(picture, streak(size, 0.2, 0.045, 0.5) + streak(size, 0.88, 0.02, 0.3))
    picture.alpha_composite(_lid(size, ink.base, ink.light))
    return picture


def _lid(size: Size, colour: RGB, pale: RGB) -> Image.Image:
    lid = Pen(size)
    lid.box(0.06, 0, 0.94, 0.15, colour, 0.04)
    checks = lid.like()
    for index, x in enumerate(np.linspace(0.06, 0.94, 12)):
        checks.box(x, 0, x + 0.04, 0.15, mix(colour, pale, 0.75 if index % 2 else 0.4))
    for y in (0.0, 0.06, 0.12):
        checks.box(0, y, 1, y + 0.02, mix(colour, pale, 0.55))
    lid.clip(checks)
    return shaded(lid.done(), cylinder(size, -0.25, 0.5))
