"""Images in zip and tar archives, one at a time: an archive may be larger than the memory."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from needle.uploads import Upload, is_image

ENDINGS = (
    ".zip",
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".tar.xz",
    ".txz",
)
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


class DamagedArchive(OSError):
    """An archive ends too early, is none, or is locked with a password."""


def is_archive(path: Path) -> bool:
    """Tell by its name whether a file is an archive."""
    return path.name.lower().endswith(ENDINGS)


def count(path: Path) -> int:
    """Return how many images a zip archive holds; 0 for a tar, which has no list of them."""
    if not path.name.lower().endswith(".zip"):
        return 0
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(_wanted(name) for name in archive.namelist())
    except _DAMAGE:
        return 0


def members(path: Path) -> Iterator[Upload]:
    """Yield the images of an archive in its order, with their bytes.

    Raises DamagedArchive where the archive cannot be read on, OSError where its file cannot.
    """
    try:
        yield from _zipped(path) if path.name.lower().endswith(".zip") else _tarred(path)
    except _DAMAGE as exc:
        raise DamagedArchive(f"The archive {path.name} is damaged: {exc}.") from exc
    except (RuntimeError, NotImplementedError) as exc:  # zipfile: encrypted, unknown method
        raise DamagedArchive(f"The archive {path.name} cannot be unpacked: {exc}.") from exc


def _zipped(path: Path) -> Iterator[Upload]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir() and _wanted(member.filename):
                yield _upload(member.filename, archive.read(member))


def _tarred(path: Path) -> Iterator[Upload]:
    with tarfile.open(path, mode="r|*") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None and _wanted(member.name):
                yield _upload(member.name, content.read())


def _upload(name: str, content: bytes) -> Upload:
    return Upload(PurePosixPath(name).name, len(content), content)


def _wanted(name: str) -> bool:
    """Leave out what is no image, and what file managers add: hidden files, resource forks."""
    folders = PurePosixPath(name).parts[:-1]
    hidden = any(part == "__MACOSX" or part.startswith(".") for part in folders if part != ".")
    return is_image(name) and not hidden
