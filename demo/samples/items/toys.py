"""Toys of tin, wood and plush."""

from __future__ import annotations

import numpy as np
from PIL import Image

from demo.samples import lettering
from demo.samples.canvas import Pen, star
from demo.samples.colour import Palette, darker, lighter, mix, palette, readable_on
from demo.samples.light import ball, glossed, relief, shaded, speckled, streak
from demo.samples.motifs import motif
from demo.samples.texture import Size, child


def robot(rng: np.random.Generator, size: Size) -> Image.Image:
    """A tin robot: dials on the chest, claws, an aerial."""
    ink = palette(rng)
    pen = Pen(size)
    pen.line([(0.5, 0.12), (0.5, 0.02)], ink.dark, 0.03)
    pen.disc(0.5, 0.03, 0.045, ink.accent)
    for x, claw in ((0.13, 0.08), (0.87, 0.92)):
        pen.box(x - 0.07, 0.42, x + 0.07, 0.7, ink.second, 0.05)
        pen.ring(claw, 0.75, 0.08, ink.dark, 0.04)
    for x in (0.36, 0.64):
        pen.box(x - 0.1, 0.78, x + 0.1, 0.96, ink.second, 0.02)
        pen.box(x - 0.15, 0.92, x + 0.14, 1, ink.dark, 0.05)
    pen.box(0.22, 0.38, 0.78, 0.82, ink.base, 0.05)
    pen.box(0.27, 0.1, 0.73, 0.36, mix(ink.base, ink.light, 0.5), 0.1)
    for x in (0.39, 0.61):
        pen.disc(x, 0.2, 0.085, ink.dark)
        pen.disc(x, 0.2, 0.06, ink.accent)
        pen.disc(x - 0.015, 0.19, 0.022, ink.light)
    for x in np.linspace(0.36, 0.64, 6):
        pen.box(x - 0.015, 0.285, x + 0.015, 0.33, ink.dark)
    pen.box(0.28, 0.43, 0.72, 0.62, ink.light, 0.03)
    pen.fit(motif(rng, ink, (90, 90)), 0.3, 0.44, 0.5, 0.61)
    for index, x in enumerate((0.55, 0.61, 0.67)):
        pen.box(x, 0.6 - 0.05 - 0.04 * index, x + 0.035, 0.6, ink.inks[index])
    code = f"{lettering.brand(rng)[:2].upper()}-{int(rng.integers(1, 99))}"
    pen.fit(lettering.word(code, readable_on(ink.base, ink), bold=0.06), 0.3, 0.66, 0.7, 0.77)
    return glossed(relief(pen.done(), size[0] / 14, 0.8), streak(size, 0.33, 0.05, 0.22))


def car(rng: np.random.Generator, size: Size) -> Image.Image:
    """A wooden racing car or van with a number on its door."""
    ink = palette(rng)
    pen = Pen(size)
    roof = float(rng.uniform(0.5, 0.85))
    pen.blob([(0.22, 0.42), (0.3, 0.12), (0.5, 0.06), (roof, 0.14), (roof + 0.1, 0.45)], ink.base)
    pen.blob(
        [
            (0.01, 0.66),
            (0.06, 0.44),
            (0.3, 0.38),
            (0.8, 0.4),
            (0.98, 0.5),
            (0.99, 0.76),
            (0.5, 0.82),
            (0.04, 0.8),
        ],
        ink.base,
    )
    pen.blob([(0.3, 0.4), (0.35, 0.19), (0.5, 0.15), (0.51, 0.4)], (206, 232, 240))
    pen.blob([(0.56, 0.4), (0.56, 0.15), (roof - 0.04, 0.2), (roof + 0.03, 0.4)], (190, 222, 234))
    pen.box(0.03, 0.58, 0.98, 0.66, ink.accent)
    pen.disc(0.52, 0.6, 0.16, ink.light)
    number = lettering.word(str(int(rng.integers(1, 99))), ink.dark, bold=0.07)
    pen.fit(number, 0.45, 0.5, 0.59, 0.7)
    pen.disc(0.95, 0.58, 0.06, (255, 240, 180))
    for x in (0.24, 0.77):
        pen.disc(x, 0.8, 0.2, (34, 32, 36))
        pen.disc(x, 0.8, 0.12, ink.second)
        pen.disc(x, 0.8, 0.05, ink.light)
    return relief(speckled(rng, pen.done(), size[0] / 6, 0.1), size[1] / 10, 0.8)


