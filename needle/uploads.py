"""What is sent: images from disk or memory, in requests of bounded size."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

T = TypeVar("T")

REQUEST_BYTES = 64 * 2**20
REQUEST_FILES = 100
"""Bounds the open files of one request, and the work that one lost request repeats."""

IMAGE_SUFFIXES = frozenset(
    {
        *(
            ".jpg",
            ".jpeg",
            ".jpe",
            ".jfif",
            ".mpo",
            ".png",
            ".apng",
            ".webp",
            ".gif",
            ".bmp",
            ".dib",
        ),
        *(".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx"),
        *(".dng", ".nef", ".arw", ".cr2", ".pef", ".srw", ".rw2", ".raf"),
    }
)
"""Of the formats that the service reads."""
LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
"""What file managers leave in folders, hidden files aside."""

Source = str | os.PathLike[str] | bytes | tuple[str, bytes]
"""A file's path, an image's bytes, or (name, bytes)."""

Part = tuple[str, bytes | BinaryIO]
"""(name, bytes or an open file), as httpx takes it."""


@dataclass(frozen=True)
class Upload:
    """One file to send: its path as it was given, its size in bytes, and where they are.

    `image_id` is the id that it will have, where that is known before it is sent; `archive` is the
    path or URL of the archive that it is in, of whose files of that name it is number `copy`.
    """

    name: str
    size: int
    content: bytes | Path
    image_id: str | None = None
    archive: str | None = None
    copy: int = 1

    @property
    def whereabouts(self) -> str:
        """Where it is, which tells it from files of the same name elsewhere."""
        if self.archive is not None:
            number = f" ({self.copy})" if self.copy > 1 else ""
            return f"{self.archive}/{self.name}{number}"
        return path_text(self.content) if isinstance(self.content, Path) else self.name

    def part(self) -> Part:
        """Return the part; whoever asked closes its file."""
        if isinstance(self.content, bytes):
            return self.name, self.content
        return self.name, self.content.open("rb")


def upload(source: Source, number: int = 0) -> Upload:
    """Describe a source; bytes without a name are called `image-NUMBER`. Raises OSError."""
    if isinstance(source, bytes):
        return Upload(f"image-{number}", len(source), source)
    if isinstance(source, tuple):
        return Upload(source[0], len(source[1]), source[1])
    return from_disk(Path(source), Path(source).name)


def from_disk(path: Path, name: str) -> Upload:
    """Describe a file that is called `name` to the service. Raises OSError."""
    with path.open("rb") as file:  # a folder or an unreadable file is found out here
        return Upload(sendable(name), os.fstat(file.fileno()).st_size, path)


def path_text(path: Path) -> str:
    """Return a path as it was given, as text."""
    return sendable(str(path))


def sendable(name: str) -> str:
    """Return a name as text: what is no UTF-8 in it, which some file systems allow, is a mark."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def given_name(path: Path, root: Path | None = None) -> str:
    """Return what a file is called: its path from the folder on that was named, that included.

    A file that was named by itself is called as it was given, from its folder on if absolute.
    """
    if root is not None:
        name = path.relative_to(root.parent).as_posix()
    else:
        name = "/".join(path.parts[-2:]) if path.is_absolute() else path.as_posix()
    return sendable(name)


def uploads(sources: Iterable[Source]) -> list[Upload]:
    """Describe sources. Raises OSError."""
    return [upload(source, number) for number, source in enumerate(sources)]


def every_part(fields: Sequence[tuple[str, Sequence[Upload]]]) -> list[tuple[str, Part]]:
    """Open the files of several fields as parts of one request. Raises OSError."""
    made: list[tuple[str, Part]] = []
    try:
        for field, files in fields:
            made += parts(field, files)
    except OSError:
        _close(made)
        raise
    return made


