"""TIFF files of several pages: each further page as a file of its own, its pixels untouched."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from common.errors import InvalidImage, NeedleError
from common.pictures import raw, tiff
from common.pictures.tiff import Directory, Entry, Form

MOST_PAGES = 10_000
_LEFT_OUT = frozenset({tiff.SUB_DIRECTORIES, tiff.EXIF, tiff.GPS})  # they point into the old file
_OLD_JPEG = 6
_HEADROOM = 2
"""The pages together may be so many times as large as their file: hostile ones share pixels."""


@dataclass(frozen=True)
class Page:
    """A page by its number from 1, as a TIFF file or as what is wrong with it."""

    number: int
    content: bytes | NeedleError


def further_pages(content: bytes) -> Iterator[Page]:
    """Yield the pages of a TIFF file after the first; previews of less resolution are passed over.

    The first is what the file itself shows.
    """
    if tiff.form_of(content) is None or raw.is_raw(content):
        return
    left = _HEADROOM * len(content)
    number = 0
    for directory in tiff.directories(content, MOST_PAGES):
        if not directory.is_page:
            continue
        number += 1
        if number == 1:
            continue
        try:
            page = _alone(content, directory, left)
        except NeedleError as error:
            yield Page(number, error)
            continue
        left -= len(page)
        yield Page(number, page)


def count_pages(content: bytes) -> int:
    """Return how many pages a file has; 1 for what is no TIFF file."""
    if tiff.form_of(content) is None or raw.is_raw(content):
        return 1
    return max(1, sum(each.is_page for each in tiff.directories(content, MOST_PAGES)))


def first_page(content: bytes) -> int:
    """Return the place of the first page among the directories of a file."""
    every = enumerate(tiff.directories(content, MOST_PAGES))
    return next((place for place, directory in every if directory.is_page), 0)


def _alone(content: bytes, directory: Directory, most_bytes: int) -> bytes:
    """Return a file of one page. Raises InvalidImage."""
    if directory.number(tiff.COMPRESSION) == _OLD_JPEG:
        raise InvalidImage("The page is packed as JPEG in the old way: save the pages as images.")
    form = directory.form
    entries = {tag: entry for tag, entry in directory.entries.items() if tag not in _LEFT_OUT}
    data = bytearray()
    base = _header_bytes(form) + _directory_bytes(form, len(entries))
    for offsets, lengths in tiff.DATA.items():
        if offsets not in entries:
            continue
        starts, sizes = directory.numbers(offsets), directory.numbers(lengths)
        if len(starts) != len(sizes) or sum(sizes) > most_bytes:
            raise InvalidImage("The page is damaged: it says nothing sensible of its pixels.")
        places = []
        for start, size in zip(starts, sizes, strict=True):
            places.append(base + len(data))
            data += content[start : start + size]
            data += bytes(len(data) % 2)
        letter, kind = ("Q", 16) if form.big else ("L", 4)
        packed = struct.pack(f"{form.order}{len(places)}{letter}", *places)
        entries[offsets] = Entry(kind, len(places), packed)
    return _file(form, entries, data, base)


def _header_bytes(form: Form) -> int:
    return 16 if form.big else 8


def _directory_bytes(form: Form, count: int) -> int:
    return 8 + count * 20 + 8 if form.big else 2 + count * 12 + 4


def _file(form: Form, entries: dict[int, Entry], data: bytearray, base: int) -> bytes:
    """Put a file together: header, directory, pixels, and values that are too long for it."""
    start = _header_bytes(form)
    sign = b"II" if form.order == "<" else b"MM"
    magic = struct.pack(form.order + ("HHHQ" if form.big else "HL"), *_magic(form, start))
    table = bytearray(struct.pack(form.order + ("Q" if form.big else "H"), len(entries)))
    for tag, entry in sorted(entries.items()):
        layout = form.order + ("HHQ" if form.big else "HHL")
        table += struct.pack(layout, tag, entry.kind, entry.count)
        if len(entry.raw) <= form.word_bytes:
            table += bytes(entry.raw).ljust(form.word_bytes, b"\0")
        else:
            table += struct.pack(form.order + form.word, base + len(data))
            data += entry.raw
            data += bytes(len(data) % 2)
    table += bytes(form.word_bytes)  # there is no further directory
    return b"".join((sign, magic, table, data))


def _magic(form: Form, start: int) -> tuple[int, ...]:
    return (43, 8, 0, start) if form.big else (42, start)
