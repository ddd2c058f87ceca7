"""JPEG 2000: what a tile takes while it is decoded, which its library holds as whole numbers.

The header of its code stream (SIZ, ISO/IEC 15444-1, A.5.1) says how large its tiles are.
"""

from __future__ import annotations

import struct

from common.errors import ImageTooLarge

FORMAT = "JPEG2000"
MOST_BYTES_PER_PIXEL = 17
"""What other formats take at most, of each pixel that an image may have."""
_START = b"\xff\x4f\xff\x51"
_SIZES = struct.Struct(">HHIIIIIIIIH")
_INTEGER_BYTES, _COPY_BYTES, _IMAGE_BYTES = 4, 1, 5
"""Of each number of a pixel: as the library has it, and as it hands it over; and the pixel."""


def check_tiles(content: bytes, max_pixels: int) -> None:
    """Raise ImageTooLarge where decoding would take more than any image of `max_pixels` may.

    One tile is held at a time: a large image that is a single one takes more than others do.
    """
    place = _stream(content)
    if not content.startswith(_START, place) or len(content) < place + len(_START) + _SIZES.size:
        return  # what reads it says what is wrong
    _, _, right, bottom, left, top, tile_width, tile_height, _, _, numbers = _SIZES.unpack_from(
        content, place + len(_START)
    )
    width, height = min(tile_width, right - left), min(tile_height, bottom - top)
    whole = max(0, right - left) * max(0, bottom - top)
    held = width * height * numbers * (_INTEGER_BYTES + _COPY_BYTES) + whole * _IMAGE_BYTES
    most = MOST_BYTES_PER_PIXEL * max_pixels
    if held > most:
        raise ImageTooLarge(
            f"The JPEG 2000 image has a tile of {width} x {height} pixels, which takes "
            f"{held / 1e6:,.0f} MB to decode, of {most / 1e6:,.0f} MB that are allowed: save it in "
            "tiles of 1024 x 1024 pixels, or as JPEG or PNG."
        )


def _stream(content: bytes) -> int:
    """Return where the code stream begins: at once, or in the first box of its kind."""
    place = 0
    while not content.startswith(_START) and place + 16 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        head = 8
        if length == 1:
            head, (length,) = 16, struct.unpack_from(">Q", content, place + 8)
        if kind == b"jp2c":
            return place + head
        if length < head:
            break
        place += length
    return place
