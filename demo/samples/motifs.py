"""Small pictures of one thing each, for logos and labels: (palette, size) -> RGBA."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image

from demo.samples.canvas import Pen, Point, star
from demo.samples.colour import WHITE, Palette, darker, lighter
from demo.samples.texture import Size

Motif: TypeAlias = Callable[[Pen, Palette], None]


def _sun(pen: Pen, ink: Palette) -> None:
    pen.polygon(star(0.5, 0.5, 0.5, 0.3, 14, pen.ratio), ink.second)
    pen.disc(0.5, 0.5, 0.28, ink.light)
    pen.disc(0.5, 0.5, 0.24, ink.accent)


def _mountain(pen: Pen, ink: Palette) -> None:
    pen.disc(0.68, 0.28, 0.17, ink.accent)
    pen.polygon([(0, 0.9), (0.4, 0.12), (0.8, 0.9)], ink.base)
    pen.polygon([(0.4, 0.12), (0.8, 0.9), (0.48, 0.9)], darker(ink.base))
    pen.polygon([(0.4, 0.12), (0.27, 0.38), (0.36, 0.33), (0.42, 0.42), (0.53, 0.38)], WHITE)
    pen.polygon([(0.45, 0.9), (0.75, 0.42), (1, 0.9)], ink.second)
    pen.polygon([(0.75, 0.42), (1, 0.9), (0.8, 0.9)], darker(ink.second))


def _leaf(pen: Pen, ink: Palette) -> None:
    pen.blob(
        [(0.12, 0.9), (0.1, 0.45), (0.4, 0.12), (0.92, 0.06), (0.88, 0.55), (0.5, 0.85)], ink.base
    )
    pen.blob(
        [(0.12, 0.9), (0.42, 0.5), (0.92, 0.06), (0.88, 0.55), (0.5, 0.85)], darker(ink.base, 0.2)
    )
    pen.line([(0.04, 0.98), (0.45, 0.5), (0.85, 0.13)], ink.light, 0.025)
    for start in (0.25, 0.4, 0.55):
        pen.line([(start, 1 - start * 1.12), (start + 0.28, 0.92 - start)], ink.light, 0.015)
        pen.line([(start, 1 - start * 1.12), (start + 0.02, 0.62 - start)], ink.light, 0.015)


def _fish(pen: Pen, ink: Palette) -> None:
    pen.polygon([(0.72, 0.5), (1, 0.22), (0.94, 0.5), (1, 0.78)], ink.second)
    pen.blob(
        [(0.02, 0.52), (0.25, 0.27), (0.55, 0.25), (0.82, 0.5), (0.55, 0.75), (0.25, 0.75)],
        ink.base,
    )
    pen.polygon([(0.4, 0.27), (0.62, 0.08), (0.66, 0.34)], ink.second)
    for x in (0.38, 0.5, 0.62):
        pen.line([(x, 0.34), (x + 0.05, 0.5), (x, 0.66)], ink.accent, 0.04)
    pen.disc(0.2, 0.45, 0.07, WHITE)
    pen.disc(0.19, 0.45, 0.04, ink.dark)


def _cup(pen: Pen, ink: Palette) -> None:
    pen.ring(0.78, 0.62, 0.16, ink.base, 0.06)
    pen.blob([(0.12, 0.45), (0.78, 0.45), (0.72, 0.82), (0.5, 0.92), (0.25, 0.84)], ink.base)
    pen.box(0.13, 0.42, 0.77, 0.55, ink.base)
    pen.oval(0.45, 0.43, 0.32, 0.07, darker(ink.base, 0.5))
    pen.oval(0.45, 0.95, 0.45, 0.04, ink.second)
    for x in (0.3, 0.45, 0.6):
        pen.line(
            [(x, 0.33), (x + 0.05, 0.24), (x - 0.03, 0.16), (x + 0.03, 0.06)], ink.accent, 0.035
        )


def _flower(pen: Pen, ink: Palette) -> None:
    for angle in np.arange(8) * np.pi / 4:
        x, y = 0.5 + 0.3 * np.cos(angle), 0.5 + 0.3 * np.sin(angle)
        pen.disc(x, y, 0.19, darker(ink.base, 0.15))
        pen.disc(x, y, 0.15, ink.base)
    pen.disc(0.5, 0.5, 0.2, ink.accent)
    pen.disc(0.5, 0.5, 0.12, darker(ink.accent))


def _berries(pen: Pen, ink: Palette) -> None:
    pen.line([(0.3, 0.6), (0.5, 0.1), (0.7, 0.55)], ink.dark, 0.035)
    pen.blob([(0.5, 0.1), (0.75, 0.02), (0.98, 0.2), (0.7, 0.26)], ink.second)
    for x, y in ((0.28, 0.7), (0.72, 0.66)):
        pen.disc(x, y, 0.25, ink.base)
        pen.disc(x + 0.03, y + 0.04, 0.19, darker(ink.base, 0.15))
        pen.disc(x - 0.08, y - 0.09, 0.06, lighter(ink.base, 0.7))


def _citrus(pen: Pen, ink: Palette) -> None:
    pen.disc(0.5, 0.5, 0.49, ink.base)
    pen.disc(0.5, 0.5, 0.42, ink.light)
    for angle in np.arange(8) * np.pi / 4:
        wedge = [
            (0.5 + r * np.cos(angle + a), 0.5 + r * np.sin(angle + a))
            for r, a in ((0.05, 0.39), (0.36, 0.08), (0.39, 0.39), (0.36, 0.7))
        ]
        pen.polygon(wedge, ink.accent)


def _boat(pen: Pen, ink: Palette) -> None:
    pen.polygon([(0.47, 0.04), (0.47, 0.66), (0.1, 0.66)], ink.light)
    pen.polygon([(0.53, 0.14), (0.53, 0.66), (0.9, 0.66)], ink.accent)
    pen.line([(0.5, 0.02), (0.5, 0.75)], ink.dark, 0.03)
    pen.polygon([(0.05, 0.71), (0.95, 0.71), (0.78, 0.88), (0.2, 0.88)], ink.base)
    pen.line(
        [(x, 0.94 + 0.025 * (i % 2)) for i, x in enumerate(np.linspace(0, 1, 9))], ink.second, 0.04
    )


def _cactus(pen: Pen, ink: Palette) -> None:
    pen.box(0.38, 0.08, 0.62, 0.8, ink.base, 0.12)
    pen.box(0.12, 0.28, 0.28, 0.55, ink.base, 0.08)
    pen.box(0.12, 0.46, 0.45, 0.58, ink.base, 0.05)
    pen.box(0.72, 0.2, 0.88, 0.46, ink.base, 0.08)
    pen.box(0.55, 0.37, 0.88, 0.49, ink.base, 0.05)
    for x in (0.44, 0.5, 0.56):
        pen.line([(x, 0.14), (x, 0.76)], lighter(ink.base, 0.35), 0.012)
    pen.disc(0.5, 0.09, 0.08, ink.accent)
    pen.polygon([(0.25, 0.74), (0.75, 0.74), (0.68, 0.98), (0.32, 0.98)], ink.second)


def _mushroom(pen: Pen, ink: Palette) -> None:
    pen.blob([(0.38, 0.5), (0.62, 0.5), (0.68, 0.92), (0.5, 0.97), (0.32, 0.92)], ink.light)
    pen.blob(
        [(0.02, 0.52), (0.15, 0.2), (0.5, 0.04), (0.85, 0.2), (0.98, 0.52), (0.5, 0.6)], ink.base
    )
    for x, y, r in ((0.3, 0.32, 0.08), (0.58, 0.2, 0.07), (0.76, 0.42, 0.06), (0.5, 0.45, 0.05)):
        pen.disc(x, y, r, ink.light)


def _rocket(pen: Pen, ink: Palette) -> None:
    pen.polygon([(0.42, 0.78), (0.5, 1), (0.58, 0.78)], ink.accent)
    pen.polygon([(0.35, 0.5), (0.12, 0.86), (0.38, 0.76)], ink.second)
    pen.polygon([(0.65, 0.5), (0.88, 0.86), (0.62, 0.76)], ink.second)
    pen.blob([(0.5, 0), (0.68, 0.3), (0.64, 0.78), (0.36, 0.78), (0.32, 0.3)], ink.light)
    pen.blob([(0.5, 0), (0.61, 0.15), (0.5, 0.22), (0.39, 0.15)], ink.base)
    pen.disc(0.5, 0.4, 0.11, ink.base)
    pen.disc(0.5, 0.4, 0.07, ink.dark)


def _cat(pen: Pen, ink: Palette) -> None:
    pen.polygon([(0.08, 0.05), (0.42, 0.28), (0.1, 0.55)], ink.base)
    pen.polygon([(0.92, 0.05), (0.58, 0.28), (0.9, 0.55)], ink.base)
    pen.oval(0.5, 0.56, 0.45, 0.4, ink.base)
    for x in (0.32, 0.68):
        pen.oval(x, 0.5, 0.1, 0.12, ink.light)
        pen.oval(x, 0.51, 0.04, 0.1, ink.dark)
        pen.line([(x, 0.72), (x + (x - 0.5) * 2.4, 0.68)], ink.light, 0.018)
        pen.line([(x, 0.76), (x + (x - 0.5) * 2.4, 0.8)], ink.light, 0.018)
    pen.polygon([(0.44, 0.66), (0.56, 0.66), (0.5, 0.74)], ink.accent)
    for x in (0.4, 0.5, 0.6):
        pen.line([(x, 0.18), (x, 0.32)], ink.dark, 0.03)


def _crown(pen: Pen, ink: Palette) -> None:
    peaks: list[Point] = [(0.05, 0.25), (0.28, 0.52), (0.5, 0.12), (0.72, 0.52), (0.95, 0.25)]
    pen.polygon([*peaks, (0.86, 0.85), (0.14, 0.85)], ink.accent)
    pen.box(0.13, 0.72, 0.87, 0.86, ink.base)
    for x, y in peaks[::2]:
        pen.disc(x, y, 0.06, ink.second)
    for x in (0.3, 0.5, 0.7):
        pen.disc(x, 0.79, 0.045, ink.light)


def _tree(pen: Pen, ink: Palette) -> None:
    pen.box(0.44, 0.75, 0.56, 1, darker(ink.second, 0.4))
    for top, half in ((0.3, 0.42), (0.15, 0.34), (0, 0.25)):
        pen.polygon([(0.5, top), (0.5 - half, top + 0.5), (0.5 + half, top + 0.5)], ink.base)
        pen.polygon([(0.5, top), (0.5, top + 0.5), (0.5 + half, top + 0.5)], darker(ink.base, 0.2))


def _moon(pen: Pen, ink: Palette) -> None:
    pen.disc(0.5, 0.5, 0.48, ink.base)
    pen.disc(0.48, 0.5, 0.34, ink.light)
    pen.disc(0.6, 0.43, 0.29, ink.base)
    for x, y, r in ((0.68, 0.35, 0.1), (0.76, 0.62, 0.06), (0.56, 0.5, 0.05)):
        pen.polygon(star(x, y, r, r * 0.4, 5, pen.ratio), ink.accent)


def _anchor(pen: Pen, ink: Palette) -> None:
    pen.ring(0.5, 0.15, 0.12, ink.base, 0.06)
    pen.line([(0.5, 0.26), (0.5, 0.9)], ink.base, 0.09)
    pen.line([(0.28, 0.36), (0.72, 0.36)], ink.base, 0.08)
    pen.line([(0.1, 0.6), (0.2, 0.82), (0.5, 0.93), (0.8, 0.82), (0.9, 0.6)], ink.base, 0.09)
    pen.disc(0.5, 0.93, 0.05, ink.accent)
    pen.disc(0.5, 0.36, 0.06, ink.accent)


def _bee(pen: Pen, ink: Palette) -> None:
    for x in (0.3, 0.7):
        pen.oval(x, 0.3, 0.24, 0.2, lighter(ink.second, 0.55))
        pen.oval(x, 0.3, 0.16, 0.13, lighter(ink.second, 0.75))
    pen.oval(0.5, 0.6, 0.24, 0.36, ink.accent)
    for y in (0.48, 0.62, 0.76):
        half = 0.23 * float(np.sqrt(max(0.0, 1 - ((y - 0.6) / 0.36) ** 2)))
        pen.line([(0.5 - half, y), (0.5 + half, y)], ink.dark, 0.07)
    pen.disc(0.5, 0.27, 0.12, ink.dark)
    pen.line([(0.45, 0.18), (0.36, 0.05)], ink.dark, 0.025)
    pen.line([(0.55, 0.18), (0.64, 0.05)], ink.dark, 0.025)


MOTIFS: tuple[Motif, ...] = (
    _sun,
    _mountain,
    _leaf,
    _fish,
    _cup,
    _flower,
    _berries,
    _citrus,
    _boat,
    _cactus,
    _mushroom,
    _rocket,
    _cat,
    _crown,
    _tree,
    _moon,
    _anchor,
    _bee,
)


def motif(rng: np.random.Generator, ink: Palette, size: Size) -> Image.Image:
    """One of the motifs, drawn in the palette's inks on a transparent ground."""
    pen = Pen(size)
    MOTIFS[int(rng.integers(len(MOTIFS)))](pen, ink)
    return pen.done()
