"""Light and shadow on RGBA pictures: shading, relief, gloss, curvature, wear, cast shadows."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from demo.samples.canvas import masked
from demo.samples.colour import RGB
from demo.samples.texture import Field, Size, fractal


def shaded(picture: Image.Image, field: Field) -> Image.Image:
    """The RGBA picture with its colours multiplied by the field (height, width)."""
    pixels = np.array(picture, np.float32)
    pixels[..., :3] *= field[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def glossed(picture: Image.Image, field: Field) -> Image.Image:
    """The RGBA picture with white light added where the field is above 0 (1 is full white)."""
    pixels = np.array(picture, np.float32)
    pixels[..., :3] += (255 - pixels[..., :3]) * np.clip(field, 0, 1)[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def ramp(size: Size, start: float, stop: float, vertical: bool = False) -> Field:
    """A field that runs evenly from ``start`` to ``stop``, left to right or top to bottom."""
    line = np.linspace(start, stop, size[1] if vertical else size[0], dtype=np.float32)
    return np.broadcast_to(line[:, None] if vertical else line[None, :], (size[1], size[0]))


def cylinder(size: Size, at: float = -0.35, dark: float = 0.42) -> Field:
    """The shading of an upright cylinder as wide as the size, lit from ``at`` (-1..1)."""
    x = np.linspace(-1, 1, size[0], dtype=np.float32)
    facing = np.sqrt(np.clip(1 - ((x - at) / (1.25 + abs(at))) ** 2, 0, 1))
    rim = 0.1 * np.clip(np.abs(x) - 0.86, 0, 1) / 0.14
    return np.broadcast_to(dark + (1.14 - dark) * facing + rim, (size[1], size[0]))


def streak(size: Size, at: float, width: float, strength: float) -> Field:
    """A vertical reflection around ``at`` (0..1 of the width), for glass and tin."""
    x = np.linspace(0, 1, size[0], dtype=np.float32)
    line = strength * np.exp(-(((x - at) / width) ** 2))
    return np.broadcast_to(line, (size[1], size[0]))


def wrapped(art: Image.Image, size: Size, bend: float = 0.06) -> Image.Image:
    """The flat art bent around an upright cylinder seen a little from above.

    The middle half of a turn shows; ``bend`` is how far the edges rise, over the height.
    """
    wide, high = size
    pixels = np.asarray(art.convert("RGBA").resize(size, Image.Resampling.BICUBIC))
    x = np.linspace(-0.995, 0.995, wide)
    columns = ((np.arcsin(x) / np.pi + 0.5) * (wide - 1)).astype(int)
    drop = (np.sqrt(1 - x**2) * bend * high).astype(int)
    rows = np.arange(high)[:, None] - drop[None, :] + int(bend * high)
    flat = pixels[np.clip(rows, 0, high - 1), columns[None, :]]
    return Image.fromarray(flat)


def relief(picture: Image.Image, radius: float, strength: float = 0.5) -> Image.Image:
    """The RGBA picture rounded off: its silhouette swells, lit from the upper left.

    ``radius`` is how far from the edge the swelling reaches, in pixels.
    """
    alpha = picture.getchannel("A")
    pad = round(radius) + 2
    swollen = Image.new("L", (alpha.width + 2 * pad, alpha.height + 2 * pad))
    swollen.paste(alpha, (pad, pad))
    height = np.asarray(swollen.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255
    down, right = np.gradient(height, axis=0), np.gradient(height, axis=1)
    tilt = np.asarray(down * 1.2 + right * 0.8, np.float32)
    slope = tilt[pad:-pad, pad:-pad] * np.float32(radius * 2.2)
    core = height[pad:-pad, pad:-pad]
    field = 1 + strength * slope + strength * 0.35 * (core - 0.75)
    return shaded(picture, np.clip(field, 0.35, 1.5).astype(np.float32))


def speckled(
    rng: np.random.Generator, picture: Image.Image, cell: float, strength: float
) -> Image.Image:
    """The RGBA picture with blotches of light and dark, so that no surface is flat."""
    return shaded(picture, 1 + fractal(rng, picture.size, cell) * np.float32(strength))


def ball(size: Size, at: tuple[float, float] = (-0.4, -0.5)) -> tuple[Field, Field]:
    """The shading and the highlight of a ball that fills the size, lit from ``at`` (-1..1)."""
    x = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]
    away = (x - at[0]) ** 2 + (y - at[1]) ** 2
    bounce = np.clip(x**2 + y**2 - 0.75, 0, 0.25) * np.float32(0.5)
    shade = np.clip(1.22 - away * np.float32(0.33), 0.35, 1.25) + bounce
    shine = np.exp(-away * np.float32(11)) * np.float32(0.5)
    return shade.astype(np.float32), shine.astype(np.float32)


def shadow(
    picture: Image.Image, blur: float, opacity: float, colour: RGB = (20, 14, 18)
) -> tuple[Image.Image, int]:
    """The picture's blurred silhouette as RGBA, and its margin in pixels on each side."""
    margin = round(blur * 2.2) + 2
    size = (picture.width + 2 * margin, picture.height + 2 * margin)
    mask = Image.new("L", size)
    mask.paste(picture.getchannel("A").point(lambda a: round(a * opacity)), (margin, margin))
    mask = mask.filter(ImageFilter.BoxBlur(blur * 0.7)).filter(ImageFilter.BoxBlur(blur * 0.7))
    return masked(Image.new("RGB", size, colour), mask), margin
