"""The training photos: JPEG files in tar archives, a folder for each category."""

from __future__ import annotations

import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

Pixels = npt.NDArray[Any]
"""(height, width, 3) uint8, RGB. `Any`, because OpenCV's functions do not say what they return."""


@dataclass(frozen=True)
class TrainingPhoto:
    """A decoded photo; `name` is archive, category and file, `category` its folder's name."""

    name: str
    category: str
    pixels: Pixels


def read_photos(folder: Path, most: int | None = None) -> list[TrainingPhoto]:
    """Decode every photo of the `.tar` files in `folder`, in the order of their names.

    `most` keeps that many, evenly spread, for a short run. Raises FileNotFoundError where there
    is no archive.
    """
    archives = sorted(folder.glob("*.tar"))
    if not archives:
        raise FileNotFoundError(f"There are no .tar archives of training photos in {folder}")
    found = []
    for archive in archives:
        with tarfile.open(archive) as tar:
            for member in tqdm(tar.getmembers(), desc=archive.name, unit="photo", leave=False):
                stream = tar.extractfile(member) if member.isfile() else None
                if stream is not None and member.name.lower().endswith((".jpg", ".jpeg", ".png")):
                    found.append((f"{archive.stem}/{member.name}", stream.read()))
    found.sort(key=lambda pair: pair[0])
    if most is not None and most < len(found):
        found = found[:: max(1, len(found) // most)][:most]
    with ThreadPoolExecutor() as pool:
        photos = pool.map(_decoded, found)
        return list(tqdm(photos, total=len(found), desc="decode", unit="photo"))


def _decoded(member: tuple[str, bytes]) -> TrainingPhoto:
    name, data = member
    with Image.open(io.BytesIO(data)) as image:
        return TrainingPhoto(name, Path(name).parent.name, np.asarray(image.convert("RGB")))
