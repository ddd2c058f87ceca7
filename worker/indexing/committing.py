"""Writing a batch: vectors, region lists, the catalogue, and last the job's items.

Each step may be repeated, and the items end only when everything before is written: whatever is
killed in between, the task that runs again completes the same state.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import Protocol

from common.catalogue import Catalogue
from common.errors import EncoderMismatch, NeedleError, NotFound, Transient, Unforeseen
from common.images import ImageStore, local_key, photo_folder, regions_key
from common.job_store import JobStore
from common.jobs import Item, ItemStatus
from common.queue import COMMIT_TASK, STORE, TaskQueue
from worker.indexing.batch import Batch, IndexedImage, handover_key
from worker.vectors.base import VectorStore
from worker.vectors.words import WordStore

log = logging.getLogger(__name__)


class Committer(Protocol):
    """Takes finished batches."""

    def commit(self, batch: Batch) -> None:
        """Write the batch, or see to it that it is written. Raises StoreUnavailable."""
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
        """See Committer. Photos that were deleted meanwhile stay deleted."""
        if not self._wanted(batch.job_id):
            return
        dim = batch.embeddings.shape[1]
        try:
            self.catalogue.bind(batch.collection, encoder=batch.encoder, dim=dim)
        except EncoderMismatch as error:
            self.jobs.fail(batch.job_id, error.code, error.message)
            return
        self.store.ensure_collection(batch.collection, dim)
        self.store.replace_images(
            batch.collection, {image.record.image_id: points for image, points in batch.points()}
        )
        self._write_words(batch)
        for image in batch.images:
            self._write_regions(batch.collection, image)
        kept = self._list(batch)
        for image in batch.images:
            if image.record.image_id not in kept:
                self.discard(batch.collection, image.record.image_id)
        self.jobs.finish_items(batch.job_id, [self._ended(image, kept) for image in batch.images])

    def commit_handed_over(self, key: str) -> None:
        """Write the batch that an index worker left under `key`, then remove the file."""
        try:
            content = self.images.open(key)
        except NotFound:
            log.info("batch %s was written before", key)
            return
        batch = Batch.from_bytes(content)
        try:
            self.commit(batch)
        except Transient:
            raise
        except Exception:
            log.exception("a batch of %d photos was not taken", len(batch.images))
            self._commit_alone(batch)
        self.images.delete(key)

    def _commit_alone(self, batch: Batch) -> None:
        """Write the photos of a batch one by one; those that are not taken fail."""
        for single in batch.alone():
            try:
                self.commit(single)
            except Transient:
                raise
            except Exception as exc:
                error = exc if isinstance(exc, NeedleError) else Unforeseen("Storing it failed.")
                failed = single.images[0].item.failed(error)
                self.jobs.finish_items(batch.job_id, [failed])

    def discard(self, collection: str, image_id: str) -> None:
        """Remove an image's points and files, unless it was posted again meanwhile."""
        if image_id not in self.catalogue.find(collection, [image_id]):
            self.store.delete_image(collection, image_id)
            self.words.delete_image(collection, image_id)
            self.images.delete(photo_folder(collection, image_id))

    def _wanted(self, job_id: str) -> bool:
        """Tell whether the job still runs; one that is gone or cancelled writes no more."""
        try:
            return not self.jobs.get(job_id).status.final
        except NotFound:
            return False

    def _write_words(self, batch: Batch) -> None:
        """Write the photos' words; a photo indexed without local features keeps none of old."""
        points = list(batch.words_points())
        self.words.put(batch.collection, [point for _, point in points if point is not None])
        for image, point in points:
            if point is None:
                name = image.record.image_id
                self.words.delete_image(batch.collection, name)
                self.images.delete(local_key(batch.collection, name))

    def _write_regions(self, collection: str, image: IndexedImage) -> None:
        shown = ("box", "source", "label", "confidence")
        payloads = [region.payload() for region in image.regions]
        regions = [{name: payload[name] for name in shown} for payload in payloads]
        key = regions_key(collection, image.record.image_id)
        self.images.put(key, json.dumps(regions).encode())

    def _list(self, batch: Batch) -> set[str]:
        now = time.time()
        return self.catalogue.mark_indexed(
            batch.collection,
            [
                image.record.indexed(regions=len(image.regions), at=now, recipe=batch.recipe)
                for image in batch.images
            ],
        )

    @staticmethod
    def _ended(image: IndexedImage, kept: set[str]) -> Item:
        if image.record.image_id in kept:
            return image.item.ended(ItemStatus.INDEXED, image.record.image_id)
        return image.item.failed(NotFound("The photo was deleted while it was being indexed."))


@dataclass(frozen=True)
class Forwarder:
    """Hands batches to the process that owns the vector store."""

    images: ImageStore
    queue: TaskQueue

    def commit(self, batch: Batch) -> None:
        """See Committer."""
        key = handover_key(batch.job_id, batch.images[0].item.index)
        self.images.put(key, batch.to_bytes())
        self.queue.submit(COMMIT_TASK, STORE, {"job_id": batch.job_id, "key": key})
