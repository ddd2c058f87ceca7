"""From bytes to a picture: its header alone, or its pixels, upright."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from PIL import Image, ImageChops, UnidentifiedImageError

from common.errors import ImageTooLarge, InvalidImage, NeedleError
from common.pictures import jpeg2000, pages, raw
from common.pictures.formats import FORMATS, READERS, refusal
from common.pictures.grounds import ground_of, laid
from common.pictures.levels import stretched
from common.sizes import pixels

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
_JPEG_END = b"\xff\xd9"
_NO_PIXEL = 128
"""The level of pixels that a JPEG's file ends before."""
_LEAST_READ = 0.02


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


@dataclass(frozen=True)
class Picture:
    """A picture's upright pixels, and what of its file could not be read."""

    pixels: Image.Image
    warning: str | None = None


@contextmanager
def translated() -> Iterator[None]:
    """Turn whatever Pillow raises on hostile bytes into InvalidImage; it may raise anything."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata that harms nobody
            yield
    except NeedleError:
        raise
    except MemoryError as exc:
        raise InvalidImage("The image takes more memory than there is.") from exc
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError) as exc:
        raise InvalidImage(f"The image is damaged: {exc}.") from exc
    except Exception as exc:
        raise InvalidImage("The image is damaged.") from exc


def inspect(content: bytes, *, max_pixels: int) -> Header:
    """Read the header alone, without decoding a pixel.

    Raises InvalidImage, or ImageTooLarge beyond `max_pixels`.
    """
    with _checked(content, max_pixels) as (image, orientation, kind):
        width, height = image.size
        turned = orientation in _TURNED
        return Header(kind, *((height, width) if turned else (width, height)))


def decode(content: bytes, *, max_pixels: int, coarser: int = 1) -> Image.Image:
    """Decode a picture as upright RGB, laid on a ground where it is transparent.

    A JPEG may come smaller by up to `coarser` (2, 4 or 8), which takes a fraction of the time.
    Raises InvalidImage, or ImageTooLarge beyond `max_pixels`.
    """
    return read(content, max_pixels=max_pixels, coarser=coarser).pixels


def read(
    content: bytes, *, max_pixels: int, transparent: bool = False, coarser: int = 1
) -> Picture:
    """Decode a picture as `decode` does, and say what of it is missing.

    With `transparent` one that is partly so comes as RGBA. Raises as `decode` does.
    """
    try:
        return _read(content, max_pixels, transparent, coarser)
    except _CutShort as cut:
        # The JPEG library fills in what is missing once it has seen an end.
        found = _read(content + _JPEG_END, max_pixels, transparent, coarser)
        missing = _missing(found.pixels)
        coarse = "The file is cut short: parts of the picture are coarser than they were."
        return replace(found, warning=missing or (coarse if cut.details["progressive"] else None))


class _CutShort(InvalidImage):
    """A JPEG's file ends before its pixels do."""


def _read(content: bytes, max_pixels: int, transparent: bool, coarser: int) -> Picture:
    with _checked(content, max_pixels) as (image, orientation, _):
        turn = _TURNS.get(orientation)
        if coarser > 1 and image.format in ("JPEG", "MPO"):
            image.draft(None, (max(1, image.width // coarser), max(1, image.height // coarser)))
        try:
            image.load()
        except OSError as exc:
            ended = content.endswith(_JPEG_END)
            if image.format in ("JPEG", "MPO") and "truncated" in str(exc) and not ended:
                progressive = bool(image.info.get("progressive"))
                raise _CutShort("The image is cut short.", progressive=progressive) from exc
            raise
        # What decodes a WebP holds two more pictures of its size, for frames that nobody asks for.
        vars(image).pop("_decoder", None)
        _check_size(image, max_pixels)
        upright = image if turn is None else image.transpose(turn)
        return Picture(_flat(upright, transparent))


def _missing(pixels: Image.Image) -> str | None:
    """Say how much of a JPEG that was cut short is missing; None for its end mark alone.

    Raises InvalidImage where nothing is left.
    """
    even = Image.new("RGB", pixels.size, (_NO_PIXEL,) * 3)
    there = ImageChops.difference(pixels.convert("RGB"), even).getbbox()
    width, height = pixels.size
    left, top, right, bottom = there or (0, 0, 0, 0)
    read = (right - left) * (bottom - top) / (width * height)
    if read < _LEAST_READ:
        raise InvalidImage("The image is damaged: its file ends where its pixels begin.")
    if read == 1:
        return None
    return f"The file is cut short: {max(1, round(100 * (1 - read)))} % of the picture is missing."


@contextmanager
def _checked(content: bytes, max_pixels: int) -> Iterator[tuple[Image.Image, int, str]]:
    """Open a picture whose header keeps to the limit, with its EXIF orientation and its format.

    Nothing of it is decoded yet.
    """
    if not content:
        raise InvalidImage("The file is empty.")
    with translated():
        preview = raw.preview(content)
        held = content if preview is None else preview.content
        with _opened(held) as image:
            _check_size(image, max_pixels)
            if image.format == jpeg2000.FORMAT:
                jpeg2000.check_tiles(held, max_pixels)
            orientation = _orientation(image, held)
            if preview is not None and orientation == 1:
                orientation = preview.orientation
            yield image, orientation, str(image.format) if preview is None else "RAW"


def _opened(content: bytes) -> Image.Image:
    """Open a picture by its header, a TIFF at its first page."""
    try:
        image = Image.open(io.BytesIO(content), formats=READERS)
    except UnidentifiedImageError as exc:
        raise InvalidImage(refusal(content)) from exc
    if image.format == "TIFF" and (place := pages.first_page(content)):
        image.seek(place)
    return image


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"The image has {pixels(width * height)} ({width} x {height}); at most "
            f"{pixels(max_pixels)} are allowed."
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


def _flat(image: Image.Image, transparent: bool) -> Image.Image:
    """Return a picture as RGB; as RGBA where it is partly transparent and may stay so."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return stretched(image)
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    return image.convert("RGBA") if transparent else laid(image, ground_of(image))
