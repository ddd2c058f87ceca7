"""Zip and tar archives, member by member: bounded in bytes, members and memory.

An archive is hostile until it is read to its end. Every byte that is unpacked counts, of members
that are passed over too, and the libraries that read archives may raise anything.
"""

from __future__ import annotations

import bz2
import copy
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, cast

from common import paths
from common.errors import ImageTooLarge, InvalidImage, NeedleError, TooLarge
from common.settings import Settings
from common.sizes import sized
from web import zip_names

HEADER_BYTES = 1 << 20
"""Most bytes of a header of a tar archive: a long name, or what PAX adds."""
ENTRY_BYTES = 512
"""A zip's table of contents may take so many bytes for each file that a request may hold."""
LZMA_BYTES = 5
"""How long the properties of LZMA are."""
XZ_BYTES = 256 * 2**20
_ZIP, _GZIP, _BZIP2, _XZ = b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ"
_DOCUMENTS = (b"[Content_Types].xml", b"mimetype")
"""The first name in a zip that is an Office or another document: nobody sent it to be unpacked."""
_FIRST_NAME = 30
DAMAGED = "The archive is damaged, or is none: pack its images again, or post them one by one."
LOCKED = (
    "The archive is locked with a password, or packed in a way that cannot be read: pack its "
    "images again, or post them one by one."
)
Member = tuple[str, bytes | NeedleError]


@dataclass(frozen=True)
class Limits:
    """What a request's archives may unpack to.

    `count` is told of every byte that is unpacked, and raises TooLarge when they are too many.
    """

    file_bytes: int
    members: int
    count: Callable[[int], None]

    @classmethod
    def of(cls, settings: Settings, count: Callable[[int], None]) -> Limits:
        """Return the limits of the settings."""
        return cls(settings.max_file_bytes, 2 * settings.max_items_per_job + 100, count)

    def too_large(self) -> ImageTooLarge:
        """Return what a file of too many bytes is refused with."""
        return ImageTooLarge(f"The file holds more than {sized(self.file_bytes)}.")

    def too_many(self) -> TooLarge:
        """Return what an archive of too many members is refused with."""
        return TooLarge(f"An archive may hold at most {self.members:,} files.")


def members(stream: IO[bytes], limits: Limits) -> Iterator[Member] | None:
    """Return the names and bytes of an archive's files; None for what is no archive, or a document.

    A file that is too large, and the archive itself where it is damaged (then without a name),
    comes as its error. Raises TooLarge.
    """
    start = stream.read(265)
    stream.seek(0)
    if start.startswith(_ZIP):
        if start.startswith(_DOCUMENTS, _FIRST_NAME):
            return None
        return _survived(_zip(stream, limits))
    if start.startswith((_GZIP, _BZIP2, _XZ)) or start[257:262] == b"ustar":
        return _survived(_tar(_unpacked(stream, start), limits))
    return None


def _survived(found: Iterator[Member]) -> Iterator[Member]:
    """Yield what is found; whatever is raised on the way is the archive's damage."""
    try:
        yield from found
    except NeedleError:
        raise
    except (RuntimeError, NotImplementedError):  # zipfile: encrypted, unknown method
        yield "", InvalidImage(LOCKED)
    except _HeaderTooLongError:
        yield "", InvalidImage("The archive is damaged: a header in it is too long.")
    except Exception:  # what a library says of it is for programmers
        yield "", InvalidImage(DAMAGED)


def _zip(stream: IO[bytes], limits: Limits) -> Iterator[Member]:
    stream = _seekable(stream)
    if _table_bytes(stream) > limits.members * ENTRY_BYTES:
        raise limits.too_many()
    with zipfile.ZipFile(stream) as archive:
        if len(archive.infolist()) > limits.members:
            raise limits.too_many()
        names = zip_names.of(archive)
        for member, name in zip(archive.infolist(), names, strict=True):
            if member.is_dir() or not _wanted(name):
                continue
            if member.file_size > limits.file_bytes:
                yield name, limits.too_large()
                continue
            content = _content(archive, member, limits.file_bytes)
            limits.count(len(content))
            yield name, content
            del content


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most_bytes: int) -> bytes:
    """Return a member's bytes, one more than `most_bytes` at most.

    Of bzip2 and LZMA, zipfile unpacks all that it has read at once, whatever the member's size is
    said to be: a thousand bytes may be a gigabyte. So their packed bytes are unpacked here.
    """
    if member.compress_type not in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with archive.open(member) as file:
            return file.read(most_bytes + 1)
    packed = copy.copy(member)
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, member.compress_size
    packed.CRC = None  # type: ignore[assignment]
    with archive.open(packed) as file:
        is_bzip2 = member.compress_type == zipfile.ZIP_BZIP2
        unpacked = bz2.BZ2File(file) if is_bzip2 else _lzma(file, member)
        content = unpacked.read(min(member.file_size, most_bytes + 1))
    if zlib.crc32(content) != member.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {member.filename!r}")
    return content


