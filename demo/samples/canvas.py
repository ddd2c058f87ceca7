"""Drawing in unit coordinates with smooth edges, and laying RGBA pictures over one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from demo.samples.colour import RGB
from demo.samples.texture import Size

Point: TypeAlias = tuple[float, float]
"""A place in unit coordinates: x and y, 0..1 from the top left."""

Ink: TypeAlias = RGB | tuple[int, int, int, int]

SMOOTHING = 2
"""Each side is drawn this many times larger and then reduced, which smooths the edges."""


class Pen:
    """Draws shapes given in unit coordinates on a transparent or coloured sheet."""

    def __init__(self, size: Size, ground: Ink | None = None) -> None:
        """A sheet that will be ``size`` pixels (width, height) when it is done."""
        self.size = (max(2, size[0]), max(2, size[1]))
        self.wide, self.high = self.size[0] * SMOOTHING, self.size[1] * SMOOTHING
        self.image = Image.new("RGBA", (self.wide, self.high), ground or (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)

    @property
    def ratio(self) -> float:
        """Width over height: multiply a vertical distance by 1 / ratio for a square."""
        return self.wide / self.high

    def polygon(self, points: Iterable[Point], ink: Ink) -> None:
        """A filled polygon."""
        self.draw.polygon(self._pixels(points), ink)

    def blob(self, points: Sequence[Point], ink: Ink) -> None:
        """A filled smooth closed curve through the points."""
        self.polygon(curve(points), ink)

    def box(self, x1: float, y1: float, x2: float, y2: float, ink: Ink, round_: float = 0) -> None:
        """A filled rectangle; ``round_`` is the corner radius over the shorter side."""
        radius = round_ * min(self.wide, self.high)
        left, right = sorted((x1 * self.wide, x2 * self.wide))
        top, bottom = sorted((y1 * self.high, y2 * self.high))
        self.draw.rounded_rectangle((left, top, right, bottom), radius, ink)

    def oval(self, x: float, y: float, rx: float, ry: float, ink: Ink) -> None:
        """A filled ellipse about a centre."""
        self.draw.ellipse(self._around(x, y, rx * self.wide, ry * self.high), ink)

    def disc(self, x: float, y: float, radius: float, ink: Ink) -> None:
        """A filled circle; the radius is a share of the shorter side."""
        pixels = radius * min(self.wide, self.high)
        self.draw.ellipse(self._around(x, y, pixels, pixels), ink)

    def ring(self, x: float, y: float, radius: float, ink: Ink, width: float) -> None:
        """A circle's outline; radius and width are shares of the shorter side."""
        side = min(self.wide, self.high)
        around = self._around(x, y, radius * side, radius * side)
        self.draw.ellipse(around, outline=ink, width=max(1, round(width * side)))

    def line(self, points: Iterable[Point], ink: Ink, width: float) -> None:
        """A line with round ends; the width is a share of the shorter side."""
        pixels = self._pixels(points)
        thick = max(1, round(width * min(self.wide, self.high)))
        self.draw.line(pixels, ink, thick, joint="curve")
        if thick > 3:
            for x, y in (pixels[0], pixels[-1]):
                half = thick / 2 - 0.5
                self.draw.ellipse((x - half, y - half, x + half, y + half), ink)

    def stamp(self, picture: Image.Image, x1: float, y1: float, x2: float, y2: float) -> None:
        """Another picture, stretched into a box and laid over what is there."""
        wide, high = max(1, round((x2 - x1) * self.wide)), max(1, round((y2 - y1) * self.high))
        laid = picture.convert("RGBA").resize((wide, high), Image.Resampling.BICUBIC)
        over(self.image, laid, (round(x1 * self.wide), round(y1 * self.high)))

    def fit(self, picture: Image.Image, x1: float, y1: float, x2: float, y2: float) -> None:
        """Another picture, as large as its shape allows, in the middle of a box."""
        box_wide, box_high = (x2 - x1) * self.wide, (y2 - y1) * self.high
        scale = min(box_wide / picture.width, box_high / picture.height)
        half_x = picture.width * scale / self.wide / 2
        half_y = picture.height * scale / self.high / 2
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        self.stamp(picture, x - half_x, y - half_y, x + half_x, y + half_y)

    def glaze(self, other: Pen) -> None:
        """Lay another sheet of the same size over this one, translucent inks and all."""
        self.image.alpha_composite(other.image)

    def clip(self, other: Pen) -> None:
        """Lay another sheet over this one, only where this one already has something."""
        alpha = self.image.getchannel("A")
        self.image.alpha_composite(other.image)
        self.image.putalpha(alpha)

    def like(self) -> Pen:
        """An empty transparent sheet of the same size."""
        return Pen(self.size)

    def done(self) -> Image.Image:
        """The finished RGBA picture, ``size`` pixels, with smooth edges."""
        return self.image.reduce(SMOOTHING)

    def _pixels(self, points: Iterable[Point]) -> list[Point]:
        return [(x * self.wide, y * self.high) for x, y in points]

    def _around(
        self, x: float, y: float, rx: float, ry: float
    ) -> tuple[float, float, float, float]:
        x, y = x * self.wide, y * self.high
        return x - rx, y - ry, x + rx, y + ry


def curve(points: Sequence[Point], steps: int = 10, closed: bool = True) -> list[Point]:
    """A Catmull-Rom curve through the points, ``steps`` places for each of them."""
    knots = np.asarray(points, np.float64)
    ends = [knots[-1:], knots, knots[:2]] if closed else [knots[:1], knots, knots[-1:]]
    knots = np.concatenate(ends)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(knots[:-3], knots[1:-2], knots[2:-1], knots[3:], strict=True):
        parts.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    if not closed:
        parts.append(knots[-1:])
    return [(float(x), float(y)) for x, y in np.concatenate(parts)]


def star(
    x: float,
    y: float,
    outer: float,
    inner: float,
    points: int,
    ratio: float = 1.0,
    turn: float = -0.25,
) -> list[Point]:
    """A star's outline; radii are shares of the width, ``ratio`` is the sheet's."""
    angles = (np.arange(points * 2) / (points * 2) + turn) * 2 * np.pi
    radii = np.where(np.arange(points * 2) % 2, inner, outer)
    xs, ys = x + radii * np.cos(angles), y + radii * np.sin(angles) * ratio
    return [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]


def over(ground: Image.Image, picture: Image.Image, at: tuple[int, int]) -> None:
    """Lay an RGBA picture on a ground at its top left corner, which may lie outside."""
    if ground.mode == "RGB":
        ground.paste(picture, at, picture)
        return
    left, top = max(at[0], 0), max(at[1], 0)
    cut = (
        left - at[0],
        top - at[1],
        min(picture.width, ground.width - at[0]),
        min(picture.height, ground.height - at[1]),
    )
    if cut[0] < cut[2] and cut[1] < cut[3]:
        ground.alpha_composite(picture, (left, top), (cut[0], cut[1], cut[2], cut[3]))


def rotated(picture: Image.Image, degrees: float) -> Image.Image:
    """The RGBA picture turned anticlockwise, grown to hold its corners, trimmed to what shows."""
    turned = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    return trimmed(turned)


def trimmed(picture: Image.Image) -> Image.Image:
    """The RGBA picture cut to the pixels that show (more than a trace of alpha)."""
    box = picture.getchannel("A").point(lambda alpha: 255 if alpha > 20 else 0).getbbox()
    return picture.crop(box) if box else picture


def masked(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture as RGBA with the mask (same size, mode L) as its alpha."""
    result = picture.convert("RGBA")
    result.putalpha(mask)
    return result
