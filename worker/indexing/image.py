"""An image on its way through the pipeline: each stage passes it on with what it has added."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from common.catalogue import ImageRecord
from common.jobs import Item
from worker.local.vocabulary import Words


@dataclass(frozen=True)
class Features:
    """An image's local features, as they are kept.

    `keypoints` are the bytes beside the image (`worker.local.keypoints`), `words` int64 (N,) its
    visual words, ascending and without doubles.
    """

    keypoints: bytes
    words: Words


@dataclass(frozen=True)
class LoadedImage:
    """An item whose image is decoded: upright RGB `pixels`, and the record of its file.

    `thumbnail` is a JPEG. `features` is None until the image is described, and where the job wants
    none. Nothing of this is written before the commit.
    """

    item: Item
    record: ImageRecord
    pixels: Image.Image
    thumbnail: bytes
    features: Features | None = None
