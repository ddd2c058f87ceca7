"""From a multipart request to images: files as they are, archives member by member."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, cast

from werkzeug.datastructures import FileStorage

from common import pictures
from common.errors import ImageTooLarge, InvalidImage, NeedleError, TooLarge
from common.settings import Settings

_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")  # gzip, bzip2, xz: a packed tar
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class ImageFile:
    """A file that looks like an image: its bytes and what its header tells."""

    name: str
    content: bytes
    header: pictures.Header


@dataclass(frozen=True)
class Refused:
    """A file that cannot be taken, and why."""

    name: str
    error: NeedleError


def read_uploads(files: Iterable[FileStorage], settings: Settings) -> Iterator[ImageFile | Refused]:
    """Yield every image of a request, one at a time, so that the memory holds one.

    Raises TooLarge when the request holds more files or unpacks to more bytes than allowed.
    """
    items, total = 0, 0
    for file in files:
        for name, content in _members(file, settings):
            items += 1
            if items > settings.max_items_per_job:
                raise TooLarge(f"A request may hold at most {settings.max_items_per_job:,} images.")
            if isinstance(content, NeedleError):
                yield Refused(name, content)
                continue
            total += len(content)
            if total > settings.max_request_bytes:
                raise TooLarge(f"The files hold more than {settings.max_request_bytes:,} bytes.")
            yield check(name, content, settings)


def check(name: str, content: bytes, settings: Settings) -> ImageFile | Refused:
    """Return the image, or why it is none, by its size and its header."""
    try:
        if len(content) > settings.max_file_bytes:
            raise _too_many_bytes(settings)
        header = pictures.inspect(content, max_pixels=settings.max_image_pixels)
    except NeedleError as error:
        return Refused(name, error)
    return ImageFile(name, content, header)


def _too_many_bytes(settings: Settings) -> ImageTooLarge:
    return ImageTooLarge(f"The file holds more than {settings.max_file_bytes:,} bytes.")


def _members(file: FileStorage, settings: Settings) -> Iterator[tuple[str, bytes | NeedleError]]:
    """Yield the name and bytes of a file, or of every file in it when it is an archive."""
    name = base_name(file.filename or "unnamed")
    start = file.stream.read(265)
    file.stream.seek(0)
    try:
        if start.startswith(b"PK\x03\x04"):
            yield from _zip(file.stream, settings)
        elif start.startswith(_PACKED) or start[257:262] == b"ustar":
            yield from _tar(file.stream, settings)
        else:
            yield name, file.stream.read(settings.max_file_bytes + 1)
    except _DAMAGE as exc:
        yield name, InvalidImage(f"The archive is damaged: {exc}.")
    except (RuntimeError, NotImplementedError) as exc:  # zipfile: encrypted, unknown method
        yield name, InvalidImage(f"The archive cannot be unpacked: {exc}.")


def _zip(stream: IO[bytes], settings: Settings) -> Iterator[tuple[str, bytes | NeedleError]]:
    with zipfile.ZipFile(_seekable(stream)) as archive:
        for member in archive.infolist():
            if not member.is_dir() and _wanted(member.filename):
                with archive.open(member) as content:
                    yield base_name(member.filename), content.read(settings.max_file_bytes + 1)


def _seekable(stream: IO[bytes]) -> IO[bytes]:
    """Return the stream as zipfile wants it.

    Until Python 3.11 a spooled upload does not say that it can seek; the file inside it does.
    """
    if hasattr(stream, "seekable"):
        return stream
    return cast(IO[bytes], cast(Any, stream)._file)


def _tar(stream: IO[bytes], settings: Settings) -> Iterator[tuple[str, bytes | NeedleError]]:
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None and _wanted(member.name):
                yield base_name(member.name), content.read(settings.max_file_bytes + 1)


def _wanted(path: str) -> bool:
    """Skip what file managers add: hidden files and resource forks."""
    parts = PurePosixPath(path).parts
    return not any(
        part.startswith(".") or part == "__MACOSX" for part in parts if part not in (".", "..")
    )


def base_name(path: str) -> str:
    """Return the last part of a path of either kind, at most 255 characters."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1][-255:]
    # A tar archive may hold names that are no UTF-8.
    return name.encode("utf-8", "replace").decode() or "unnamed"


def read_file(file: FileStorage, settings: Settings) -> ImageFile:
    """Return the one image of a field of a search request. Raises what is wrong with it."""
    content = file.stream.read(settings.max_file_bytes + 1)
    found = check(base_name(file.filename or "query"), content, settings)
    if isinstance(found, Refused):
        raise found.error
    return found
