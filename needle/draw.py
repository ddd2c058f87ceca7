"""Drawings for people: boxes on an image."""

from __future__ import annotations

import io
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps, ImageStat

from needle.results import Box, Hit

FOUND = (16, 160, 90)
DOUBTFUL = (222, 138, 12)
JPEG_END = b"\xff\xd9"
WHITE = (255, 255, 255)

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_DIMMED = 0.45
_BRIGHT = 128
"""The mean of a photo that is darkened so much. A darker one is darkened less, not black."""


def font(size_px: int) -> Font:
    """Return Pillow's own font in that size."""
    return ImageFont.load_default(size=size_px)


def open_upright(source: bytes | str | PathLike[str]) -> Image.Image:
    """Return an image upright (EXIF applied) in RGB: what boxes are measured on.

    A JPEG that was cut short comes as far as it reads, as it does in Needle. Raises OSError when it
    is no image.
    """
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        return _upright(content)
    except OSError as exc:
        if "truncated" not in str(exc) or content.endswith(JPEG_END):
            raise
        return _upright(content + JPEG_END)


def _upright(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def draw_box(
    image: Image.Image,
    box: Box,
    label: str = "",
    *,
    colour: Colour = FOUND,
    dim: bool = True,
    unit_px: float | None = None,
) -> Image.Image:
    """Return a copy of an image with a box outlined and labelled; `dim` darkens what is around it.

    Lines and letters are sized by `unit_px`, the width of the line: by default 1/300 of the
    image's longer side. A box too small to be seen is outlined at a distance.
    """
    unit = unit_px or max(image.size) / 300
    around = outline(box, image.size, least_px=12 * unit)
    marked = _darkened(image, around) if dim else image.copy()
    pen = ImageDraw.Draw(marked)
    for spread, ink in ((1.0, WHITE), (0.0, colour)):
        width = round(unit * (1 + 2 * spread))
        pen.rounded_rectangle(
            _grown(around, unit * (1 + spread)), radius=3 * unit, outline=ink, width=max(1, width)
        )
    if label:
        _label(pen, label, around, image.size, unit, colour)
    return marked


def _darkened(image: Image.Image, around: Box) -> Image.Image:
    """Return an image darkened outside of a box, so far that what is there is still seen."""
    mean = ImageStat.Stat(image.convert("L")).mean[0]
    dark = ImageEnhance.Brightness(image).enhance(1 - _DIMMED * min(1.0, mean / _BRIGHT))
    dark.paste(image.crop(around), around[:2])
    return dark


def draw_match(image: bytes, hits: Sequence[Hit], label: str) -> Image.Image:
    """Return an image upright with its hits outlined: the first on top, bright, with the label.

    The others are drawn thinner and in another colour, and where a hit is verified its corners
    are joined. Raises OSError when it is no image.
    """
    marked = open_upright(image)
    if not hits:
        return marked
    unit = max(marked.size) / 300
    marked = draw_box(marked, hits[0].box, label, unit_px=unit)
    pen = ImageDraw.Draw(marked)
    for hit in hits[1:]:
        around = outline(hit.box, marked.size, least_px=12 * unit)
        edge = (around[0], around[1], around[2] - 1, around[3] - 1)
        pen.rectangle(edge, outline=DOUBTFUL, width=max(1, round(unit)))
    for place, hit in enumerate(hits):
        if hit.quad:
            colour = DOUBTFUL if place else FOUND
            pen.line([*hit.quad, hit.quad[0]], fill=colour, width=max(1, round(unit)))
    return marked


def outline(box: Box, size: tuple[int, int], *, least_px: float) -> Box:
    """Return the box, grown about its middle to `least_px` a side, clipped to the image."""
    x1, y1, x2, y2 = box
    across, down = max(0.0, least_px - (x2 - x1)) / 2, max(0.0, least_px - (y2 - y1)) / 2
    width, height = size
    return (
        max(0, round(x1 - across)),
        max(0, round(y1 - down)),
        min(width, round(x2 + across)),
        min(height, round(y2 + down)),
    )


def _grown(box: Box, by: float) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    return (x1 - by, y1 - by, x2 - 1 + by, y2 - 1 + by)


def _label(
    pen: ImageDraw.ImageDraw,
    text: str,
    around: Box,
    size: tuple[int, int],
    unit: float,
    colour: Colour,
) -> None:
    """Write a label above the box, below it where there is no room, inside it as a last resort."""
    letters = font(max(10, round(7 * unit)))
    left, top, right, bottom = pen.textbbox((0, 0), text, font=letters)
    pad = 2.5 * unit
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    x = min(max(0.0, around[0] - unit), max(0.0, size[0] - width))
    above, below = around[1] - height - 3 * unit, around[3] + 3 * unit
    y = above if above >= 0 else below if below + height <= size[1] else around[1] + unit
    pen.rounded_rectangle((x, y, x + width, y + height), radius=2 * unit, fill=colour)
    pen.text((x + pad - left, y + pad - top), text, font=letters, fill=WHITE)
