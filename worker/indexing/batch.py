"""A batch of indexed photos, and its way from an index worker to whoever writes the vectors.

Qdrant Edge belongs to one process, the search worker. An index worker beside it leaves the batch
as a file in the image store and sends the key, so that no vector travels through Redis.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from common.catalogue import ImageRecord
from common.ids import point_id, words_id
from common.jobs import Item
from worker.local.vocabulary import Words
from worker.local.words import weighted
from worker.vectors.base import Point, Region, Vector
from worker.vectors.words import WordsPoint


@dataclass(frozen=True)
class IndexedImage:
    """One photo with its regions, in the order of the batch's embeddings.

    `words` is how many of the batch's visual words are the photo's; None: it was not described.
    """

    item: Item
    record: ImageRecord
    regions: tuple[Region, ...]
    words: int | None = None


@dataclass(frozen=True)
class Batch:
    """Photos of one job, ready to be written; `embeddings` is float32 (regions, dim), L2 norm 1.

    `words` int64 (N,): visual words of `vocabulary`, photo after photo.
    """

    job_id: str
    collection: str
    encoder: str
    recipe: str
    images: tuple[IndexedImage, ...]
    embeddings: Vector
    words: Words = field(default_factory=lambda: np.zeros(0, np.int64))
    vocabulary: str = ""

    def points(self) -> Iterator[tuple[IndexedImage, list[Point]]]:
        """Yield each photo with its points."""
        start = 0
        for image in self.images:
            stop = start + len(image.regions)
            vectors = self.embeddings[start:stop]
            yield (
                image,
                [
                    Point(point_id(r.image_id, r.box, r.source.value, self.encoder), vector, r)
                    for r, vector in zip(image.regions, vectors, strict=True)
                ],
            )
            start = stop

    def words_points(self) -> Iterator[tuple[IndexedImage, WordsPoint | None]]:
        """Yield each photo with the point of its words, None for one that was not described."""
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
        """Yield a batch for each photo."""
        start = 0
        for image, points in self.points():
            vectors = np.stack([point.vector for point in points])
            words = self.words[start : start + (image.words or 0)]
            start += image.words or 0
            yield replace(self, images=(image,), embeddings=vectors, words=words)

    def to_bytes(self) -> bytes:
        """Return the batch as one file (npz: JSON and an array, nothing that runs)."""
        head = {
            "job_id": self.job_id,
            "collection": self.collection,
            "encoder": self.encoder,
            "recipe": self.recipe,
            "vocabulary": self.vocabulary,
            "images": [
                {
                    "item": image.item.as_dict(),
                    "record": asdict(image.record),
                    "regions": [region.payload() for region in image.regions],
                    "words": image.words,
                }
                for image in self.images
            ],
        }
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        np.savez(buffer, head=text, embeddings=self.embeddings, words=self.words)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Batch:
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            embeddings = arrays["embeddings"]
            # A batch that an earlier version left has no words.
            words = arrays["words"] if "words" in arrays else np.zeros(0, np.int64)
        images = tuple(
            IndexedImage(
                item=Item.from_json(json.dumps(image["item"])),
                record=ImageRecord(**image["record"]),
                regions=tuple(Region.from_payload(payload) for payload in image["regions"]),
                words=image.get("words"),
            )
            for image in head.pop("images")
        )
        return cls(**head, images=images, embeddings=embeddings, words=words)


def handover_key(job_id: str, first_item: int) -> str:
    """Return the key of a batch: a task that runs twice writes the same file again."""
    return f"handover/{job_id}-{first_item}.npz"
