"""From images and what was seen of them to a `Batch`: all that will be written, and no pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.catalogue import ImageRecord
from worker.indexing.batch import Batch, IndexedImage
from worker.indexing.image import LoadedImage
from worker.indexing.options import IndexOptions
from worker.indexing.regions import Proposal
from worker.indexing.seeing import Seen
from worker.vectors.base import Region

_NO_WORDS = np.zeros(0, np.int64)


def gathered(
    images: Sequence[LoadedImage],
    seen: Sequence[Seen],
    options: IndexOptions,
    *,
    encoder: str,
    vocabulary: str,
    recipe: str,
) -> Batch:
    """Return images as they will be written; `seen` has one for each, in order.

    `encoder` and `vocabulary` name what the embeddings and the visual words mean.
    """
    words = [image.features.words for image in images if image.features is not None]
    return Batch(
        job_id=options.job_id,
        collection=options.collection,
        encoder=encoder,
        recipe=recipe,
        images=tuple(_indexed(*pair) for pair in zip(images, seen, strict=True)),
        embeddings=np.concatenate([each.embeddings for each in seen]),
        words=np.concatenate([_NO_WORDS, *words]),
        vocabulary=vocabulary,
    )


def _indexed(image: LoadedImage, seen: Seen) -> IndexedImage:
    features = image.features
    return IndexedImage(
        item=image.item,
        record=image.record,
        regions=tuple(_region(image.record, proposal) for proposal in seen.regions),
        words=None if features is None else len(features.words),
        thumbnail=image.thumbnail,
        keypoints=None if features is None else features.keypoints,
    )


def _region(record: ImageRecord, proposal: Proposal) -> Region:
    confidence = proposal.confidence
    return Region(
        image_id=record.image_id,
        box=proposal.box,
        source=proposal.source,
        label=proposal.label,
        confidence=None if confidence is None else round(confidence, 4),
    )
