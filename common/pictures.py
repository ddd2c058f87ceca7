"""Reading pictures, images and queries alike: web checks the header, workers decode.

Boxes everywhere refer to the *upright* image: EXIF orientation applied.
"""

from __future__ import annotations

import io
import math
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from common.errors import ImageTooLarge, InvalidImage, NeedleError
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
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_PNG = b"\x89PNG\r\n\x1a\n"
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
    """Turn whatever Pillow raises on hostile bytes into InvalidImage; it may raise anything."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata that harms nobody
            yield
    except NeedleError:
        raise
    except UnidentifiedImageError as exc:
        raise InvalidImage("This is not an image in a format that can be read.") from exc
    except MemoryError as exc:
        raise InvalidImage("The image takes more memory than there is.") from exc
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError) as exc:
        raise InvalidImage(f"The image is damaged: {exc}.") from exc
    except Exception as exc:
        raise InvalidImage("The image is damaged.") from exc


def _open(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=_READERS)


def inspect(content: bytes, *, max_pixels: int) -> Header:
    """Read the header alone, without decoding a pixel.

    Raises InvalidImage, or ImageTooLarge beyond `max_pixels`.
    """
    with _checked(content, max_pixels) as image:
        width, height = image.size
        turned = _orientation(image, content) in _TURNED
        return Header(str(image.format), *((height, width) if turned else (width, height)))


def decode(content: bytes, *, max_pixels: int) -> Image.Image:
    """Decode a picture as upright RGB; transparency becomes white.

    Raises InvalidImage (a truncated file too), or ImageTooLarge beyond `max_pixels`.
    """
    with _checked(content, max_pixels) as image:
        turn = _TURNS.get(_orientation(image, content))
        image.load()
        _check_size(image, max_pixels)
        return _rgb(image if turn is None else image.transpose(turn))


@contextmanager
def _checked(content: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture whose header keeps to the limit; nothing of it is decoded yet."""
    if not content:
        raise InvalidImage("The file is empty.")
    with _translated(), _open(content) as image:
        _check_size(image, max_pixels)
        yield image


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"The image has {width} x {height} pixels; at most {max_pixels:,} are allowed."
        )


def _orientation(image: Image.Image, content: bytes) -> int:
    """Return the EXIF orientation, 1 where there is none.

    Pillow decodes a whole PNG to look for it behind the pixels; there it is looked for by hand.
    """
    exif = Image.Image.getexif(image)
    if image.format == "PNG" and _ORIENTATION not in exif:
        exif.load(_png_exif(content))
    found = exif.get(_ORIENTATION, 1)
    return found if isinstance(found, int) else 1


def _png_exif(content: bytes) -> bytes:
    """Return what a PNG's chunk `eXIf` holds, wherever it stands; nothing where there is none."""
    place = len(_PNG)
    while place + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, place)
        if name == b"eXIf":
            return content[place + 8 : place + 8 + length]
        place += 12 + length
    return b""


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


class Room:
    """Memory that pictures are decoded in: a picture waits until there is room for it.

    One that needs more than there is waits until it is alone.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def held(self, size_bytes: int) -> Iterator[None]:
        """Hold so many bytes."""
        size = min(size_bytes, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._held + size <= self._most)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()


def shrunk(image: Image.Image, most_pixels: int) -> Image.Image:
    """Return the picture with at most so many pixels, itself where it has no more."""
    gain = math.sqrt(most_pixels / (image.width * image.height))
    if gain >= 1:
        return image
    size = (max(1, int(image.width * gain)), max(1, int(image.height * gain)))
    return image.resize(size, reducing_gap=2.0)


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
