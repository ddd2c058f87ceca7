"""Birds: perched, standing or on the wing, in invented plumages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from demo.samples.canvas import Pen, Point, curve
from demo.samples.colour import RGB, darker, hsv, jittered, lighter, mix
from demo.samples.light import relief
from demo.samples.texture import Size, child


@dataclass(frozen=True)
class Plumage:
    """What tells one species from another."""

    back: RGB
    belly: RGB
    wing: RGB
    cap: RGB
    bill: RGB
    cap_low: float
    spots: bool
    bars: bool
    stripe: bool
    bill_length: float


def plumage(rng: np.random.Generator) -> Plumage:
    """An invented species; its colours lie apart on the wheel so that each is told easily."""
    hue = float(rng.choice([0.02, 0.06, 0.1, 0.15, 0.3, 0.52, 0.58, 0.62, 0.75, 0.93]))
    back = hsv(hue, float(rng.uniform(0.25, 0.85)), float(rng.uniform(0.3, 0.8)))
    belly = hsv(
        hue + float(rng.choice([0.0, 0.08, 0.4, 0.5])),
        float(rng.uniform(0.15, 0.9)),
        float(rng.uniform(0.8, 1)),
    )
    wing = mix(darker(back, 0.5), hsv(hue + float(rng.uniform(0.3, 0.7)), 0.6, 0.6), 0.35)
    caps = ((28, 26, 32), lighter(back, 0.75), hsv(hue + 0.5, 0.85, 0.8), back)
    bills: tuple[RGB, ...] = ((40, 38, 40), (226, 140, 30), (200, 70, 40), (120, 112, 100))
    yes = rng.random(3) < 0.5
    return Plumage(
        back,
        belly,
        wing,
        caps[int(rng.integers(4))],
        bills[int(rng.integers(4))],
        float(rng.uniform(0.17, 0.3)),
        bool(yes[0]),
        bool(yes[1]),
        bool(yes[2]),
        float(rng.uniform(0.06, 0.13)),
    )


_BODY: tuple[Point, ...] = (
    (0.8, 0.2),
    (0.74, 0.1),
    (0.64, 0.07),
    (0.54, 0.13),
    (0.47, 0.26),
    (0.34, 0.38),
    (0.2, 0.52),
    (0.11, 0.66),
    (0.17, 0.74),
    (0.34, 0.8),
    (0.55, 0.8),
    (0.72, 0.7),
    (0.8, 0.52),
    (0.79, 0.34),
)
_WING: tuple[Point, ...] = (
    (0.62, 0.38),
    (0.5, 0.33),
    (0.36, 0.42),
    (0.2, 0.56),
    (0.04, 0.77),
    (0.22, 0.72),
    (0.42, 0.68),
    (0.6, 0.58),
)


def bird(rng: np.random.Generator, size: Size) -> Image.Image:
    """A bird that stands and looks right or left, its feathers drawn one by one."""
    species = plumage(rng)
    pen = Pen(size)
    for x in (0.46, 0.56):
        leg = darker(species.bill, 0.2)
        pen.line([(x, 0.78), (x + 0.02, 0.9), (x + 0.01, 0.98)], leg, 0.02)
        pen.line([(x - 0.05, 0.985), (x + 0.08, 0.985)], leg, 0.016)
    for drop, colour in ((0.05, darker(species.wing, 0.3)), (0.0, species.wing)):
        pen.polygon([(0.24, 0.56), (0.0, 0.86 + drop), (0.05, 0.92 + drop), (0.3, 0.72)], colour)
    _head_and_body(rng, pen, species)
    _folded_wing(rng, pen, species)
    _face(pen, species)
    picture = relief(pen.done(), min(size) / 9, 0.55)
    return picture if rng.random() < 0.5 else picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _head_and_body(rng: np.random.Generator, pen: Pen, species: Plumage) -> None:
    pen.blob(_BODY, species.back)
    inner = pen.like()
    inner.blob(
        [
            (0.86, 0.34),
            (0.66, 0.36),
            (0.52, 0.56),
            (0.3, 0.72),
            (0.3, 0.86),
            (0.6, 0.9),
            (0.9, 0.7),
        ],
        species.belly,
    )
    _strokes(rng, inner, species.back, (0.15, 0.7, 0.1, 0.7), 160)
    _strokes(rng, inner, species.belly, (0.42, 0.8, 0.46, 0.8), 200)
    low = species.cap_low
    inner.blob(
        [(0.9, low), (0.72, low + 0.01), (0.55, low + 0.07), (0.4, low), (0.5, 0), (0.8, 0)],
        species.cap,
    )
    if species.stripe:
        inner.line([(0.86, 0.22), (0.66, 0.2), (0.5, 0.28)], species.belly, 0.03)
    if species.spots:
        for x, y in child(rng).uniform((0.5, 0.42), (0.78, 0.74), (26, 2)):
            inner.oval(float(x), float(y), 0.01, 0.014, darker(species.back, 0.5))
    pen.clip(inner)


def _strokes(
    rng: np.random.Generator,
    pen: Pen,
    colour: RGB,
    area: tuple[float, float, float, float],
    count: int,
) -> None:
    """Short feather strokes of the colour, a little lighter and darker, over x1, x2, y1, y2."""
    own = child(rng)
    inks = [jittered(own, colour, 0.1) for _ in range(12)]
    low, high = (area[0], area[2], 0.02), (area[1], area[3], 0.05)
    for index, (x, y, long) in enumerate(own.uniform(low, high, (count, 3)).tolist()):
        pen.line([(x, y), (x - long, y + long * 0.8)], inks[index % 12], 0.011)


def _folded_wing(rng: np.random.Generator, pen: Pen, species: Plumage) -> None:
    pen.blob(_WING, darker(species.wing, 0.25))
    own = child(rng)
    inner = Pen(pen.size)
    inner.blob(_WING, species.wing)
    rows = inner.like()
    for row in range(5):
        for step in range(8):
            x = 0.62 - row * 0.1 - step * 0.02 + 0.04
            y = 0.36 + step * 0.05 + row * 0.035
            tip = (x - 0.15 - row * 0.02, y + 0.11)
            shade = jittered(own, mix(species.wing, species.back, 0.5 - row * 0.1), 0.07)
            rows.line([(x, y), tip], darker(shade, 0.45), 0.05)
            rows.line([(x, y - 0.008), (tip[0], tip[1] - 0.012)], shade, 0.036)
    if species.bars:
        rows.line([(0.52, 0.36), (0.44, 0.6)], lighter(species.belly, 0.5), 0.035)
        rows.line([(0.42, 0.42), (0.36, 0.64)], lighter(species.belly, 0.5), 0.026)
    inner.clip(rows)
    pen.glaze(inner)


def _face(pen: Pen, species: Plumage) -> None:
    tip = 0.78 + species.bill_length + 0.06
    pen.polygon([(0.77, 0.17), (tip, 0.235), (0.785, 0.25)], species.bill)
    pen.polygon([(0.785, 0.235), (tip, 0.235), (0.78, 0.27)], darker(species.bill, 0.4))
    pen.disc(0.69, 0.185, 0.038, lighter(species.belly, 0.3))
    pen.disc(0.69, 0.185, 0.03, (20, 14, 12))
    pen.disc(0.7, 0.175, 0.01, (255, 255, 255))


def flying(rng: np.random.Generator, size: Size) -> Image.Image:
    """A bird on the wing, both wings raised, primaries spread."""
    species = plumage(rng)
    pen = Pen(size)
    _spread(rng, pen, darker(species.wing, 0.35), (0.56, 0.62), 0.72, 0.25)
    pen.polygon(
        [(0.3, 0.66), (0.0, 0.74), (0.04, 0.84), (0.0, 0.93), (0.3, 0.82)],
        darker(species.wing, 0.2),
    )
    pen.blob(
        [
            (0.95, 0.55),
            (0.88, 0.47),
            (0.78, 0.47),
            (0.7, 0.53),
            (0.45, 0.6),
            (0.18, 0.7),
            (0.2, 0.84),
            (0.45, 0.92),
            (0.7, 0.87),
            (0.86, 0.73),
            (0.93, 0.63),
        ],
        species.back,
    )
    inner = pen.like()
    inner.blob([(0.96, 0.62), (0.78, 0.64), (0.3, 0.78), (0.3, 1), (0.9, 0.98)], species.belly)
    _strokes(rng, inner, species.back, (0.25, 0.8, 0.5, 0.7), 80)
    inner.blob([(1, 0.53), (0.88, 0.55), (0.76, 0.54), (0.74, 0.4), (0.95, 0.4)], species.cap)
    pen.clip(inner)
    _spread(rng, pen, mix(species.wing, species.back, 0.5), (0.6, 0.66), 0.52, 0.5)
    pen.polygon([(0.935, 0.53), (1, 0.58), (0.935, 0.6)], species.bill)
    pen.disc(0.87, 0.54, 0.022, (20, 14, 12))
    picture = relief(pen.done(), min(size) / 12, 0.5)
    return picture if rng.random() < 0.5 else picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _spread(
    rng: np.random.Generator, pen: Pen, colour: RGB, root: Point, start: float, sweep: float
) -> None:
    """A raised wing: feathers fan out of the root, from ``start`` over ``sweep`` half turns."""
    own = child(rng)
    for step in np.linspace(0, 1, 12):
        angle = -np.pi * (start + sweep * step * 0.8) + 0.25
        reach = 0.6 - 0.34 * abs(step - 0.25)
        tip = (root[0] + reach * np.cos(angle) * 0.8, root[1] + reach * np.sin(angle))
        shade = jittered(own, colour, 0.1)
        feather = curve([root, (tip[0] + 0.03, tip[1] + 0.03), tip, (tip[0] - 0.05, tip[1] + 0.08)])
        pen.polygon(feather, darker(shade, 0.35))
        pen.line([root, tip], shade, 0.05)
