"""An image that is looked at more closely, in one of two ways, by what the encoder is.

An encoder of crops sees every box that is tried by itself. A dense encoder sees once each part of
the image in which boxes are going to be tried, and embeds them from its maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from common import pictures
from common.geometry import Box
from worker.models.base import DenseEncoder, Embeddings, Encoder, FeatureMaps
from worker.vectors.base import Vector

PART_PIXELS = 500_000
"""Most pixels that a dense encoder sees the part at: boxes take some 200 pixels a side of it."""


class Look(Protocol):
    """Embeds boxes of one image."""

    def embeddings(self, boxes: Sequence[Box]) -> Embeddings:
        """Return float32 embeddings (N, dim) of boxes within the parts that are looked at."""
        ...


class CropLook:
    """Encodes each box's pixels, at full resolution."""

    def __init__(self, encoder: Encoder, image: Image.Image) -> None:
        self._encoder, self._image = encoder, image

    def embeddings(self, boxes: Sequence[Box]) -> Embeddings:
        """See Look."""
        return self._encoder.encode_images([pictures.crop(self._image, box) for box in boxes])


class DenseLook:
    """Sees each part of the image when it is first asked for a box in it."""

    def __init__(self, encoder: DenseEncoder, image: Image.Image, parts: Sequence[Box]) -> None:
        self._encoder, self._image = encoder, image
        self._parts = _joined(parts)
        self._maps: dict[Box, FeatureMaps] = {}

    def embeddings(self, boxes: Sequence[Box]) -> Embeddings:
        """See Look. A box that leaves every part is cut to the one that holds most of it."""
        rows: dict[int, Vector] = {}
        chosen = [max(self._parts, key=lambda part: _shared(box, part).area) for box in boxes]
        for part in dict.fromkeys(chosen):
            numbers = [number for number, own in enumerate(chosen) if own == part]
            inside = [_shared(boxes[number], part) for number in numbers]
            embeddings = self._of(part).embeddings([_moved(box, part) for box in inside])
            rows.update(zip(numbers, embeddings, strict=True))
        return np.stack([rows[number] for number in range(len(boxes))])

    def _of(self, part: Box) -> FeatureMaps:
        if part not in self._maps:
            pixels = pictures.crop(self._image, part)
            self._maps[part] = self._encoder.maps(pixels, pixels=PART_PIXELS)
        return self._maps[part]


def look_at(encoder: Encoder, image: Image.Image, parts: Sequence[Box]) -> Look:
    """Return a look at the boxes within `parts` of an RGB image; there is one part at least."""
    if isinstance(encoder, DenseEncoder):
        return DenseLook(encoder, image, parts)
    return CropLook(encoder, image)


def _joined(parts: Sequence[Box]) -> list[Box]:
    """Return one part of two where that is no more to see, else the parts as they are."""
    around = _around(parts)
    return [around] if around.area <= sum(part.area for part in parts) else list(parts)


def _around(parts: Sequence[Box]) -> Box:
    return Box(
        min(part.x1 for part in parts),
        min(part.y1 for part in parts),
        max(part.x2 for part in parts),
        max(part.y2 for part in parts),
    )


def _shared(box: Box, part: Box) -> Box:
    """Return what of a box lies in a part; its area is 0 where nothing does."""
    return Box(
        max(box.x1, part.x1), max(box.y1, part.y1), min(box.x2, part.x2), min(box.y2, part.y2)
    )


def _moved(box: Box, part: Box) -> Box:
    """Return the box in the part's own pixels."""
    return Box(box.x1 - part.x1, box.y1 - part.y1, box.x2 - part.x1, box.y2 - part.y1)
