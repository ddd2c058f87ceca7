"""Images in zip and tar archives, one at a time: an archive may be larger than the memory."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import RawIOBase
from pathlib import Path, PurePosixPath
from typing import IO, cast

from needle import zip_names
from needle.uploads import Upload, is_image, is_passed_over

ZIP = ".zip"
ENDINGS = (
    ZIP,
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".tar.xz",
    ".txz",
)
_MADE_TO_HARM = (ValueError, OverflowError, RecursionError, MemoryError)
"""What tarfile raises, besides its own errors, for headers that nobody's tar writes."""
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    *_MADE_TO_HARM,
)

OnLeftOut = Callable[[str], None]
"""Told the name of a file that is no image."""


class DamagedArchive(OSError):
    """An archive ends too early, is none, or is locked with a password."""


def is_archive(path: Path) -> bool:
    """Tell by its name whether a file is an archive."""
    return path.name.lower().endswith(ENDINGS)


def count(path: Path) -> int:
    """Return how many images a zip archive holds; 0 for a tar, which has no list of them."""
    if not path.name.lower().endswith(ZIP):
        return 0
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(_wanted(name, _ignore) for name in zip_names.of(archive))
    except _DAMAGE:
        return 0


def names(path: Path, on_left_out: OnLeftOut | None = None) -> Iterator[str]:
    """Yield the names of the images of an archive: see `listed`."""
    yield from (name for name, _ in listed(path, on_left_out))


def listed(path: Path, on_left_out: OnLeftOut | None = None) -> Iterator[tuple[str, int]]:
    """Yield names and bytes of the images of an archive, for which it is not unpacked.

    Raises DamagedArchive where the archive cannot be read on, OSError where its file cannot.
    """
    tell = on_left_out or _ignore
    try:
        if path.name.lower().endswith(ZIP):
            with zipfile.ZipFile(path) as archive:
                sizes = [member.file_size for member in archive.infolist()]
                every = list(zip(zip_names.of(archive), sizes, strict=True))
            yield from (each for each in every if _wanted(each[0], tell))
            return
        with tarfile.open(path) as tar:
            inside = (member for member in _sound(tar) if member.isfile())
            yield from ((m.name, m.size) for m in inside if _wanted(m.name, tell))
    except _DAMAGE as exc:
        raise _damaged(path.name) from exc


def members(path: Path, on_left_out: OnLeftOut | None = None) -> Iterator[Upload]:
    """Yield the images of an archive in its order, with their bytes; what is none is told.

    Raises DamagedArchive where the archive cannot be read on, OSError where its file cannot.
    """
    if not path.name.lower().endswith(ZIP):
        with path.open("rb") as file:
            yield from tar_members(file, path.name, on_left_out)
        return
    try:
        yield from _zipped(path, on_left_out or _ignore)
    except _DAMAGE as exc:
        raise _damaged(path.name) from exc
    except (RuntimeError, NotImplementedError) as exc:  # zipfile: encrypted, unknown method
        raise DamagedArchive(
            f"The archive {path.name} cannot be unpacked: it is locked with a password, or packed "
            "in a way that is not read."
        ) from exc


def tar_members(
    file: IO[bytes] | RawIOBase, name: str, on_left_out: OnLeftOut | None = None
) -> Iterator[Upload]:
    """Yield the images of a tar archive, compressed or not, whose bytes come one after another.

    `name` is what errors call it. See `members`.
    """
    tell = on_left_out or _ignore
    try:
        with tarfile.open(fileobj=cast(IO[bytes], file), mode="r|*") as archive:
            for member in _sound(archive):
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None and _wanted(member.name, tell):
                    yield _upload(member.name, content.read())
    except _DAMAGE as exc:
        raise _damaged(name) from exc


def _sound(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        if member.size < 0:  # it would be read from there backwards, for ever
            raise tarfile.ReadError("a file of less than no bytes")
        yield member


def _zipped(path: Path, tell: OnLeftOut) -> Iterator[Upload]:
    with zipfile.ZipFile(path) as archive:
        for member, name in zip(archive.infolist(), zip_names.of(archive), strict=True):
            if not member.is_dir() and _wanted(name, tell):
                yield _upload(name, archive.read(member))


def _damaged(name: str) -> DamagedArchive:
    return DamagedArchive(f"The archive {name} is damaged, or is none.")


def _upload(name: str, content: bytes) -> Upload:
    return Upload(name, len(content), content)


def _ignore(_: str) -> None:
    pass


def _wanted(name: str, tell: OnLeftOut) -> bool:
    """Pass over what file managers add, hidden files and resource forks; tell of other files."""
    *folders, own = PurePosixPath(name.replace("\\", "/")).parts or ("",)
    hidden = any(
        part == "__MACOSX" or part.startswith(".") for part in folders if part not in (".", "..")
    )
    if hidden or is_passed_over(own):
        return False
    if not is_image(own):
        if not name.endswith("/"):
            tell(own)
        return False
    return True