def parts(field: str, files: Sequence[Upload]) -> list[tuple[str, Part]]:
    """Open the files as parts of a multipart request, all under one field name. Raises OSError."""
    made: list[tuple[str, Part]] = []
    try:
        for file in files:
            made.append((field, file.part()))
    except OSError:
        _close(made)
        raise
    return made


def _close(made: Sequence[tuple[str, Part]]) -> None:
    for _, (_, content) in made:
        if not isinstance(content, bytes):
            content.close()


def each(sources: Source | Iterable[Source]) -> Iterator[Upload]:
    """Yield one file after another: a single source is taken as well, of a folder every image.

    Raises OSError, FileNotFoundError for a path that is not there.
    """
    single = isinstance(sources, (str, bytes, os.PathLike)) or _is_named(sources)
    several = cast("Iterable[Source]", [sources] if single else sources)
    number = 0
    for source in several:
        if isinstance(source, (str, os.PathLike)):
            path = Path(source)
            root = path if path.is_dir() else None
            for found in find_images([path]):
                yield from_disk(found, given_name(found, root))
                number += 1
        else:
            yield upload(source, number)
            number += 1


def _is_named(source: object) -> bool:
    """Tell whether it is (name, bytes), and not a tuple of two sources."""
    return isinstance(source, tuple) and [type(part) for part in source] == [str, bytes]


def requests(
    sources: Source | Iterable[Source],
    *,
    max_bytes: int = REQUEST_BYTES,
    max_files: int = REQUEST_FILES,
) -> Iterator[list[Upload]]:
    """Yield the files of each request, in order; a file above `max_bytes` goes alone."""
    yield from batches(each(sources), max_bytes=max_bytes, max_files=max_files)


def batches(files: Iterable[Upload], *, max_bytes: int, max_files: int) -> Iterator[list[Upload]]:
    """Yield the files of each request, in order; a file above `max_bytes` goes alone."""
    return together(files, lambda file: file.size, max_bytes, max_files)


def together(
    items: Iterable[T], size: Callable[[T], int], max_bytes: int, most: int
) -> Iterator[list[T]]:
    """Yield items in lists of at most `most` and `max_bytes`; a larger one goes alone."""
    some: list[T] = []
    held = 0
    for item in items:
        if some and (held + size(item) > max_bytes or len(some) >= most):
            yield some
            some, held = [], 0
        some.append(item)
        held += size(item)
    if some:
        yield some


def find_images(
    paths: Sequence[Path],
    *,
    recursive: bool = True,
    left_out: Counter[str] | None = None,
    also: Callable[[Path], bool] = lambda _: False,
) -> list[Path]:
    """Return the files named, and every image in the folders named, however deep, sorted.

    `also` tells which files of folders are wanted besides. Hidden files and folders are passed
    over, folders in folders where it is not `recursive`. Other files of folders are counted into
    `left_out`, by their ending. Raises FileNotFoundError for a path that is not there.
    """
    others: Counter[str] = Counter() if left_out is None else left_out
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(_wanted_below(path, recursive, others, also))
        elif path.exists():
            found.append(path)
        else:
            raise FileNotFoundError(f"There is no file or folder {path}.")
    return found


def is_image(name: str) -> bool:
    """Tell by its name whether a file found in a folder or an archive is an image to index."""
    path = Path(name)
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def ending(name: str) -> str:
    """Return what a file that is left out is counted under: `.pdf`, or that it has no ending."""
    return Path(name).suffix.lower() or "without an ending"


def is_passed_over(name: str) -> bool:
    """Tell whether nobody would miss a file: it is hidden, or a file manager's own."""
    return name.startswith(".") or name.lower() in LITTER


def _wanted_below(
    folder: Path, recursive: bool, left_out: Counter[str], also: Callable[[Path], bool]
) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        wanted = [name for name in folders if not name.startswith(".")]
        folders[:] = wanted if recursive else []
        for name in names:
            path = Path(parent, name)
            if is_image(name) or (also(path) and not is_passed_over(name)):
                yield path
            elif not is_passed_over(name):
                left_out[ending(name)] += 1
