"""Several encoders over the same crops, each crop cut once and let go soon."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lab.evaluation.photos import Corners
from lab.evaluation.references import ImageEncoder
from lab.evaluation.retrieval import Gallery
from worker.indexing.embedding import CROPS_AT_ONCE
from worker.models.base import Embeddings
from worker.models.clip import ClipEncoder, find_clip
from worker.models.kind_tower import KindEncoder

Encoders = Mapping[str, ImageEncoder]


class Embedder:
    """Takes crops one by one, under the name of the group that they belong to.

    Holds `CROPS_AT_ONCE` of them, as the index worker does, and afterwards only embeddings.
    `seconds` is what each encoder took so far.
    """

    def __init__(self, encoders: Encoders) -> None:
        self._encoders = encoders
        self._held: list[Image.Image] = []
        self._groups: list[str] = []
        self._done: dict[str, list[Embeddings]] = {name: [] for name in encoders}
        self.seconds = dict.fromkeys(encoders, 0.0)

    def add(self, crop: Image.Image, group: str = "") -> None:
        """Take an RGB crop; its embeddings come in the order of a group's crops."""
        self._held.append(crop)
        self._groups.append(group)
        if len(self._held) >= CROPS_AT_ONCE:
            self.finish()

    def embeddings(self, encoder: str, group: str = "") -> Embeddings:
        """Return float32 embeddings of the group's crops so far, shape (N, dim)."""
        self.finish()
        if not self._groups:
            return np.zeros((0, 0), np.float32)
        every = np.concatenate(self._done[encoder])
        self._done[encoder] = [every]
        chosen: Embeddings = every[np.array([of == group for of in self._groups])]
        return chosen

    def finish(self) -> None:
        """Encode the crops that are held."""
        crops, self._held = self._held, []
        if not crops:
            return
        for name, encoder in self._encoders.items():
            started = time.perf_counter()
            self._done[name].append(encoder.encode_images(crops))
            self.seconds[name] += time.perf_counter() - started


class GalleryBuilder:
    """Collects the regions of photos, photo by photo, for several encoders at once."""

    def __init__(self, encoders: Encoders) -> None:
        self._embedder = Embedder(encoders)
        self._owners: list[int] = []
        self._boxes: list[Corners] = []

    def __len__(self) -> int:
        return len(self._owners)

    def add(self, photo: int, corners: Corners, crop: Image.Image) -> None:
        """Take a region of the photo with that number."""
        self._embedder.add(crop)
        self._owners.append(photo)
        self._boxes.append(corners)

    def gallery(self, encoder: str) -> Gallery:
        """Return the gallery as that encoder sees it."""
        embeddings = self._embedder.embeddings(encoder)
        return Gallery(embeddings, np.array(self._owners), np.array(self._boxes, np.float64))

    def seconds(self) -> dict[str, float]:
        """Return what each encoder took for all regions so far."""
        self._embedder.finish()
        return dict(self._embedder.seconds)


def load_encoders(
    chosen: Mapping[str, str], device: torch.device, dtype: torch.dtype
) -> dict[str, ClipEncoder | KindEncoder]:
    """Load a CLIP folder, a name on the hub, or the file of a kind tower, for each name.

    Raises InvalidModel.
    """
    found: dict[str, ClipEncoder | KindEncoder] = {}
    for name, where in chosen.items():
        if Path(where).is_file():
            found[name] = KindEncoder(Path(where), device, dtype=dtype)
            continue
        folder, _ = find_clip(where)
        found[name] = ClipEncoder(folder, device, name=name, dtype=dtype)
    return found