def duck(rng: np.random.Generator, size: Size) -> Image.Image:
    """A bath duck with a neckerchief and a hat."""
    ink = palette(rng)
    body = lighter(ink.base, 0.15)
    pen = Pen(size)
    pen.blob(
        [
            (0.02, 0.52),
            (0.16, 0.6),
            (0.4, 0.52),
            (0.7, 0.5),
            (0.86, 0.66),
            (0.8, 0.9),
            (0.5, 1.0),
            (0.2, 0.94),
            (0.05, 0.75),
        ],
        body,
    )
    pen.disc(0.66, 0.36, 0.24, body)
    pen.blob([(0.2, 0.66), (0.45, 0.6), (0.58, 0.72), (0.4, 0.86), (0.24, 0.8)], darker(body, 0.18))
    pen.blob([(0.84, 0.34), (0.99, 0.4), (0.96, 0.48), (0.82, 0.46)], ink.accent)
    pen.disc(0.72, 0.3, 0.045, (20, 18, 22))
    pen.disc(0.735, 0.285, 0.015, (255, 255, 255))
    pen.polygon([(0.46, 0.52), (0.86, 0.54), (0.64, 0.74)], ink.second)
    for x, y in ((0.56, 0.57), (0.66, 0.58), (0.75, 0.57), (0.63, 0.65)):
        pen.disc(x, y, 0.018, ink.light)
    pen.polygon([(0.48, 0.18), (0.84, 0.14), (0.68, 0.0)], ink.dark)
    pen.disc(0.67, 0.02, 0.045, ink.light)
    return glossed(relief(pen.done(), size[0] / 7, 0.9), ball(size)[1] * np.float32(0.6))


def bear(rng: np.random.Generator, size: Size) -> Image.Image:
    """A plush bear with a jumper; its fur is drawn hair by hair."""
    ink = palette(rng)
    fur = mix(ink.base, (176, 120, 72), float(rng.uniform(0.2, 0.7)))
    pale = lighter(fur, 0.5)
    pen = Pen(size)
    for x in (0.26, 0.74):
        pen.disc(x, 0.12, 0.13, fur)
        pen.disc(x, 0.12, 0.075, pale)
        pen.oval(x + (x - 0.5) * 0.75, 0.58, 0.12, 0.16, fur)
        pen.oval(x, 0.9, 0.17, 0.1, fur)
        pen.oval(x, 0.91, 0.1, 0.065, pale)
    pen.oval(0.5, 0.66, 0.3, 0.27, ink.second)
    pen.oval(0.5, 0.28, 0.33, 0.25, fur)
    inner = pen.like()
    own = child(rng)
    for x, y in own.random((700, 2)):
        tone = mix(fur, (255, 240, 220) if own.random() < 0.5 else (30, 20, 10), 0.3)
        if y < 0.5 or y > 0.83:
            inner.line([(x, y), (x + 0.012, y + 0.022)], (*tone, 150), 0.007)
    for y in np.arange(0.52, 0.84, 0.08):
        inner.box(0.24, y, 0.76, y + 0.035, ink.accent)
    pen.clip(inner)
    pen.oval(0.5, 0.36, 0.16, 0.115, pale)
    pen.oval(0.5, 0.31, 0.055, 0.035, (40, 26, 24))
    pen.line([(0.42, 0.4), (0.5, 0.42), (0.58, 0.4)], (40, 26, 24), 0.015)
    for x in (0.37, 0.63):
        pen.disc(x, 0.23, 0.04, (24, 18, 18))
        pen.disc(x + 0.012, 0.22, 0.013, (255, 255, 255))
    return relief(pen.done(), size[0] / 11, 0.9)


