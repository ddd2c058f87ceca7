"""Large photos cut into pieces about as large as the others: a wallpaper becomes forty photos."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from tqdm import tqdm

from lab.training.pictures.boxes import FLAT
from lab.training.pictures.photos import Pixels, TrainingPhoto
from lab.training.pictures.views import resized

LARGE_PIXELS = 2_000_000
"""A photo of more is cut."""
TILE_PX = (560, 420)
"""Width and height of a piece, once shrunk."""
PIECES = 40
SMALLEST_SCALE = 0.12
QUALITY = 92


def cut_large(photos: Sequence[TrainingPhoto], folder: Path, seed: int) -> list[TrainingPhoto]:
    """Return the photos with pieces in the place of each large one; the pieces lie in `folder`.

    A photo's pieces depend on the seed and its name; those that are there already are kept.
    """
    small = [photo for photo in photos if math.prod(photo.size) <= LARGE_PIXELS]
    large = [photo for photo in photos if math.prod(photo.size) > LARGE_PIXELS]
    pieces = [piece for photo in tqdm(large, desc="cut") for piece in _cut(photo, folder, seed)]
    return sorted(small + pieces, key=lambda photo: photo.name)


def _cut(photo: TrainingPhoto, folder: Path, seed: int) -> Iterator[TrainingPhoto]:
    number = crc32(photo.name.encode())
    into, whole = folder / f"{number:08x}-{seed}", folder / f"{number:08x}-{seed}.part"
    if not into.is_dir():
        whole.mkdir(parents=True, exist_ok=True)
        for n, pixels in enumerate(_pieces(photo.pixels, np.random.default_rng((seed, number)))):
            name = str(whole / f"{n:02d}.jpg")
            cv2.imwrite(name, pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        whole.rename(into)
    for path in sorted(into.glob("*.jpg")):
        yield replace(photo, name=f"{photo.name}/{path.name}", path=path, offset=0, length=None)


def _pieces(pixels: Pixels, rng: np.random.Generator) -> Iterator[Pixels]:
    """Yield pieces of all scales, from the photo's own to that of its thumbnail."""
    height, width = pixels.shape[:2]
    for _ in range(PIECES):
        scale = math.exp(rng.uniform(math.log(SMALLEST_SCALE), 0))
        w, h = (min(int(a / scale), b) for a, b in zip(TILE_PX, (width, height), strict=True))
        x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
        piece = resized(pixels[y : y + h, x : x + w], round(w * scale), round(h * scale))
        if piece.std() >= FLAT:
            yield piece
