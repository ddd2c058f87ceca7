"""How a query is made from a scene: each way alters what the photo shows, as people do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from demo.samples.canvas import rotated
from demo.samples.light import ramp, shaded, shadow
from demo.samples.scenes.stage import Box

Alter: TypeAlias = Callable[[Image.Image, Box, Image.Image], Image.Image]
"""(photo, box of the item in it, the item by itself as RGBA) -> the query, RGB."""


@dataclass(frozen=True)
class Alteration:
    """A way to make a query, in words and in pixels, and the quality of its JPEG file."""

    words: str
    alter: Alter
    quality: int = 95


def exact(photo: Image.Image, box: Box, item: Image.Image) -> Image.Image:
    """The photo's own pixels."""
    return photo.crop(box)


def half(photo: Image.Image, box: Box, item: Image.Image) -> Image.Image:
    """The crop at half its width and height."""
    crop = photo.crop(box)
    return crop.resize((crop.width // 2, crop.height // 2), Image.Resampling.LANCZOS)


def mirrored(photo: Image.Image, box: Box, item: Image.Image) -> Image.Image:
    """The crop with left and right exchanged."""
    return ImageOps.mirror(photo.crop(box))


def brighter(photo: Image.Image, box: Box, item: Image.Image) -> Image.Image:
    """The crop a quarter lighter."""
    return ImageEnhance.Brightness(photo.crop(box)).enhance(1.25)


def reframed(photo: Image.Image, box: Box, item: Image.Image) -> Image.Image:
    """A box of the same size, a tenth of its width further left: the right edge is cut off."""
    aside = round((box[2] - box[0]) * 0.1)
    return photo.crop((box[0] - aside, box[1], box[2] - aside, box[3]))


def pack_shot(photo: Image.Image, box: Box, item: Image.Image) -> Image.Image:
    """The item by itself on white, a little turned and larger, in another light."""
    size = (round(item.width * 1.3), round(item.height * 1.3))
    shot = rotated(item.resize(size, Image.Resampling.LANCZOS), -4)
    shot = shaded(shot, ramp(shot.size, 0.98, 1.12) * np.float32(1.04))
    margin = round(min(shot.size) * 0.12)
    ground = Image.new("RGB", (shot.width + 2 * margin, shot.height + 2 * margin), (250, 250, 249))
    dark, blur = shadow(shot, margin * 0.4, 0.3)
    ground.paste(dark, (margin - blur + margin // 5, margin - blur + margin // 3), dark)
    ground.paste(shot, (margin, margin), shot)
    return ground


EXACT = Alteration("exact crop", exact)
HALF = Alteration("half size", half)
MIRRORED = Alteration("mirrored", mirrored)
BRIGHTER = Alteration("brighter, JPEG quality 40", brighter, 40)
REFRAMED = Alteration("reframed by 10 %", reframed)
PACK_SHOT = Alteration("clean pack shot on white, photographed again", pack_shot)
