"""Makes `models/local/vocabulary.npz` from training photos: `python -m lab.training.words TAR...`.

Deterministic: the same archives and seed give the same file.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.local.features import extract
from worker.local.surroundings import DESCRIPTOR_SCALE
from worker.local.vocabulary import DEFAULT_PATH, SHORT

Floats = NDArray[np.float32]

CELLS = 1024
ONE_IN = 3
A_PHOTO = 120
"""Descriptors taken of one photo: many photos count for more than many corners of one."""
LEARNT_FROM = 200_000
BACKGROUND = 8192
ROUNDS = 12


def photos(archives: list[Path]) -> Iterator[Image.Image]:
    """Yield every third photo of tar archives, in their order."""
    for path in archives:
        with tarfile.open(path) as archive:
            for member in [found for found in archive if found.isfile()][::ONE_IN]:
                file = archive.extractfile(member)
                if file is not None:
                    yield Image.open(io.BytesIO(file.read())).convert("RGB")


def descriptors(archives: list[Path], rng: np.random.Generator) -> Floats:
    """Return descriptors of norm 1, float32 (N, 128), at most `A_PHOTO` a photo."""
    parts = []
    for photo in photos(archives):
        found = extract(photo, 100_000).descriptors
        if len(found) > A_PHOTO:
            found = found[rng.choice(len(found), A_PHOTO, replace=False)]
        parts.append(found)
    every: Floats = np.concatenate(parts).astype(np.float32)
    every /= DESCRIPTOR_SCALE
    return every


def principal(sample: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean (128,), basis (128, 64) and standard deviations (64,), largest first."""
    values, vectors = np.linalg.eigh(np.cov(sample.T))
    order = np.argsort(-values)[:SHORT]
    basis = vectors[:, order] * np.sign(vectors[:, order].sum(axis=0))
    return sample.mean(axis=0), basis.astype(np.float32), np.sqrt(values[order]).astype(np.float32)


def k_means(sample: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return `count` centres, float32 (count, dim), by Lloyd's method."""
    centres: Floats = sample[rng.choice(len(sample), count, replace=False)].copy()
    for _ in range(ROUNDS):
        nearest = _assign(sample, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        members = np.bincount(nearest, minlength=count)[:, None]
        lone = sample[rng.choice(len(sample), count)]
        mean = (sums / np.maximum(members, 1)).astype(np.float32)
        centres = np.where(members > 0, mean, lone)
    return centres


def _assign(sample: Floats, centres: Floats) -> NDArray[np.intp]:
    half = (centres * centres).sum(axis=1) / 2
    parts = [
        (sample[start : start + 4096] @ centres.T - half).argmax(axis=1)
        for start in range(0, len(sample), 4096)
    ]
    return np.concatenate(parts)


def main() -> None:
    """Make the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archives", nargs="+", type=Path, help="tar archives of photos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    every = descriptors(options.archives, rng)
    mean, basis, spread = principal(every[rng.choice(len(every), LEARNT_FROM, replace=False)])
    short = ((every - mean) @ basis).astype(np.float32)
    learnt = short[rng.choice(len(short), LEARNT_FROM, replace=False)]
    centres = np.stack([k_means(learnt[:, half::2], CELLS, rng) for half in range(2)])
    background = short[rng.choice(len(short), BACKGROUND, replace=False)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        options.out,
        mean=mean,
        basis=basis,
        spread=spread,
        centres=centres.astype(np.float16),
        background=background.astype(np.float16),
    )
    print(f"{len(every)} descriptors; {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
