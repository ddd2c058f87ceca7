"""Butterflies, blossoms, and fruit."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.samples.canvas import Pen, Point, curve, masked
from demo.samples.colour import RGB, darker, hsv, lighter, mix, palette
from demo.samples.light import ball, glossed, relief, shaded
from demo.samples.texture import Size, fractal, noise, two_tone


def butterfly(rng: np.random.Generator, size: Size) -> Image.Image:
    """A butterfly with open wings: dark margins, veins, spots."""
    ink = palette(rng)
    half = Pen((size[0] // 2, size[1]))
    upper: list[Point] = [(0, 0.45), (0.2, 0.2), (0.7, 0.02), (0.98, 0.1), (0.9, 0.4), (0.5, 0.54)]
    lower: list[Point] = [
        (0, 0.5),
        (0.5, 0.52),
        (0.86, 0.66),
        (0.72, 0.95),
        (0.4, 0.92),
        (0.1, 0.7),
    ]
    for wing, colour, eye in ((lower, ink.second, (0.58, 0.78)), (upper, ink.base, (0.68, 0.24))):
        half.blob(wing, ink.dark)
        middle = np.mean(wing, axis=0)
        small = [(float(x), float(y)) for x, y in middle + (np.asarray(wing) - middle) * 0.8]
        half.blob(small, colour)
        for x, y in wing[1:]:
            half.line([(0, 0.47), (x, y)], darker(colour, 0.5), 0.012)
            half.disc(x * 0.94, y * 0.94 + 0.03, 0.025, ink.light)
        half.disc(*eye, 0.11, ink.dark)
        half.disc(*eye, 0.08, ink.accent)
        half.disc(*eye, 0.03, ink.light)
    right = half.done()
    pen = Pen(size)
    pen.stamp(right, 0.5, 0, 1, 1)
    pen.stamp(right.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0, 0, 0.5, 1)
    pen.oval(0.5, 0.52, 0.03, 0.24, darker(ink.dark, 0.4))
    for side in (-1, 1):
        pen.line([(0.5, 0.3), (0.5 + 0.06 * side, 0.12), (0.5 + 0.1 * side, 0.07)], ink.dark, 0.012)
    return relief(pen.done(), size[0] / 20, 0.4)


def blossom(rng: np.random.Generator, size: Size) -> Image.Image:
    """A flower from the front: petals with streaks and a grainy heart."""
    petals, sharp = int(rng.integers(5, 15)), float(rng.uniform(0.4, 1.4))
    hue = float(rng.choice([0.0, 0.09, 0.14, 0.58, 0.72, 0.8, 0.9, 0.95]))
    outer = hsv(hue, float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.85, 1)))
    inner = mix(outer, hsv(hue + 0.1, 0.9, 0.7), 0.7)
    heart = hsv(float(rng.uniform(0.08, 0.15)), 0.85, float(rng.uniform(0.4, 0.95)))
    wide = 2 * size[0], 2 * size[1]
    y, x = np.mgrid[-1 : 1 : wide[1] * 1j, -1 : 1 : wide[0] * 1j].astype(np.float32)
    away, angle = np.hypot(x, y), np.arctan2(y, x)
    wave = np.abs(np.cos(angle * petals / 2))
    edge = 0.42 + 0.56 * wave**sharp
    streaks = np.sin(angle * petals * 7) * np.float32(0.06) + wave * np.float32(0.25) - 0.2
    field = two_tone(inner, outer, (away / edge) ** 1.5)
    flower = masked(field, Image.fromarray(((away < edge) * 255).astype(np.uint8)))
    flower = shaded(flower, (1 + streaks).astype(np.float32))
    disc = Image.fromarray(((away < 0.24) * 255).astype(np.uint8))
    grains = noise(rng, wide, (wide[0] / 40, wide[0] / 40)) * (1.3 - away * 2)
    flower.paste(two_tone(darker(heart, 0.6), lighter(heart, 0.3), grains), (0, 0), disc)
    return relief(flower.reduce(2), size[0] / 14, 0.4)


def fruit(rng: np.random.Generator, size: Size, kind: str = "") -> Image.Image:
    """One round fruit: orange, apple, plum, lime, peach, tomato or melon (any, if not said)."""
    chosen = kind or str(rng.choice(list(ROUND)))
    one, other, patches, stem = ROUND[chosen]
    field = fractal(rng, size, size[0] / 2, 3)
    if patches == "stripes":
        x = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :]
        field = field + np.sin(x * 12 / np.sqrt(1.1 - x**2 * 0.9)) * np.float32(0.5)
    elif patches == "pores":
        field = field * 0.3 + (noise(rng, size, (3, 3)) - np.float32(0.5)) * np.float32(0.5)
    skin = two_tone(one, other, field * np.float32(1.4) + np.float32(0.5))
    disc = Pen(size)
    disc.oval(0.5, 0.5, 0.49, 0.49, (255, 255, 255))
    shade, shine = ball(size)
    picture = shaded(masked(skin, disc.done().getchannel("A")), shade)
    picture = glossed(picture, shine * (0.5 if patches == "pores" else 1.0))
    top = Pen(size)
    _stem(top, stem, float(rng.uniform(0.35, 0.65)), float(rng.uniform(0.2, 0.45)))
    picture.alpha_composite(top.done())
    return picture


ROUND: dict[str, tuple[RGB, RGB, str, str]] = {
    "orange": ((240, 130, 20), (255, 170, 50), "pores", "star"),
    "apple": ((190, 24, 36), (232, 170, 60), "blush", "stalk"),
    "green apple": ((120, 176, 40), (190, 214, 90), "blush", "stalk"),
    "plum": ((70, 30, 90), (120, 60, 130), "blush", "stalk"),
    "lime": ((90, 150, 40), (140, 190, 70), "pores", "star"),
    "peach": ((244, 150, 90), (220, 70, 60), "blush", "stalk"),
    "tomato": ((206, 34, 24), (232, 74, 40), "blush", "leaves"),
    "melon": ((30, 80, 36), (140, 180, 80), "stripes", "star"),
    "lemon": ((248, 206, 40), (255, 228, 90), "pores", "star"),
    "beet": ((110, 20, 56), (150, 44, 80), "blush", "leaves"),
}


def _stem(pen: Pen, stem: str, x: float, y: float) -> None:
    if stem == "stalk":
        pen.oval(x, y, 0.09, 0.05, (60, 34, 20, 110))
        pen.line([(x, y), (x + 0.06, y - 0.16)], (84, 56, 30), 0.04)
    elif stem == "star":
        pen.disc(x, y, 0.035, (84, 104, 40))
    else:
        for angle in np.arange(5) * 2 * np.pi / 5:
            tip = (x + 0.24 * np.cos(angle), y + 0.2 * np.sin(angle))
            side = (x + 0.07 * np.cos(angle + 0.5), y + 0.07 * np.sin(angle + 0.5))
            pen.polygon([(x, y), side, tip], (52, 120, 40))
        pen.disc(x, y, 0.05, (96, 150, 60))


def leaf(rng: np.random.Generator, size: Size) -> Image.Image:
    """A fallen or growing leaf with veins, any season's colour."""
    colour = hsv(
        float(rng.choice([0.06, 0.1, 0.24, 0.3, 0.36])),
        float(rng.uniform(0.5, 0.85)),
        float(rng.uniform(0.35, 0.75)),
    )
    pen = Pen(size)
    side = curve([(0.5, 0.02), (0.78, 0.3), (0.82, 0.6), (0.5, 0.92)], closed=False)
    pen.polygon([*side, *((1 - x, y) for x, y in reversed(side))], colour)
    pen.polygon([*side, (0.5, 0.5)], darker(colour, 0.15))
    pen.line([(0.5, 0.06), (0.5, 1)], lighter(colour, 0.35), 0.025)
    for y in np.linspace(0.25, 0.8, 6):
        for reach in (-0.25, 0.25):
            pen.line([(0.5, y), (0.5 + reach, y - 0.14)], lighter(colour, 0.25), 0.012)
    return relief(pen.done(), size[0] / 8, 0.5)
