"""From boxes to embeddings, crop by crop: full resolution, through the encoder in full batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from PIL import Image

from common import pictures
from common.geometry import Box
from worker.models.base import Embeddings, Encoder

CROPS_AT_ONCE = 256
"""Crops cut before they are embedded: the tiles of an image hold its pixels once a grid."""


def embedded(encoder: Encoder, boxes: Iterable[tuple[Image.Image, Box]]) -> Embeddings:
    """Return the embeddings of boxes of RGB images, float32 (N, dim); there is one at least."""
    crops = (pictures.crop(image, box) for image, box in boxes)
    return np.concatenate([encoder.encode_images(part) for part in _lists(crops)])


def _lists(crops: Iterable[Image.Image]) -> Iterator[list[Image.Image]]:
    """Yield lists of at most CROPS_AT_ONCE; each is cut when its list is made."""
    rest = iter(crops)
    while part := list(islice(rest, CROPS_AT_ONCE)):
        yield part
