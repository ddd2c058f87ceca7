"""From boxes to embeddings, crop by crop: full resolution, through the encoder in full batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import Image

from common.geometry import Box
from worker.models.base import BoxEncoder, Embeddings, Encoder

CROPS_AT_ONCE = 256
"""Crops cut before they are embedded."""
PIXELS_AT_ONCE = 32_000_000
"""Their pixels, unless it is a single one: the tiles of an image hold its pixels once a grid."""


def embedded(encoder: Encoder, boxes: Sequence[tuple[Image.Image, Box]]) -> Embeddings:
    """Return the embeddings of boxes of RGB images, float32 (N, dim); there is one at least."""
    if isinstance(encoder, BoxEncoder):
        return encoder.encode_boxes(boxes)
    return np.concatenate([encoder.encode_images(part) for part in cut(boxes)])


def cut(boxes: Iterable[tuple[Image.Image, Box]]) -> Iterator[list[Image.Image]]:
    """Yield the pixels in boxes of RGB images, in order, as few at a time as fit into memory."""
    part: list[Image.Image] = []
    held = 0
    for image, box in boxes:
        # A whole image is no crop: it is in memory already.
        whole = box.as_tuple() == (0, 0, *image.size)
        size = 0 if whole else box.area
        if part and (len(part) >= CROPS_AT_ONCE or held + size > PIXELS_AT_ONCE):
            yield part
            part, held = [], 0
        part.append(image if whole else image.crop(box.within(*image.size).as_tuple()))
        held += size
    if part:
        yield part
