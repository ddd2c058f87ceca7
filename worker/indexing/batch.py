"""A batch of images with all that will be written of them, and its form as one file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.catalogue import ImageRecord
from common.jobs import Item
from common.regions import packed
from worker.local.vocabulary import Words
from worker.local.words import weighted
from worker.vectors.base import ImagePoints, Region, Vector
from worker.vectors.ids import words_id
from worker.vectors.words import WordsPoint


@dataclass(frozen=True)
class IndexedImage:
    """One image with its regions, in the order of the batch's embeddings.

    `words` is how many of the batch's visual words are the image's, and `keypoints` its local
    features as they are kept; `words` is None for one that was not described. `thumbnail` and
    `keypoints` are None in a batch of an earlier version, which had written them before.
    """

    item: Item
    record: ImageRecord
    regions: tuple[Region, ...]
    words: int | None = None
    thumbnail: bytes | None = field(default=None, repr=False)
    keypoints: bytes | None = field(default=None, repr=False)

    @cached_property
    def listed(self) -> bytes:
        """The list of the regions, as it is kept beside the image and in its first point."""
        return packed(self.regions)


@dataclass(frozen=True)
class Batch:
    """Images of one job, ready to be written; `embeddings` is float32 (regions, dim), L2 norm 1.

    `words` int64 (N,): visual words of `vocabulary`, image after image.
    """

    job_id: str
    collection: str
    encoder: str
    recipe: str
    images: tuple[IndexedImage, ...]
    embeddings: Vector
    words: Words = field(default_factory=lambda: np.zeros(0, np.int64))
    vocabulary: str = ""

    def points(self) -> Iterator[tuple[IndexedImage, ImagePoints]]:
        """Yield each image with its points."""
        start = 0
        for image in self.images:
            stop = start + len(image.regions)
            record, vectors = image.record, self.embeddings[start:stop]
            yield (
                image,
                ImagePoints(
                    record.image_id,
                    self.encoder,
                    image.regions,
                    vectors,
                    record.metadata,
                    image.listed,
                ),
            )
            start = stop

    def words_points(self) -> Iterator[tuple[IndexedImage, WordsPoint | None]]:
        """Yield each image with the point of its words, None for one that was not described."""
        start = 0
        for image in self.images:
            if image.words is None:
                yield image, None
                continue
            words = self.words[start : start + image.words]
            record = image.record
            name = record.image_id
            vector = weighted(words)
            yield image, WordsPoint(words_id(name), name, self.vocabulary, vector, record.metadata)
            start += image.words

    def alone(self) -> Iterator[Batch]:
        """Yield a batch for each image."""
        start = 0
        for image, points in self.points():
            words = self.words[start : start + (image.words or 0)]
            start += image.words or 0
            yield replace(self, images=(image,), embeddings=points.vectors, words=words)

    def to_bytes(self) -> bytes:
        """Return the batch as one file (npz: JSON and arrays, nothing that runs)."""
        head = {
            "job_id": self.job_id,
            "collection": self.collection,
            "encoder": self.encoder,
            "recipe": self.recipe,
            "vocabulary": self.vocabulary,
            "images": [_image_json(image) for image in self.images],
        }
        buffer = io.BytesIO()
        np.savez(
            buffer,
            head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
            embeddings=self.embeddings,
            words=self.words,
            thumbnails=_joined([image.thumbnail for image in self.images]),
            keypoints=_joined([image.keypoints for image in self.images]),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Batch:
        """Read what `to_bytes` wrote, in this version or an earlier one.

        An earlier one left no words, or words but neither thumbnails nor keypoints.
        """
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            embeddings = arrays["embeddings"]
            words = arrays["words"] if "words" in arrays else np.zeros(0, np.int64)
            thumbnails, keypoints = (
                arrays[name].tobytes() if name in arrays else b""
                for name in ("thumbnails", "keypoints")
            )
        image_heads = head.pop("images")
        images = tuple(
            _image_of(image, thumbnail, own)
            for image, thumbnail, own in zip(
                image_heads,
                _parts(thumbnails, [image.get("thumbnail_bytes") for image in image_heads]),
                _parts(keypoints, [image.get("keypoints_bytes") for image in image_heads]),
                strict=True,
            )
        )
        return cls(**head, images=images, embeddings=embeddings, words=words)


def _image_json(image: IndexedImage) -> dict[str, Any]:
    return {
        "item": image.item.as_dict(),
        "record": asdict(image.record),
        "regions": [region.as_dict() for region in image.regions],
        "words": image.words,
        "thumbnail_bytes": None if image.thumbnail is None else len(image.thumbnail),
        "keypoints_bytes": None if image.keypoints is None else len(image.keypoints),
    }


def _image_of(
    raw: dict[str, Any], thumbnail: bytes | None, keypoints: bytes | None
) -> IndexedImage:
    return IndexedImage(
        item=Item.from_json(json.dumps(raw["item"])),
        record=ImageRecord(**raw["record"]),
        regions=tuple(Region.from_dict(region) for region in raw["regions"]),
        words=raw.get("words"),
        thumbnail=thumbnail,
        keypoints=keypoints,
    )


def _joined(parts: Sequence[bytes | None]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(part or b"" for part in parts), dtype=np.uint8)


def _parts(content: bytes, sizes: Sequence[int | None]) -> Iterator[bytes | None]:
    """Yield the pieces of those sizes in bytes, None where there is none."""
    start = 0
    for size in sizes:
        yield None if size is None else content[start : start + size]
        start += size or 0
