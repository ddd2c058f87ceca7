"""A batch of indexed photos, and its way from an index worker to whoever writes the vectors.

Qdrant Edge belongs to one process, the search worker. An index worker beside it leaves the batch
as a file in the image store and sends the key, so that no vector travels through Redis.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from common.catalogue import ImageRecord
from common.ids import point_id
from common.jobs import Item
from common.vectors.base import Point, Region, Vector


@dataclass(frozen=True)
class IndexedImage:
    """One photo with its regions, in the order of the batch's embeddings."""

    item: Item
    record: ImageRecord
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class Batch:
    """Photos of one job, ready to be written; `embeddings` is float32 (regions, dim), L2 norm 1."""

    job_id: str
    collection: str
    encoder: str
    recipe: str
    images: tuple[IndexedImage, ...]
    embeddings: Vector

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

    def alone(self) -> Iterator[Batch]:
        """Yield a batch for each photo."""
        for image, points in self.points():
            vectors = np.stack([point.vector for point in points])
            yield replace(self, images=(image,), embeddings=vectors)

    def to_bytes(self) -> bytes:
        """Return the batch as one file (npz: JSON and an array, nothing that runs)."""
        head = {
            "job_id": self.job_id,
            "collection": self.collection,
            "encoder": self.encoder,
            "recipe": self.recipe,
            "images": [
                {
                    "item": image.item.as_dict(),
                    "record": asdict(image.record),
                    "regions": [region.payload() for region in image.regions],
                }
                for image in self.images
            ],
        }
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        np.savez(buffer, head=text, embeddings=self.embeddings)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Batch:
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            embeddings = arrays["embeddings"]
        images = tuple(
            IndexedImage(
                item=Item.from_json(json.dumps(image["item"])),
                record=ImageRecord(**image["record"]),
                regions=tuple(Region.from_payload(payload) for payload in image["regions"]),
            )
            for image in head.pop("images")
        )
        return cls(**head, images=images, embeddings=embeddings)


def handover_key(job_id: str, first_item: int) -> str:
    """Return the key of a batch: a task that runs twice writes the same file again."""
    return f"handover/{job_id}-{first_item}.npz"
