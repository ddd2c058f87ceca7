"""What happens to a small image on its way to a search.

Each perturbation takes a photo, a box of it and dice, and returns the small image that somebody
might search with instead of the exact crop. The dice decide everything that is not fixed here.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable, Mapping

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from common.pictures import jpeg
from lab.evaluation.photos import Corners

Perturbation = Callable[[Image.Image, Corners, random.Random], Image.Image]

FRAMING = 0.15
"""Each side moves by up to this share of the box's width or height, in or out."""
DEGREES = 10.0
LOW_PX = 32
HIDDEN = 0.2
"""Share of the area that is covered."""
PASTED = 0.7
"""Sides of the crop as a share of the sides of the background."""
BLUR = 0.03
"""The blur's radius as a share of the shorter side."""


def crop(photo: Image.Image, corners: Corners) -> Image.Image:
    """Return the pixels inside the box, to the nearest whole pixel; at least one."""
    return photo.crop(whole_pixels(photo.size, corners))


def whole_pixels(size: tuple[int, int], corners: Corners) -> tuple[int, int, int, int]:
    """Return the box's nearest whole pixels within a photo of that size; at least one."""
    width, height = size
    x1, y1, x2, y2 = (round(value) for value in corners)
    left, top = min(max(0, x1), width - 1), min(max(0, y1), height - 1)
    return left, top, max(left + 1, min(width, x2)), max(top + 1, min(height, y2))


def png(image: Image.Image) -> bytes:
    """Return the image as PNG, without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def altered(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    """Return the crop reframed by 12 % a side, mirrored, brightened, at JPEG quality 40.

    The frame moves inwards or outwards on each side, whichever the dice say. What the acceptance
    figures ask for.
    """
    framed = crop(photo, moved(corners, lambda: rng.choice((-0.12, 0.12))))
    return through_jpeg(ImageEnhance.Brightness(ImageOps.mirror(framed)).enhance(1.25), 40)


def reworked(photo: Image.Image, corners: Corners) -> Image.Image:
    """Return the crop mirrored, brightened, at four fifths of its size and JPEG quality 50."""
    smaller = _scaled(ImageOps.mirror(crop(photo, corners)), 0.8)
    return through_jpeg(ImageEnhance.Brightness(smaller).enhance(1.15), 50)


def moved(corners: Corners, by: Callable[[], float]) -> Corners:
    """Return the box with each side moved by a share of the box's width or height."""
    x1, y1, x2, y2 = corners
    width, height = x2 - x1, y2 - y1
    return (x1 + by() * width, y1 + by() * height, x2 + by() * width, y2 + by() * height)


def turned(photo: Image.Image, corners: Corners, degrees: float) -> Image.Image:
    """Return the box's pixels after the photo turned about its centre, counterclockwise.

    What lies outside the photo is black.
    """
    x1, y1, x2, y2 = corners
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    reach = math.ceil(math.hypot(x2 - x1, y2 - y1) / 2) + 2
    left, top = math.floor(x) - reach, math.floor(y) - reach
    around = photo.crop((left, top, left + 2 * reach, top + 2 * reach))
    straight = around.rotate(degrees, Image.Resampling.BICUBIC, center=(x - left, y - top))
    return crop(straight, (x1 - left, y1 - top, x2 - left, y2 - top))


def through_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Return what is left of an image after JPEG."""
    return Image.open(io.BytesIO(jpeg(image, quality=quality))).convert("RGB")


def _exact(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    return crop(photo, corners)


def _half_jpeg(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    return through_jpeg(_scaled(crop(photo, corners), 0.5), 30)


def _low(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    image = crop(photo, corners)
    return _scaled(image, min(1.0, LOW_PX / max(image.size)))


def _colour(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    return _recoloured(crop(photo, corners))


def _mirrored(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    return ImageOps.mirror(crop(photo, corners))


def _framing(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    return crop(photo, _reframed(corners, rng))


def _rotated(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    return turned(photo, corners, rng.choice((-DEGREES, DEGREES)))


def _blurred(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    image = crop(photo, corners)
    return image.filter(ImageFilter.GaussianBlur(max(1.0, BLUR * min(image.size))))


def _hidden(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    image = crop(photo, corners)
    across = math.sqrt(HIDDEN * rng.uniform(0.5, 2.0))
    width = max(1, round(across * image.width))
    height = max(1, min(image.height, round(HIDDEN / across * image.height)))
    cover = Image.new("RGB", (width, height), (127, 127, 127))
    if rng.random() < 0.5:
        cover = Image.frombytes("RGB", cover.size, rng.randbytes(3 * width * height))
    image.paste(cover, (rng.randint(0, image.width - width), rng.randint(0, image.height - height)))
    return image


def _other_background(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    """Nothing of the photo's own background may be left: it is plain, or soft patches of colour."""
    image = crop(photo, corners)
    cells = rng.choice((1, 4))
    patches = Image.frombytes("RGB", (cells, cells), rng.randbytes(3 * cells * cells))
    size = (math.ceil(image.width / PASTED), math.ceil(image.height / PASTED))
    canvas = patches.resize(size, Image.Resampling.BICUBIC)
    free = (size[0] - image.width, size[1] - image.height)
    canvas.paste(image, (rng.randint(0, free[0]), rng.randint(0, free[1])))
    return canvas


def _all_together(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    image = ImageOps.mirror(crop(photo, _reframed(corners, rng)))
    return through_jpeg(ImageEnhance.Brightness(image).enhance(1.2), 30)


def _harsh(photo: Image.Image, corners: Corners, rng: random.Random) -> Image.Image:
    image = turned(photo, _reframed(corners, rng), rng.choice((-DEGREES, DEGREES)))
    lit = ImageEnhance.Brightness(_recoloured(ImageOps.mirror(image))).enhance(1.2)
    return through_jpeg(_scaled(lit, 0.5), 30)


PERTURBATIONS: Mapping[str, Perturbation] = {
    "exact": _exact,
    "half size, JPEG 30": _half_jpeg,
    "low resolution": _low,
    "colour": _colour,
    "mirrored": _mirrored,
    "framing": _framing,
    "rotated": _rotated,
    "blurred": _blurred,
    "hidden": _hidden,
    "other background": _other_background,
    "all together": _all_together,
    "harsh": _harsh,
}
"""By name, mild ones first."""


def _reframed(corners: Corners, rng: random.Random) -> Corners:
    return moved(corners, lambda: rng.uniform(-FRAMING, FRAMING))


def _recoloured(image: Image.Image) -> Image.Image:
    """Less saturated, more contrast, brighter."""
    image = ImageEnhance.Color(image).enhance(0.7)
    image = ImageEnhance.Contrast(image).enhance(1.25)
    return ImageEnhance.Brightness(image).enhance(1.25)


def _scaled(image: Image.Image, by: float) -> Image.Image:
    size = (max(1, round(image.width * by)), max(1, round(image.height * by)))
    return image.resize(size, Image.Resampling.LANCZOS)
