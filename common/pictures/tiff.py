"""The directories of TIFF files, and of what cameras make of them, read without decoding.

TIFF 6.0 (Adobe, 1992) and BigTIFF. Bytes are hostile: whatever does not fit ends the reading.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

SUBFILE, OLD_SUBFILE, COMPRESSION, PHOTOMETRIC = 254, 255, 259, 262
WIDTH, HEIGHT, MAKE, ORIENTATION = 256, 257, 271, 274
SUB_DIRECTORIES, EXIF, GPS = 330, 34665, 34853
JPEG_OFFSET, JPEG_BYTES, DNG_VERSION = 513, 514, 50706
DATA = {273: 279, 324: 325}
"""The tags that say where pixels lie (strips, tiles), each with the one that says how long."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_BIG_SIZES = {13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}
_MOST_ENTRIES = 4096
_MOST_ENTRIES_OF_A_FILE = 1 << 18
_MOST_NUMBERS = 1 << 18
_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2


@dataclass(frozen=True)
class Form:
    """How a file writes its numbers: `order` is struct's sign for it."""

    order: str
    big: bool

    @property
    def word(self) -> str:
        """Struct's letter for an offset."""
        return "Q" if self.big else "L"

    @property
    def word_bytes(self) -> int:
        """How long an offset is."""
        return 8 if self.big else 4


@dataclass(frozen=True)
class Entry:
    """One tag: its type, how many values, and their bytes."""

    kind: int
    count: int
    raw: bytes | memoryview


@dataclass(frozen=True)
class Directory:
    """What a file says of one picture in it."""

    form: Form
    entries: Mapping[int, Entry]

    def numbers(self, tag: int) -> Sequence[int]:
        """Return a tag's whole numbers, none where it has no such."""
        entry = self.entries.get(tag)
        letter = _NUMBERS.get(entry.kind) if entry else None
        if entry is None or letter is None or entry.count > _MOST_NUMBERS:
            return ()
        return struct.unpack(f"{self.form.order}{entry.count}{letter}", entry.raw)

    def number(self, tag: int, otherwise: int = 0) -> int:
        """Return a tag's first number."""
        return next(iter(self.numbers(tag)), otherwise)

    @property
    def is_page(self) -> bool:
        """Tell whether it is a picture in its own right: no reduced preview, and no mask."""
        return (
            not self.number(SUBFILE) & (_REDUCED | _MASK)
            and self.number(OLD_SUBFILE) != _OLD_REDUCED
            and bool(self.number(WIDTH))
        )


def form_of(content: bytes) -> Form | None:
    """Return how a TIFF file writes its numbers; None for what is none.

    Some cameras write another number in place of 42.
    """
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None or len(content) < 16:
        return None
    (magic,) = struct.unpack_from(order + "H", content, 2)
    return Form(order, big=magic == 43) if magic in (42, 43, 0x55) else None


def directories(content: bytes, most: int) -> Iterator[Directory]:
    """Yield the directories of a file in its order, at most so many."""
    form = form_of(content)
    if form is None:
        return
    (place,) = struct.unpack_from(form.order + form.word, content, 8 if form.big else 4)
    seen: set[int] = set()
    entries = 0
    while place and place not in seen and len(seen) < most:
        seen.add(place)
        found = _directory(content, form, place)
        if found is None:
            return
        directory, place = found
        entries += len(directory.entries)
        if entries > _MOST_ENTRIES_OF_A_FILE:
            return
        yield directory


def below(content: bytes, parent: Directory, tag: int = SUB_DIRECTORIES) -> Iterator[Directory]:
    """Yield the directories that one names."""
    for place in parent.numbers(tag)[:16]:
        found = _directory(content, parent.form, place)
        if found is not None:
            yield found[0]


def _directory(content: bytes, form: Form, place: int) -> tuple[Directory, int] | None:
    """Return the directory at a place and where the next one is."""
    head = "Q" if form.big else "H"
    size = 20 if form.big else 12
    try:
        (count,) = struct.unpack_from(form.order + head, content, place)
        if count > _MOST_ENTRIES:
            return None
        start = place + (8 if form.big else 2)
        entries = {}
        view = memoryview(content)  # entries may name the same bytes again and again
        for n in range(count):
            tag, entry = _entry(view, form, start + n * size)
            if entry is not None:
                entries[tag] = entry
        (following,) = struct.unpack_from(form.order + form.word, content, start + count * size)
    except (struct.error, OverflowError, IndexError):  # it lies outside the file
        return None
    return Directory(form, entries), following


def _entry(content: memoryview, form: Form, place: int) -> tuple[int, Entry | None]:
    """Return a tag and what it holds; None where that does not lie in the file."""
    layout = form.order + ("HHQ" if form.big else "HHL")
    tag, kind, count = struct.unpack_from(layout, content, place)
    value = place + struct.calcsize(layout)
    size = (_SIZES | _BIG_SIZES if form.big else _SIZES | {13: 4}).get(kind, 0) * count
    if size > form.word_bytes:
        (value,) = struct.unpack_from(form.order + form.word, content, value)
    raw = content[value : value + size]
    return tag, Entry(kind, count, raw) if size and len(raw) == size else None
