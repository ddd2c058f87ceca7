"""What happens to a small image on its way to a search."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageEnhance, ImageOps

from bench.dev_set import Corners

REFRAMED = 0.12
BRIGHTER = 1.25
QUALITY = 40


def crop(photo: Image.Image, corners: Corners) -> Image.Image:
    """Return the pixels inside the box, to the nearest whole pixel."""
    x1, y1, x2, y2 = (round(value) for value in corners)
    return photo.crop((max(0, x1), max(0, y1), min(photo.width, x2), min(photo.height, y2)))


def altered(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    """Return the crop reframed by 12 % a side, mirrored, brightened, at JPEG quality 40.

    The frame moves inwards or outwards on each side, whichever the dice say.
    """
    x1, y1, x2, y2 = corners
    dx, dy = REFRAMED * (x2 - x1), REFRAMED * (y2 - y1)

    def move(by: float) -> float:
        return rng.choice((-by, by))

    framed = crop(photo, (x1 + move(dx), y1 + move(dy), x2 + move(dx), y2 + move(dy)))
    lit = ImageEnhance.Brightness(ImageOps.mirror(framed)).enhance(BRIGHTER)
    buffer = io.BytesIO()
    lit.save(buffer, "JPEG", quality=QUALITY)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def png(image: Image.Image) -> bytes:
    """Return the image as PNG, without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
