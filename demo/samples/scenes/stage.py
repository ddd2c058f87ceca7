"""The stage a scene is built on: places items with their shadows, knows where its star stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from demo.samples.canvas import over, trimmed
from demo.samples.light import shaded, shadow
from demo.samples.texture import Size

Item: TypeAlias = Callable[[np.random.Generator, Size], Image.Image]
"""Draws one thing: (rng, size) -> RGBA."""

Box: TypeAlias = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels, half open."""

_DESIGN_HEIGHT_PX = 1600
_TRIES = 6
_AUDITIONS = 6
_ALIKE = 18.0
"""Mean difference of two thumbnails, 0..255, under which one could be taken for the other."""


@dataclass(frozen=True)
class Cast:
    """How an item's shadow falls: offset and blur in design pixels, opacity 0..1."""

    right: float = 6
    down: float = 8
    blur: float = 8
    opacity: float = 0.5


@dataclass(frozen=True)
class Star:
    """The one item of a scene that is searched for, and the generator that designs it."""

    item: Item
    rng: np.random.Generator


class Stage:
    """An RGB picture under construction, of ``size`` pixels (width, height).

    Measures in recipes are design pixels, those of a photo 1600 px high; ``px`` converts.
    """

    def __init__(self, rng: np.random.Generator, size: Size, star: Star | None = None) -> None:
        self.rng = rng
        self.size = size
        self.unit = size[1] / _DESIGN_HEIGHT_PX
        self.image = Image.new("RGB", size)
        self.star = star
        self.star_picture: Image.Image | None = None
        self.star_box: Box | None = None

    def px(self, length: float) -> int:
        """Design pixels in pixels of this picture, at least 1."""
        return max(1, round(length * self.unit))

    def draw_star(self, wide: float, high: float) -> Image.Image | None:
        """The star at a size in design pixels, or None in a scene without one.

        Of several designs the most vivid gets the part: a person should know it when they see it.
        """
        if self.star is None:
            return None
        size = (self.px(wide), self.px(high))
        auditions = [self.star.item(self.star.rng, size) for _ in range(_AUDITIONS)]
        self.star_picture = trimmed(max(auditions, key=vividness))
        return self.star_picture

    def draw(self, item: Item, wide: float, high: float) -> Image.Image:
        """An item at a size in design pixels, drawn again while it looks like the star."""
        size = (self.px(wide), self.px(high))
        picture = item(self.rng, size)
        for _ in range(_TRIES):
            if not self._like_star(picture):
                break
            picture = item(self.rng, size)
        return picture

    def put(
        self,
        picture: Image.Image,
        x: float,
        y: float,
        cast: Cast | None = None,
        *,
        star: bool = False,
    ) -> None:
        """Lay an RGBA picture with its top left corner at x, y (pixels), its shadow under it."""
        if cast is not None:
            dark, margin = shadow(picture, cast.blur * self.unit, cast.opacity)
            right, down = cast.right * self.unit, cast.down * self.unit
            over(self.image, dark, (round(x + right) - margin, round(y + down) - margin))
        left, top = round(x), round(y)
        over(self.image, picture, (left, top))
        if star:
            self.star_picture = picture
            self.star_box = (left, top, left + picture.width, top + picture.height)

    def vary(self, picture: Image.Image, amount: float = 0.06) -> Image.Image:
        """The picture a little lighter or darker: the same thing a hand further on."""
        gain = np.float32(1 + self.rng.normal(0, amount))
        return shaded(picture, np.full((picture.height, picture.width), gain, np.float32))

    def _like_star(self, picture: Image.Image) -> bool:
        return self.star_picture is not None and alike(picture, self.star_picture)


def alike(one: Image.Image, other: Image.Image) -> bool:
    """Whether two RGBA pictures look the same at a glance (their 10 x 10 thumbnails)."""
    first, second = _glance(one), _glance(other)
    return float(np.abs(first - second).mean()) < _ALIKE


def vividness(picture: Image.Image) -> float:
    """How much the colours of an RGBA picture differ from place to place, and from grey."""
    glance = _glance(picture)
    colour = glance.max(axis=2) - glance.min(axis=2)
    return float(glance.std() + colour.mean())


def _glance(picture: Image.Image) -> npt.NDArray[np.float32]:
    ground = Image.new("RGB", picture.size, (128, 128, 128))
    ground.paste(picture, (0, 0), picture)
    return np.asarray(ground.resize((10, 10), Image.Resampling.BOX), np.float32)
