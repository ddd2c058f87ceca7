"""The commit: everything that is written of an image, and the end of its item after that.

Vectors come first, then the files beside the image, then the catalogue, and last the job's items.
Each step may be repeated, and the items end only when everything before is written: whatever is
killed in between, the task that runs again completes the same state.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from common.catalogue import Catalogue
from common.errors import NotFound
from common.images import (
    Held,
    ImageStore,
    at_once,
    collection_folder,
    image_folder,
    local_key,
    old_regions_key,
    regions_key,
    thumbnail_key,
)
from common.job_store import JobStore
from common.jobs import Item, ItemStatus
from common.metrics import meters
from worker.indexing.batch import Batch, IndexedImage
from worker.vectors.stores import VectorStore, WordStore


class Committer(Protocol):
    """Takes finished batches."""

    def commit(self, batch: Batch) -> None:
        """Write the batch, or see to it that it is written.

        Raises StoreUnavailable, BrokerUnavailable, StoreRefused, or EncoderMismatch where the
        collection was built with another encoder.
        """
        ...


@dataclass(frozen=True)
class Writer:
    """Writes batches to the vector stores that this process has open."""

    store: VectorStore
    words: WordStore
    images: ImageStore
    catalogue: Catalogue
    jobs: JobStore

    def commit(self, batch: Batch) -> None:
        """See Committer. Images that were deleted meanwhile stay deleted.

        A job that has ended or is gone writes no more.
        """
        names = [image.record.image_id for image in batch.images]
        with self.images.changing(batch.collection, names) as held:
            if self.jobs.is_open(batch.job_id):
                with meters().stage("commit"):
                    self._commit(batch, held)
                meters().regions.inc(sum(len(image.regions) for image in batch.images))

    def _commit(self, batch: Batch, held: Held) -> None:
        dim = batch.embeddings.shape[1]
        self.catalogue.bind(batch.collection, encoder=batch.encoder, dim=dim)
        held.check()
        self._write_points(batch, dim)
        held.check()
        self._write_words(batch)
        self._write_all_files(batch, held)
        held.check()
        kept = self._list(batch)
        for image in batch.images:
            if image.record.image_id not in kept:
                self._discard(batch.collection, image.record.image_id, held)
        self.jobs.finish_items(batch.job_id, [_ended(image, kept) for image in batch.images])

    def discard(self, collection: str, image_id: str) -> None:
        """Remove an image's files and points, unless it was posted again meanwhile.

        Files go first: on a full disk they make the room that the rest needs.
        """
        with self.images.changing(collection, [image_id]) as held:
            self._discard(collection, image_id, held)

    def discard_collection(self, collection: str) -> None:
        """Remove a collection's points and files, and all that is known of it."""
        with self.images.changing_all(collection) as held:
            for record in list(self.catalogue.every(collection)):
                self.catalogue.remove(collection, record.image_id)
                self._discard(collection, record.image_id, held)
            held.check()
            self.store.delete_collection(collection)
            self.words.delete_collection(collection)
            self.images.delete_folder(collection_folder(collection))
            self.catalogue.forget_collection(collection)

    def _discard(self, collection: str, image_id: str, held: Held) -> None:
        if image_id not in self.catalogue.find(collection, [image_id]):
            held.check()
            self.images.delete_folder(image_folder(collection, image_id))
            self.store.delete_image(collection, image_id)
            self.words.delete_image(collection, image_id)

    def _write_points(self, batch: Batch, dim: int) -> None:
        self.store.ensure_collection(batch.collection, dim)
        self.store.replace_images(batch.collection, [points for _, points in batch.points()])

    def _write_words(self, batch: Batch) -> None:
        """Write the images' words; one indexed without local features keeps none of old."""
        points = list(batch.words_points())
        self.words.put(batch.collection, [point for _, point in points if point is not None])
        for image, point in points:
            if point is None:
                self.words.delete_image(batch.collection, image.record.image_id)

    def _write_all_files(self, batch: Batch, held: Held) -> None:
        """Write the files of all images, of several at a time where the store is far away."""

        def write(image: IndexedImage) -> None:
            held.check()
            self._write_files(batch.collection, image)

        for _ in at_once(self.images, write, batch.images):
            pass

    def _write_files(self, collection: str, image: IndexedImage) -> None:
        """Write thumbnail, local features and the list of regions beside the image."""
        name = image.record.image_id
        if image.thumbnail is not None:
            self.images.put(thumbnail_key(collection, name), image.thumbnail)
        if image.keypoints is not None:
            self.images.put(local_key(collection, name), image.keypoints)
        elif image.words is None:
            self.images.delete(local_key(collection, name))
        self.images.put(regions_key(collection, name), image.listed)
        self.images.delete(old_regions_key(collection, name))

    def _list(self, batch: Batch) -> set[str]:
        """List the images in the catalogue; return the ids of those that are still wanted.

        One whose metadata alone were edited was indexed when it was, and keeps its place in lists.
        """
        now = time.time()
        records = [image.record for image in batch.images]
        before = [one.indexed_at if one.recipe == batch.recipe else None for one in records]
        return self.catalogue.mark_indexed(
            batch.collection,
            [
                image.record.indexed(regions=len(image.regions), at=at or now, recipe=batch.recipe)
                for image, at in zip(batch.images, before, strict=True)
            ],
        )


def _ended(image: IndexedImage, kept: set[str]) -> Item:
    if image.record.image_id in kept:
        return image.item.ended(ItemStatus.INDEXED, image.record.image_id)
    return image.item.failed(NotFound("The image was deleted while it was being indexed."))
