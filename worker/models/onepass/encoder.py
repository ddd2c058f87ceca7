"""The encoder that sees an image once: a `DenseEncoder`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from common.errors import TextNotSupported
from worker.models.base import Embeddings
from worker.models.kinds import KIND_SHARE
from worker.models.onepass.detecting import (
    LARGE_ANCHORS,
    SMALL_ANCHORS,
    Candidates,
    candidates,
    clipped,
)
from worker.models.onepass.engine import Engine, Floats, Pixels, Seen
from worker.models.onepass.maps import DEEP_PX, FINE_PX, OnePassMaps, ScaleMaps
from worker.models.onepass.scales import (
    KIND_PX,
    LARGEST,
    MULTIPLE,
    SEEN_PX,
    Part,
    Scale,
    ladder,
    parts,
)

RIM_PX = 16
"""A crop is seen with this much of its mirrored self around it: zeros beside it would be edges."""
DEEPEST = 1.0
"""Kinds are read off scales up to this: enlarging shows no more of them."""
GEOMETRY = f"{SEEN_PX}/{KIND_PX}/{LARGEST}/{RIM_PX}/{DEEPEST}/{KIND_SHARE}"
"""What decides embeddings beside the network: a part of the encoder's id."""


class OnePassEncoder:
    """Sees images with one engine; a `DenseEncoder`. Safe to use from several threads."""

    has_text = False

    def __init__(self, engine: Engine, *, name: str, dims: tuple[int, int]) -> None:
        """Take an engine, the weights' name, and how many numbers thing and kind have."""
        self.engine = engine
        self.id = name
        self._dims = dims
        self._weights = (math.sqrt(1 - KIND_SHARE), math.sqrt(KIND_SHARE))
        self.dim, self.kind_dim = sum(dims), dims[1]

    def maps(self, image: Image.Image, *, pixels: int) -> OnePassMaps:
        """See an RGB image at all its scales, the finest of at most about `pixels` pixels."""
        whole = np.asarray(image)
        height, width = whole.shape[:2]
        scales: list[ScaleMaps] = []
        found: list[Candidates] = []
        smaller = whole
        rungs = ladder(width, height, pixels)
        deep_from = min(len(rungs) - 1, sum(scale.factor > DEEPEST * 1.05 for scale in rungs))
        for number, scale in enumerate(rungs):
            resized = _resized(smaller, scale.width, scale.height)
            if scale.factor < 1:
                smaller = resized
            seen = self._see(resized, scale)
            deep = self.engine.deep(seen.sixteenth) if number >= deep_from else None
            scales.append(ScaleMaps(scale, seen.things, deep))
            found.append(candidates(seen.large, LARGE_ANCHORS, 16, scale))
            if number == 0:
                found.append(candidates(seen.small, SMALL_ANCHORS, 8, scale))
        return OnePassMaps(
            width,
            height,
            tuple(scales),
            clipped(Candidates.joined(found), width, height),
            self.engine,
            self._dims,
            self._weights,
        )

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Return float32 embeddings of RGB images, shape (N, dim), each of L2 norm 1."""
        rows = [self._encode(np.asarray(image)) for image in images]
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Raise TextNotSupported: the network knows no words."""
        raise TextNotSupported(
            f"The encoder {self.id} has no text side: set NEEDLE_MODELS=standard, or "
            "NEEDLE_ENCODER to a CLIP checkpoint that has one, and index the images again"
        )

    def _encode(self, pixels: Pixels) -> Floats:
        """Embed a crop by itself, at the scales at which an index would have read it off."""
        height, width = pixels.shape[:2]
        side = math.sqrt(width * height)
        framed, box = _framed(pixels, min(LARGEST, SEEN_PX / side))
        seen = self.engine.see(framed)
        deep = self.engine.deep(seen.sixteenth)
        own = self.engine.things(seen.things, deep, *_in_cells(box))
        framed, box = _framed(pixels, min(DEEPEST, KIND_PX / side))
        deep = self.engine.deep(self.engine.see(framed).sixteenth)
        kind = self.engine.kinds(deep, _in_cells(box)[1])
        row: Floats = np.concatenate((own * self._weights[0], kind * self._weights[1]), axis=1)[0]
        return row

    def _see(self, pixels: Pixels, scale: Scale) -> Seen:
        """Return the maps of a whole scale, seen part by part where it is large."""
        whole: Seen | None = None
        for down, across in parts(scale):
            part = pixels[slice(*down.seen), slice(*across.seen)]
            seen = self.engine.see(part)
            if part.shape == pixels.shape:
                return seen
            if whole is None:
                whole = _empty(seen, scale)
            for name, cell in (("things", 8), ("sixteenth", 16), ("large", 16), ("small", 8)):
                kept = getattr(seen, name)[:, _kept(down, cell), _kept(across, cell)]
                to = (slice(*(n // cell for n in span.kept)) for span in (down, across))
                getattr(whole, name)[:, *to] = kept
        assert whole is not None
        return whole


def _in_cells(box: Floats) -> tuple[Floats, Floats]:
    """Return a box in cells of the maps at strides 8 and 32."""
    fine, deep = ((box / cell).astype(np.float32) for cell in (FINE_PX, DEEP_PX))
    return fine, deep


def _framed(pixels: Pixels, factor: float) -> tuple[Pixels, Floats]:
    """Return a crop at another size with a rim around it, and its box therein, (1, 4)."""
    height, width = pixels.shape[:2]
    inner = [max(MULTIPLE // 2, round(side * factor)) for side in (width, height)]
    right, below = (RIM_PX + (-(side + 2 * RIM_PX)) % MULTIPLE for side in inner)
    framed: Any = cv2.copyMakeBorder(
        _resized(pixels, *inner), RIM_PX, below, RIM_PX, right, cv2.BORDER_REFLECT_101
    )
    box = np.array([[RIM_PX, RIM_PX, RIM_PX + inner[0], RIM_PX + inner[1]]], np.float32)
    return framed, box


def _kept(part: Part, cell: int) -> slice:
    return slice((part.kept[0] - part.seen[0]) // cell, (part.kept[1] - part.seen[0]) // cell)


def _empty(like: Seen, scale: Scale) -> Seen:
    def maps(some: Floats, cell: int) -> Floats:
        return np.empty((len(some), scale.height // cell, scale.width // cell), np.float32)

    return Seen(
        maps(like.things, 8), maps(like.sixteenth, 16), maps(like.large, 16), maps(like.small, 8)
    )


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return the pixels at another size: areas averaged going down, cubic going up."""
    if pixels.shape[:2] == (height, width):
        return pixels
    down = width < pixels.shape[1] and height < pixels.shape[0]
    resized: Any = cv2.resize(
        pixels, (width, height), interpolation=cv2.INTER_AREA if down else cv2.INTER_CUBIC
    )
    return np.asarray(resized, np.uint8)