def rocket(rng: np.random.Generator, size: Size) -> Image.Image:
    """A tin rocket on three fins."""
    ink = palette(rng)
    pen = Pen(size)
    pen.blob([(0.28, 0.6), (0.02, 0.86), (0.06, 1.0), (0.34, 0.84)], ink.second)
    pen.blob([(0.72, 0.6), (0.98, 0.86), (0.94, 1.0), (0.66, 0.84)], ink.second)
    hull = [
        (0.5, 0.0),
        (0.7, 0.2),
        (0.76, 0.55),
        (0.64, 0.88),
        (0.36, 0.88),
        (0.24, 0.55),
        (0.3, 0.2),
    ]
    pen.blob(hull, ink.light)
    inner = pen.like()
    inner.box(0, 0, 1, 0.2, ink.base)
    for index, x in enumerate(np.linspace(0.2, 0.8, 9)):
        inner.box(x, 0.6, x + 0.066, 0.68, ink.dark if index % 2 else ink.accent)
    inner.box(0, 0.78, 1, 0.9, ink.base)
    name = lettering.word(lettering.brand(rng).upper(), ink.base, bold=0.06)
    inner.fit(name.transpose(Image.Transpose.ROTATE_90), 0.28, 0.24, 0.42, 0.58)
    pen.clip(inner)
    pen.disc(0.55, 0.36, 0.15, ink.dark)
    pen.disc(0.55, 0.36, 0.11, (150, 214, 236))
    pen.polygon([(0.44, 0.84), (0.56, 0.84), (0.54, 1), (0.46, 1)], ink.accent)
    return glossed(relief(pen.done(), size[0] / 9, 0.9), streak(size, 0.4, 0.05, 0.3))


def blocks(rng: np.random.Generator, size: Size) -> Image.Image:
    """A tower of lettered wooden blocks."""
    ink = palette(rng)
    pen = Pen(size)
    for row, count in enumerate((1, 2, 3)):
        for column in range(count):
            x = 0.5 + (column - count / 2) * 0.32 + float(rng.uniform(-0.02, 0.02))
            y = 0.02 + row * 0.33
            colour = (*ink.inks, ink.dark)[int(rng.integers(4))]
            pen.box(x, y, x + 0.31, y + 0.32, (222, 184, 134), 0.03)
            pen.box(x + 0.03, y + 0.03, x + 0.28, y + 0.29, colour, 0.03)
            pen.box(x + 0.05, y + 0.05, x + 0.26, y + 0.27, (240, 214, 172), 0.02)
            letter = lettering.word(chr(int(rng.integers(65, 91))), darker(colour, 0.45), bold=0.08)
            pen.fit(letter, x + 0.08, y + 0.08, x + 0.23, y + 0.24)
    return relief(speckled(rng, pen.done(), size[0] / 12, 0.18), size[0] / 16, 0.7)


def beachball(rng: np.random.Generator, size: Size) -> Image.Image:
    """A striped ball with a star."""
    ink = palette(rng)
    pen = Pen(size)
    pen.disc(0.5, 0.5, 0.49, ink.light)
    inner = pen.like()
    for index, angle in enumerate(np.arange(8) * np.pi / 4):
        if index % 2 == 0:
            inner.blob(
                [
                    (0.42, 0.42),
                    (0.5 + 0.45 * np.cos(angle), 0.5 + 0.45 * np.sin(angle)),
                    (0.5 + 0.8 * np.cos(angle + 0.4), 0.5 + 0.8 * np.sin(angle + 0.4)),
                    (0.5 + 0.45 * np.cos(angle + 0.8), 0.5 + 0.45 * np.sin(angle + 0.8)),
                ],
                _nth(ink, index // 2),
            )
    inner.disc(0.42, 0.42, 0.13, ink.dark)
    inner.polygon(star(0.42, 0.42, 0.1, 0.045, 5, pen.ratio), ink.light)
    pen.clip(inner)
    shade, shine = ball(size)
    return glossed(shaded(pen.done(), shade), shine)


def _nth(ink: Palette, index: int) -> tuple[int, int, int]:
    return (*ink.inks, ink.dark)[index % 4]
