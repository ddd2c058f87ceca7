"""Cameras' raw files: the largest preview inside, a JPEG, stands for the photo.

A raw file holds what the sensor saw, and beside it what the camera would have made of that. The
former needs a library for each camera; the latter shows the same things.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from common.errors import InvalidImage
from common.pictures import tiff
from common.pictures.tiff import Directory

_SENSOR = frozenset({32803, 34892})  # photometric: a colour filter's pattern, linear raw
_JPEGS = frozenset({6, 7})  # compressions
_JPEG = b"\xff\xd8\xff"
_FUJI, _FUJI_PREVIEW = b"FUJIFILMCCD-RAW", 84
_PANASONIC, _PANASONIC_PREVIEW = b"IIU\x00", 0x2E
_MOST_DIRECTORIES = 16


@dataclass(frozen=True)
class Preview:
    """A JPEG in a raw file, and the EXIF orientation that the raw file says it has."""

    content: bytes
    orientation: int


def preview(content: bytes) -> Preview | None:
    """Return the largest preview of a raw file; None for what is no raw file.

    Raises InvalidImage for a raw file without a preview.
    """
    if not is_raw(content):
        return None
    every = list(_every(content))
    found = [jpeg for directory in every for jpeg in _jpegs(content, directory)]
    orientation = every[0].number(tiff.ORIENTATION, 1) if every else 1
    if content.startswith(_FUJI):
        found = [_fuji(content)]
    largest = max(found, key=len, default=b"")
    if not largest.startswith(_JPEG):
        raise InvalidImage(
            "This is a camera's raw file without a preview that can be read: export it as JPEG."
        )
    return Preview(largest, orientation)


def is_raw(content: bytes) -> bool:
    """Tell a raw file from other TIFF files: what it holds is the sensor's, or it says so."""
    if content.startswith((_FUJI, _PANASONIC)) or content[8:10] == b"CR":
        return True
    return any(
        tiff.DNG_VERSION in directory.entries or directory.number(tiff.PHOTOMETRIC) in _SENSOR
        for directory in _every(content)
    )


def _every(content: bytes) -> Iterator[Directory]:
    for directory in tiff.directories(content, _MOST_DIRECTORIES):
        yield directory
        yield from tiff.below(content, directory)


def _jpegs(content: bytes, directory: Directory) -> Iterator[bytes]:
    """Yield the JPEGs that a directory names; one of the sensor's pixels is no picture."""
    if directory.number(tiff.PHOTOMETRIC) in _SENSOR:
        return
    if (whole := directory.entries.get(_PANASONIC_PREVIEW)) is not None:
        yield bytes(whole.raw)
    places = [(directory.number(tiff.JPEG_OFFSET), directory.number(tiff.JPEG_BYTES))]
    if directory.number(tiff.COMPRESSION) in _JPEGS:
        for offsets, lengths in tiff.DATA.items():
            starts, sizes = directory.numbers(offsets), directory.numbers(lengths)
            if len(starts) == len(sizes) == 1:
                places.append((starts[0], sizes[0]))
    for place, size in places:
        found = content[place : place + size]
        # What is compressed without loss (SOF3) is the sensor's.
        if place and found.startswith(_JPEG) and b"\xff\xc3" not in found[:1024]:
            yield found


def _fuji(content: bytes) -> bytes:
    try:
        place, size = struct.unpack_from(">LL", content, _FUJI_PREVIEW)
    except struct.error:
        return b""
    return content[place : place + size]
