"""From regions to embeddings: crops of full resolution, through the encoder in full batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from PIL import Image

from common import pictures
from worker.indexing.batch import Batch, IndexedImage
from worker.indexing.image import LoadedImage
from worker.indexing.options import IndexOptions
from worker.models.base import Embeddings, Encoder

CROPS_AT_ONCE = 256
"""Crops cut before they are embedded: the tiles of an image hold its pixels once a grid."""
_NO_WORDS = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Embedder:
    """Embeds regions with one encoder; `vocabulary` names what the images' words mean."""

    encoder: Encoder
    vocabulary: str

    def batch(self, images: Sequence[LoadedImage], options: IndexOptions, recipe: str) -> Batch:
        """Return the images without their pixels, ready to be written; they have regions."""
        words = [image.features.words for image in images if image.features is not None]
        return Batch(
            job_id=options.job_id,
            collection=options.collection,
            encoder=self.encoder.id,
            recipe=recipe,
            images=tuple(_indexed(image) for image in images),
            embeddings=self._embeddings(images),
            words=np.concatenate([_NO_WORDS, *words]),
            vocabulary=self.vocabulary,
        )

    def _embeddings(self, images: Sequence[LoadedImage]) -> Embeddings:
        """Return the embeddings of all regions, float32 (regions, dim), image after image."""
        crops = (
            pictures.crop(image.pixels, region.box) for image in images for region in image.regions
        )
        return np.concatenate([self.encoder.encode_images(part) for part in _lists(crops)])


def _indexed(image: LoadedImage) -> IndexedImage:
    features = image.features
    return IndexedImage(
        item=image.item,
        record=image.record,
        regions=image.regions,
        words=None if features is None else len(features.words),
        thumbnail=image.thumbnail,
        keypoints=None if features is None else features.keypoints,
    )


def _lists(crops: Iterable[Image.Image]) -> Iterator[list[Image.Image]]:
    """Yield lists of at most CROPS_AT_ONCE; each is cut when its list is made."""
    rest = iter(crops)
    while part := list(islice(rest, CROPS_AT_ONCE)):
        yield part
