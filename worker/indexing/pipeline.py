"""Indexing a chunk of a job: load, detect, propose, embed, commit.

Work goes through in batches of photos, so that the detector sees full batches and the memory holds
a few photos at a time. A photo that cannot be read is one failed item; nothing else suffers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from billiard.exceptions import SoftTimeLimitExceeded
from PIL import Image

from common import pictures
from common.errors import NeedleError, Transient, Unforeseen, WorkerCrashed
from common.job_store import JobStore
from common.jobs import Item, ItemStatus
from worker.indexing.batch import Batch, IndexedImage
from worker.indexing.committing import Committer
from worker.indexing.describing import Describer
from worker.indexing.loading import Loaded, Loader, Unchanged, Unloadable
from worker.indexing.options import IndexOptions
from worker.indexing.proposing import Proposer
from worker.indexing.regions import Proposal
from worker.models.base import Encoder
from worker.vectors.base import Region

log = logging.getLogger(__name__)

MAX_BATCH_PIXELS = 64_000_000
"""Decoded photos held at once: 192 MB of RGB."""
_NONE = np.zeros(0, np.int64)
CROPS_AT_ONCE = 256
"""Crops cut before they are embedded: the tiles of a photo hold its pixels once a grid."""


@dataclass(frozen=True)
class Indexer:
    """Runs the index pipeline with one set of models."""

    proposer: Proposer
    encoder: Encoder
    loader: Loader
    committer: Committer
    jobs: JobStore
    describer: Describer

    def recipe(self, options: IndexOptions) -> str:
        """Name everything that decides an image's regions and embeddings."""
        regions = self.proposer.recipe(options.profile, options.confidence_threshold)
        local = self.describer.recipe(options.local_features)
        return f"{self.encoder.id}|{regions}{'|' + local if local else ''}"

    def run(self, job_id: str, items: Sequence[Item], options: IndexOptions) -> None:
        """Index the items, batch by batch. Raises transient errors; every other fault fails items.

        A cancelled job stops between batches.
        """
        for start in range(0, len(items), options.batch_size):
            if self.jobs.get(job_id).status.final:
                return
            self._run_batch(job_id, items[start : start + options.batch_size], options)

    def fail(self, job_id: str, item: Item, reason: str) -> None:
        """Fail an item that ends the process each time it is tried."""
        self.jobs.finish_items(job_id, [item.failed(WorkerCrashed(reason))])

    def _run_batch(self, job_id: str, items: Sequence[Item], options: IndexOptions) -> None:
        """Index one batch; if it fails as a whole, try its items one by one."""
        try:
            self._index(job_id, items, options)
        except (Transient, SoftTimeLimitExceeded):
            raise  # not the photos' fault, or not to be tried again within this task
        except Exception as exc:
            log.exception("a batch of %d photos failed", len(items))
            if len(items) == 1:
                error = exc if isinstance(exc, NeedleError) else Unforeseen("Indexing it failed.")
                self.jobs.finish_items(job_id, [items[0].failed(error)])
                return
            for item in items:
                self._run_batch(job_id, [item], options)

    def _index(self, job_id: str, items: Sequence[Item], options: IndexOptions) -> None:
        started = time.monotonic()
        recipe = self.recipe(options)
        loaded: list[Loaded] = []
        ended: list[Item] = []
        for outcome in self.loader.load(items, options, recipe):
            match outcome:
                case Loaded():
                    loaded.append(outcome)
                case Unchanged(item, image_id):
                    ended.append(item.ended(ItemStatus.UNCHANGED, image_id))
                case Unloadable(item, error):
                    log.info("%s: %s", item.name, error.message)
                    ended.append(item.failed(error))
        if ended:
            self.jobs.finish_items(job_id, ended)
        for part in _by_pixels(loaded):
            self._embed(job_id, part, options, recipe)
        log.info(
            "indexed %d of %d photos in %.2f s",
            len(loaded),
            len(items),
            time.monotonic() - started,
        )

    def _embed(
        self, job_id: str, loaded: Sequence[Loaded], options: IndexOptions, recipe: str
    ) -> None:
        words = self.describer.describe(
            [(photo.record, photo.image) for photo in loaded], options.local_features
        )
        proposed = self.proposer.propose(
            [photo.image for photo in loaded],
            profile=options.profile,
            confidence_threshold=options.confidence_threshold,
        )
        images = [
            IndexedImage(
                photo.item,
                photo.record,
                tuple(_region(photo, proposal) for proposal in proposals),
                None if own is None else len(own),
            )
            for photo, proposals, own in zip(loaded, proposed, words, strict=True)
        ]
        crops = (
            pictures.crop(photo.image, region.box)
            for photo, image in zip(loaded, images, strict=True)
            for region in image.regions
        )
        embeddings = [self.encoder.encode_images(part) for part in iter_lists(crops, CROPS_AT_ONCE)]
        batch = Batch(
            job_id=job_id,
            collection=options.collection,
            encoder=self.encoder.id,
            recipe=recipe,
            images=tuple(images),
            embeddings=np.concatenate(embeddings),
            words=np.concatenate([_NONE, *(own for own in words if own is not None)]),
            vocabulary=self.describer.vocabulary.id,
        )
        self.committer.commit(batch)


def _region(photo: Loaded, proposal: Proposal) -> Region:
    confidence = proposal.confidence
    return Region(
        image_id=photo.record.image_id,
        box=proposal.box,
        source=proposal.source,
        label=proposal.label,
        confidence=None if confidence is None else round(confidence, 4),
        filename=photo.record.filename,
        metadata=photo.record.metadata,
    )


def iter_lists(crops: Iterable[Image.Image], size: int) -> Iterator[list[Image.Image]]:
    """Yield lists of at most `size` crops; the crops are cut as they are asked for."""
    rest = iter(crops)
    while part := list(islice(rest, size)):
        yield part


def _by_pixels(loaded: Sequence[Loaded]) -> Iterator[list[Loaded]]:
    """Split photos into runs whose crops fit into memory together."""
    part: list[Loaded] = []
    held = 0
    for photo in loaded:
        pixels = photo.image.width * photo.image.height
        if part and held + pixels > MAX_BATCH_PIXELS:
            yield part
            part, held = [], 0
        part.append(photo)
        held += pixels
    if part:
        yield part
