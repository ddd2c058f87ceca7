"""Tar archives in a bucket: what is in them, found without reading the rest of them.

What lies in `s3://BUCKET/KEY.tar` goes by `s3://BUCKET/KEY.tar#FIRST+SIZE/NAME`: its first byte in
the archive, its size, and what it is called. So each is read by itself, by whoever wants it. That
is for archives that are not compressed, as WebDataset makes them.
"""

from __future__ import annotations

import io
import re
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from common.paths import cleaned, is_litter
from common.sizes import sized

ENDING = ".tar"
MOST_KEY_BYTES = 1024
"""Says S3."""
BLOCK = 64 * 1024
"""What is read together: the headers of small files, and no more than one large one's."""
LISTING_S = 5.0
"""How long a listing goes on before it says that there is more."""
_MEMBER = re.compile(r"(.+\.tar)#(\d{1,15})\+(\d{1,15})/(.+)", re.DOTALL | re.IGNORECASE)
_LEAST_NAME_BYTES, _MOST_NAME_BYTES = 16, 255
_MOST_HEADER_BYTES = 1024 * 1024
"""Of a long name, or of what else stands before a file: room is made for it before it is read."""
_MADE_TO_HARM = (ValueError, OverflowError, RecursionError, MemoryError)
"""What tarfile raises, besides its own errors, for headers that nobody's tar writes."""

Read = Callable[[int, int], bytes]
"""(first byte, how many) -> bytes of the archive, fewer at its end."""


class NoTar(Exception):
    """The object is no tar archive, or a damaged one."""


@dataclass(frozen=True)
class Member:
    """A file in an archive: the archive's key, its first byte there, its size, its name."""

    key: str
    first: int
    size: int
    name: str

    @classmethod
    def of(cls, key: str) -> Member | None:
        """Return what a key names, None where that is an object of its own."""
        found = _MEMBER.fullmatch(key)
        return found and cls(found[1], int(found[2]), int(found[3]), found[4])

    def __str__(self) -> str:
        """Return it as `of` reads it."""
        return f"{self.key}#{self.first}+{self.size}/{self.name}"

    @property
    def path(self) -> str:
        """What it is called, with the archive for a folder."""
        return f"{self.key}/{self.name}"


def members(
    key: str, read: Read, size: int, first: int, limit: int
) -> tuple[Sequence[Member], int | None]:
    """Return the files whose headers follow the byte `first`, and from where on there are more.

    At most `limit`, and fewer where it takes long. Raises NoTar.
    """
    file = _Headers(_Ranged(read, size))
    deadline = time.monotonic() + LISTING_S
    found: list[Member] = []
    try:
        file.seek(first)
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                if member.size < 0:  # it would be read from there backwards, for ever
                    raise NoTar(f"a file in it has {sized(member.size)}")
                name = cleaned(member.name)
                if member.isfile() and not member.issparse() and not is_litter(name):
                    found.append(_named(key, member, name))
                if len(found) >= limit or time.monotonic() > deadline:
                    return found, tar.offset
            end = tar.offset
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise NoTar(f"what stands at byte {end:,} is no header")
    except tarfile.TarError as exc:
        raise NoTar(str(exc)) from exc
    except _MADE_TO_HARM as exc:
        raise NoTar("a header in it makes no sense") from exc
    return found, None


def _named(key: str, member: tarfile.TarInfo, name: str) -> Member:
    """Return a file, of its name the end that fits beside the archive's key. Raises NoTar."""
    bare = Member(key, member.offset_data, member.size, "")
    room = min(_MOST_NAME_BYTES, MOST_KEY_BYTES - len(str(bare).encode()))
    if room < _LEAST_NAME_BYTES:
        raise NoTar("its key is so long that what is in it cannot be named")
    return replace(bare, name=name.encode()[-room:].decode("utf-8", "ignore").lstrip("/"))


class _Headers(io.BufferedReader):
    """Gives as many bytes as it is asked for, which a raw file does not where a block ends."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read what a header says that it holds. Raises NoTar where that is too much to be one."""
        if size is not None and size > _MOST_HEADER_BYTES:
            raise NoTar(f"a header in it holds {sized(size)}")
        return super().read(size)


class _Ranged(io.RawIOBase):
    """An object as a file that is read a block at a time."""

    def __init__(self, read: Read, size: int) -> None:
        self._read_range, self._size = read, size
        self._at = self._start = 0
        self._block = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return where it is read on."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte. Nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer with what is there of the block, which is read if need be."""
        if not self._start <= self._at < self._start + len(self._block):
            if self._at >= self._size:
                return 0
            length = min(BLOCK, self._size - self._at)
            self._start, self._block = self._at, self._read_range(self._at, length)
        part = self._block[self._at - self._start :][: len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)
