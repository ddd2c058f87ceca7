"""Reading pictures, images and queries alike: web checks the header, workers decode.

Boxes everywhere refer to the *upright* image: EXIF orientation applied.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from common.errors import ImageTooLarge, InvalidImage
from common.geometry import Box

FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "MPO": "image/jpeg",
}
# Pillow reads an MPO (a JPEG that holds several) by its JPEG reader, and names it afterwards.
_READERS = [name for name in FORMATS if name != "MPO"]
_TURNED = {5, 6, 7, 8}  # EXIF orientations that swap width and height
_ORIENTATION = 0x0112
_STRIP_PX = 256

# Needle applies its own pixel limit, from the header, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Header:
    """What a picture's header tells: format, and the upright size in pixels."""

    format: str
    width: int
    height: int

    @property
    def media_type(self) -> str:
        """The HTTP content type."""
        return FORMATS[self.format]


@contextmanager
def _translated() -> Iterator[None]:
    """Turn whatever Pillow raises on hostile bytes into InvalidImage."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata that harms nobody
            yield
    except UnidentifiedImageError as exc:
        raise InvalidImage("This is not an image in a format that can be read.") from exc
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError) as exc:
        raise InvalidImage(f"The image is damaged: {exc}.") from exc
    except (ArithmeticError, AttributeError, RuntimeError, NotImplementedError) as exc:
        raise InvalidImage("The image is damaged.") from exc


def _open(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=_READERS)


def inspect(content: bytes, *, max_pixels: int) -> Header:
    """Read the header alone, without decoding a pixel.

    Raises InvalidImage, or ImageTooLarge beyond `max_pixels`.
    """
    if not content:
        raise InvalidImage("The file is empty.")
    with _translated(), _open(content) as image:
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION) in _TURNED
        name = str(image.format)
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"The image has {width} x {height} pixels; at most {max_pixels:,} are allowed."
        )
    return Header(name, height if turned else width, width if turned else height)


def decode(content: bytes, *, max_pixels: int) -> Image.Image:
    """Decode a picture as upright RGB; transparency becomes white.

    Raises InvalidImage (a truncated file too), or ImageTooLarge beyond `max_pixels`.
    """
    inspect(content, max_pixels=max_pixels)
    with _translated(), _open(content) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)  # else one that lies right is copied, too
        return _rgb(image)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _stretched(image)
    if image.has_transparency_data:
        return _on_white(image)
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a picture on white, strip by strip: whole, a large one would take its size five times."""
    canvas = Image.new("RGB", image.size)
    for top in range(0, image.height, _STRIP_PX):
        box = (0, top, image.width, min(top + _STRIP_PX, image.height))
        strip = image.crop(box).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        canvas.paste(Image.alpha_composite(white, strip).convert("RGB"), box)
    return canvas


def _stretched(image: Image.Image) -> Image.Image:
    """Map 16- and 32-bit grey levels onto 0..255; Pillow would clip them to white."""
    grey = image.convert("F")
    low, high = grey.getextrema()
    if not isinstance(low, float) or not isinstance(high, float):
        raise InvalidImage("The image has no single grey channel.")
    scale = 255.0 / (high - low) if high > low else 0.0
    return grey.point(lambda level: level * scale - low * scale).convert("L").convert("RGB")


def crop(image: Image.Image, box: Box) -> Image.Image:
    """Return the pixels inside `box`. Raises InvalidBox when it does not lie in the image."""
    return image.crop(box.within(*image.size).as_tuple())


def thumbnail(image: Image.Image, *, side_px: int = 320) -> bytes:
    """Return a JPEG whose longer side is at most `side_px` pixels."""
    gain = min(1.0, side_px / max(image.size))
    size = (max(1, round(image.width * gain)), max(1, round(image.height * gain)))
    # Whole factors are averaged, which is quick; the rest is little.
    how = Image.Resampling.HAMMING
    small = image if gain == 1 else image.resize(size, how, reducing_gap=1.0)
    return jpeg(small, quality=82)


def jpeg(image: Image.Image, *, quality: int = 90) -> bytes:
    """Return an RGB image as JPEG bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
