"""The training photos: files in tar archives or in folders."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

Pixels = npt.NDArray[Any]
"""(height, width, 3) uint8, RGB. `Any`, because OpenCV's functions do not say what they return."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class TrainingPhoto:
    """A photo on disk, decoded when its pixels are asked for.

    `name` is source, folders and file; `source` the archive or folder that it came in. `length`
    bytes from `offset` of the file at `path`, all of it where that is None.
    """

    name: str
    source: str
    path: Path
    offset: int = 0
    length: int | None = None

    @property
    def pixels(self) -> Pixels:
        """The photo as pixels. Raises OSError where it cannot be decoded."""
        with Image.open(self._opened()) as image:
            return np.asarray(image.convert("RGB"))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels. Raises OSError where it is no image."""
        with Image.open(self._opened()) as image:
            return image.size

    def _opened(self) -> io.BytesIO:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return io.BytesIO(file.read() if self.length is None else file.read(self.length))


def find_photos(archives: Path, folders: Sequence[Path] = ()) -> list[TrainingPhoto]:
    """Return the photos of the `.tar` files in a folder and of more folders, sorted by name.

    What is no image is left out, and said. Raises FileNotFoundError where there is no archive, or
    a folder without a photo.
    """
    tars = sorted(archives.glob("*.tar"))
    if not tars:
        raise FileNotFoundError(f"There are no .tar archives of training photos in {archives}")
    found = [photo for tar in tars for photo in _in_archive(tar)]
    for folder in folders:
        inside = list(_in_folder(folder))
        if not inside:
            raise FileNotFoundError(f"There are no photos in {folder}")
        found += inside
    bar = tqdm(sorted(found, key=lambda photo: photo.name), desc="photos", unit="photo")
    return [photo for photo in bar if _is_image(photo)]


def spread(photos: Sequence[TrainingPhoto], most: int) -> list[TrainingPhoto]:
    """Return at most so many photos, evenly spread over all of them."""
    if most >= len(photos):
        return list(photos)
    return [photos[n * len(photos) // most] for n in range(most)]


def digest(photos: Sequence[TrainingPhoto]) -> str:
    """Return a hash of the photos' names: what a bank was made of."""
    return hashlib.sha256("\n".join(photo.name for photo in photos).encode()).hexdigest()[:16]


def _in_archive(path: Path) -> Iterator[TrainingPhoto]:
    with tarfile.open(path) as tar:
        for member in tar:
            if member.isfile() and member.name.lower().endswith(SUFFIXES):
                yield TrainingPhoto(
                    f"{path.stem}/{member.name}",
                    path.stem,
                    path,
                    member.offset_data,
                    member.size,
                )


def _in_folder(folder: Path) -> Iterator[TrainingPhoto]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            name = f"{folder.name}/{path.relative_to(folder)}"
            yield TrainingPhoto(name, folder.name, path)


def _is_image(photo: TrainingPhoto) -> bool:
    try:
        photo.size  # noqa: B018 (it opens the file)
    except OSError as exc:
        tqdm.write(f"{photo.name} is left out: {exc}")
        return False
    return True
