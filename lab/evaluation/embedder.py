"""Several encoders over the same pictures, each cut once and let go soon."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from common.geometry import Box
from common.settings import Settings
from lab.evaluation.perturb import crop, whole_pixels
from lab.evaluation.photos import Corners
from lab.evaluation.references import ImageEncoder
from lab.evaluation.retrieval import Gallery
from worker.indexing.embedding import CROPS_AT_ONCE
from worker.indexing.profiles import PROFILES
from worker.models.base import DenseEncoder, Embeddings
from worker.models.clip import ClipEncoder, find_clip
from worker.models.device import resolve_device
from worker.models.onepass.loading import is_onepass, load_onepass
from worker.models.precision import resolve_precision

Encoders = Mapping[str, ImageEncoder]

SEEN_PIXELS = PROFILES["balanced"].pixels
"""Most pixels at which a dense encoder sees a photo."""


class Parts:
    """The names under which encoders are measured.

    With `split`, an encoder whose last numbers say the kind is measured twice: by what it says of
    things, and, under another name, by what it says of kinds.
    """

    def __init__(self, encoders: Encoders, *, split: bool) -> None:
        self._columns: dict[str, tuple[str, slice]] = {}
        for name, encoder in encoders.items():
            kinds = getattr(encoder, "kind_dim", 0) if split else 0
            self._columns[name] = (name, slice(-kinds) if kinds else slice(None))
            if kinds:
                self._columns[f"{name}, kinds"] = (name, slice(-kinds, None))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names, in the order of the encoders."""
        return tuple(self._columns)

    def encoder(self, name: str) -> str:
        """Return the name of the encoder that says it."""
        return self._columns[name][0]

    def of(self, name: str, embeddings: Embeddings) -> Embeddings:
        """Return that part of its encoder's embeddings (N, dim), each of L2 norm 1."""
        part = embeddings[:, self._columns[name][1]]
        norms = np.linalg.norm(part, axis=1, keepdims=True)
        unit: Embeddings = part / np.maximum(norms, np.float32(1e-12))
        return unit


class Embedder:
    """Takes crops one by one, under the name of the group that they belong to.

    Holds `CROPS_AT_ONCE` of them, as the index worker does, and afterwards only embeddings.
    `seconds` is what each encoder took so far.
    """

    def __init__(self, encoders: Encoders, *, split: bool = False) -> None:
        self.parts = Parts(encoders, split=split)
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

    def embeddings(self, name: str, group: str = "") -> Embeddings:
        """Return float32 embeddings of the group's crops so far, shape (N, dim)."""
        self.finish()
        if not self._groups:
            return np.zeros((0, 0), np.float32)
        encoder = self.parts.encoder(name)
        every = np.concatenate(self._done[encoder])
        self._done[encoder] = [every]
        chosen = every[np.array([of == group for of in self._groups])]
        return self.parts.of(name, chosen)

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
    """Collects the regions of photos, photo by photo, for several encoders at once.

    An encoder embeds crops; a dense one sees the photo and reads its regions off. `known` are
    encoders whose embeddings come with the regions.
    """

    def __init__(
        self, encoders: Encoders, *, split: bool = False, known: Collection[str] = ()
    ) -> None:
        self.parts = Parts(encoders, split=split)
        self._dense = {
            name: encoder
            for name, encoder in encoders.items()
            if isinstance(encoder, DenseEncoder) and name not in known
        }
        self._read: dict[str, list[Embeddings]] = {name: [] for name in (*self._dense, *known)}
        self._crops = Embedder({n: own for n, own in encoders.items() if n not in self._read})
        self._spent = dict.fromkeys(self._read, 0.0)
        self._owners: list[int] = []
        self._boxes: list[Corners] = []

    def __len__(self) -> int:
        return len(self._owners)

    def add(
        self,
        photo: int,
        image: Image.Image,
        regions: Sequence[Corners],
        known: Mapping[str, Embeddings] | None = None,
    ) -> None:
        """Take the regions of the photo with that number, and the embeddings that are known."""
        for corners in regions if self._crops.parts.names else ():
            self._crops.add(crop(image, corners))
        for name, embeddings in (known or {}).items():
            self._read[name].append(embeddings)
        boxes = [Box(*whole_pixels(image.size, corners)) for corners in regions]
        for name, encoder in self._dense.items() if boxes else ():
            started = time.perf_counter()
            self._read[name].append(encoder.maps(image, pixels=SEEN_PIXELS).embeddings(boxes))
            self._spent[name] += time.perf_counter() - started
        self._owners += [photo] * len(regions)
        self._boxes += regions

    def gallery(self, name: str) -> Gallery:
        """Return the gallery as that encoder, or that part of it, sees it."""
        encoder = self.parts.encoder(name)
        if encoder in self._read:
            parts = self._read[encoder] or [np.zeros((0, 0), np.float32)]
            every = np.concatenate(parts)
        else:
            every = self._crops.embeddings(encoder)
        embeddings = self.parts.of(name, every)
        return Gallery(embeddings, np.array(self._owners), np.array(self._boxes, np.float64))

    def seconds(self) -> dict[str, float]:
        """Return what each encoder took for all regions so far; 0 where they were known."""
        self._crops.finish()
        return {**self._spent, **self._crops.seconds}


def load_encoders(chosen: Mapping[str, str], settings: Settings) -> dict[str, ImageEncoder]:
    """Load a network's folder, a CLIP folder, or a CLIP of the hub, for each name.

    Raises InvalidModel.
    """
    found: dict[str, ImageEncoder] = {}
    for name, where in chosen.items():
        if is_onepass(Path(where)):
            found[name] = load_onepass(
                Path(where),
                device=settings.device,
                precision=settings.precision,
                threads=settings.threads,
            )
            continue
        device, dtype = place(settings)
        found[name] = ClipEncoder(find_clip(where)[0], device, name=name, dtype=dtype)
    return found


def place(settings: Settings) -> tuple[torch.device, torch.dtype]:
    """Return where, and in which precision, torch runs what the settings say."""
    device = resolve_device(settings.device)
    return device, resolve_precision(settings.precision, device).dtype
