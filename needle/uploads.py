"""What is sent: images from disk or memory, in requests of bounded size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

REQUEST_BYTES = 64 * 2**20
REQUEST_FILES = 100
"""Bounds the open files of one request, and the work that one lost request repeats."""

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jfif"}
)

Source = str | os.PathLike[str] | bytes | tuple[str, bytes]
"""A file's path, an image's bytes, or (name, bytes)."""

Part = tuple[str, bytes | BinaryIO]
"""(name, bytes or an open file), as httpx takes it."""


@dataclass(frozen=True)
class Upload:
    """One file to send: its name, its size in bytes, and where they are.

    `image_id` is the id that it will have, where that is known before it is sent.
    """

    name: str
    size: int
    content: bytes | Path
    image_id: str | None = None

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
    path = Path(source)
    with path.open("rb") as file:  # a folder or an unreadable file is found out here
        return Upload(path.name, os.fstat(file.fileno()).st_size, path)


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


def each(sources: Source | Iterable[Source]) -> Iterator[Source]:
    """Yield one source after another: a single one is taken as well, of a folder every image.

    Raises FileNotFoundError for a path that is not there.
    """
    single = isinstance(sources, (str, bytes, os.PathLike)) or _is_named(sources)
    several = cast("Iterable[Source]", [sources] if single else sources)
    for source in several:
        if isinstance(source, (str, os.PathLike)):
            yield from find_images([Path(source)])
        else:
            yield source


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
    files = (upload(source, number) for number, source in enumerate(each(sources)))
    yield from batches(files, max_bytes=max_bytes, max_files=max_files)


def batches(files: Iterable[Upload], *, max_bytes: int, max_files: int) -> Iterator[list[Upload]]:
    """Yield the files of each request, in order; a file above `max_bytes` goes alone."""
    batch: list[Upload] = []
    held = 0
    for file in files:
        if batch and (held + file.size > max_bytes or len(batch) >= max_files):
            yield batch
            batch, held = [], 0
        batch.append(file)
        held += file.size
    if batch:
        yield batch


def find_images(paths: Sequence[Path], *, recursive: bool = True) -> list[Path]:
    """Return the files named, and every image in the folders named, however deep, sorted.

    Hidden files and folders are left out, folders in folders where it is not `recursive`. Raises
    FileNotFoundError for a path that is not there.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(_images_below(path, recursive))
        elif path.exists():
            found.append(path)
        else:
            raise FileNotFoundError(f"There is no file or folder {path}.")
    return found


def is_image(name: str) -> bool:
    """Tell by its name whether a file found in a folder or an archive is an image to index."""
    path = Path(name)
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _images_below(folder: Path, recursive: bool) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        wanted = [name for name in folders if not name.startswith(".")]
        folders[:] = wanted if recursive else []
        for name in names:
            if is_image(name):
                yield Path(parent, name)
