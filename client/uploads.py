"""What is sent: photos from disk or memory, in requests of bounded size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

REQUEST_BYTES = 64 * 2**20
REQUEST_FILES = 100
"""Bounds the open files of one request, and the work that one lost request repeats."""

PICTURES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jfif"}
)

Source = str | os.PathLike[str] | bytes | tuple[str, bytes]
"""A file's path, a picture's bytes, or (name, bytes)."""

Part = tuple[str, bytes | BinaryIO]
"""(name, bytes or an open file), as httpx takes it."""


@dataclass(frozen=True)
class Upload:
    """One file to send: its name, its size, and where its bytes are."""

    name: str
    size: int
    content: bytes | Path

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


def parts(field: str, files: Sequence[Upload]) -> list[tuple[str, Part]]:
    """Open the files as parts of a multipart request, all under one field name."""
    return [(field, file.part()) for file in files]


def requests(
    sources: Iterable[Source],
    *,
    max_bytes: int = REQUEST_BYTES,
    max_files: int = REQUEST_FILES,
) -> Iterator[list[Upload]]:
    """Yield the files of each request, in order; a file above `max_bytes` goes alone."""
    batch: list[Upload] = []
    held = 0
    for number, source in enumerate(sources):
        file = upload(source, number)
        if batch and (held + file.size > max_bytes or len(batch) >= max_files):
            yield batch
            batch, held = [], 0
        batch.append(file)
        held += file.size
    if batch:
        yield batch


def find_pictures(paths: Sequence[Path]) -> list[Path]:
    """Return the files named, and every picture in the folders named, however deep, sorted.

    Hidden files and folders are left out. Raises FileNotFoundError for a path that is not there.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(_pictures_below(path))
        elif path.exists():
            found.append(path)
        else:
            raise FileNotFoundError(f"There is no file or folder {path}.")
    return found


def _pictures_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if Path(name).suffix.lower() in PICTURES and not name.startswith("."):
                yield Path(parent, name)