def _lzma(stream: IO[bytes], member: zipfile.ZipInfo) -> io.BufferedReader:
    """Return what a member holds: LZMA as in a file of its own, but for the head."""
    if struct.unpack("<2xH", stream.read(4)) != (LZMA_BYTES,):
        raise zipfile.BadZipFile("of LZMA, the head has another length")
    ends_with_a_mark = member.flag_bits & 2
    size = 2**64 - 1 if ends_with_a_mark else member.file_size
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=XZ_BYTES)
    unpacker.decompress(stream.read(LZMA_BYTES) + struct.pack("<Q", size))
    return io.BufferedReader(_Xz(stream, unpacker), 1 << 16)


def _table_bytes(stream: IO[bytes]) -> int:
    """Return how long a zip's table of contents is said to be; zipfile holds all of it at once."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 66_000))
    tail = stream.read()
    stream.seek(0)
    said = []
    if (end := tail.rfind(b"PK\x05\x06")) >= 0 and len(tail) >= end + 16:
        said.append(struct.unpack_from("<L", tail, end + 12)[0])
    if (end64 := tail.rfind(b"PK\x06\x06")) >= 0 and len(tail) >= end64 + 48:
        said.append(struct.unpack_from("<Q", tail, end64 + 40)[0])
    return min(size, max((n for n in said if n != 0xFFFFFFFF), default=0))


def _seekable(stream: IO[bytes]) -> IO[bytes]:
    """Return the stream as zipfile wants it.

    Until Python 3.11 a spooled upload does not say that it can seek; the file inside it does.
    """
    if hasattr(stream, "seekable"):
        return stream
    return cast(IO[bytes], cast(Any, stream)._file)


def _tar(stream: IO[bytes], limits: Limits) -> Iterator[Member]:
    """Yield a tar archive's files as its bytes come: those passed over are counted as well."""
    counted = cast(IO[bytes], _Counted(stream, limits.count))
    seen = 0
    with tarfile.open(fileobj=counted, mode="r|", tarinfo=_TarInfo) as archive:
        for member in archive:
            seen += 1
            if seen > limits.members:
                raise limits.too_many()
            if not member.isfile() or not _wanted(member.name):
                continue
            if member.size > limits.file_bytes:
                yield member.name, limits.too_large()
                continue
            if member.issparse():  # its holes are in no byte of the archive
                limits.count(member.size)
            file = archive.extractfile(member)
            if file is not None:
                yield member.name, file.read()


class _HeaderTooLongError(tarfile.ReadError):
    """A header is longer than any that a program writes."""


class _TarInfo(tarfile.TarInfo):
    """A member whose headers have a sensible size: tarfile reads them whole."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        headers = (
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
        )
        if self.type in headers and self.size > HEADER_BYTES:
            raise _HeaderTooLongError
        return cast(tarfile.TarInfo, super()._proc_member(archive))  # type: ignore[misc]


class _Counted:
    """A stream whose bytes are counted as they are read."""

    def __init__(self, stream: IO[bytes], count: Callable[[int], None]) -> None:
        self._stream, self._count = stream, count

    def read(self, size: int) -> bytes:
        """Read at most so many bytes."""
        content = self._stream.read(size)
        self._count(len(content))
        return content


def _unpacked(stream: IO[bytes], start: bytes) -> IO[bytes]:
    """Return the tar archive inside a packed one.

    tarfile would unpack it too, but cuts what one read unpacked into pieces of 512 bytes, each time
    copying the rest: of what packs well, that is quadratic.
    """
    if start.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    if start.startswith(_BZIP2):
        return cast(IO[bytes], bz2.BZ2File(stream))
    if start.startswith(_XZ):
        return cast(IO[bytes], io.BufferedReader(_Xz(stream), 1 << 16))
    return stream


class _Xz(io.RawIOBase):
    """What an xz stream holds; one that needs more memory than XZ_BYTES is refused."""

    def __init__(self, stream: IO[bytes], unpacker: lzma.LZMADecompressor | None = None) -> None:
        self._stream = stream
        self._unpacker = unpacker or lzma.LZMADecompressor(memlimit=XZ_BYTES)

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Unpack at most as much as the buffer holds."""
        while not self._unpacker.eof:
            packed = self._stream.read(1 << 14) if self._unpacker.needs_input else b""
            content = self._unpacker.decompress(packed, len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)
            if not packed and self._unpacker.needs_input:
                raise EOFError("the archive ends too early")
        return 0


def _wanted(path: str) -> bool:
    """Skip what file managers add: hidden files and resource forks."""
    name = paths.cleaned(path)
    return not paths.is_litter(name) and not paths.is_hidden(name)
