"""The index pipeline, stage by stage: loaded, described, seen, gathered, committed.

Work goes through in batches of images, so that the detector sees full batches and the memory holds
a few images at a time. An image that cannot be read is one failed item; nothing else suffers. What
is tried again, and how often, is decided by the caller: see `worker.attempts`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from common.job_store import JobStore
from common.jobs import Item
from worker.indexing.committing import Committer
from worker.indexing.describing import Describer
from worker.indexing.gathering import gathered
from worker.indexing.image import LoadedImage
from worker.indexing.loading import Loader
from worker.indexing.options import IndexOptions
from worker.indexing.seeing import Seer

log = logging.getLogger(__name__)

MAX_BATCH_PIXELS = 64_000_000
"""Decoded images that are cut up together: 192 MB of RGB."""


@dataclass(frozen=True)
class IndexPipeline:
    """The stages, in their order, with one set of models."""

    loader: Loader
    describer: Describer
    seer: Seer
    committer: Committer
    jobs: JobStore

    def run(self, items: Sequence[Item], options: IndexOptions) -> None:
        """Take one batch of a job's items through all stages.

        Raises whatever a stage raises. Items that need no stage after loading have ended by then:
        they are indexed already, or cannot be loaded. Running it again changes nothing.
        """
        started = time.monotonic()
        recipe = self.recipe(options)
        loaded = self.loader.load(items, options, recipe)
        if loaded.ended:
            self.jobs.finish_items(options.job_id, loaded.ended)
        for images in _by_pixels(loaded.images):
            described = self.describer.with_features(images, options)
            seen = self.seer.see(
                [image.pixels for image in described],
                profile=options.profile,
                confidence_threshold=options.confidence_threshold,
            )
            batch = gathered(
                described,
                seen,
                options,
                encoder=self.seer.encoder.id,
                vocabulary=self.describer.vocabulary.id,
                recipe=recipe,
            )
            self.committer.commit(batch)
        seconds = time.monotonic() - started
        log.info("indexed %d of %d images in %.2f s", len(loaded.images), len(items), seconds)

    def recipe(self, options: IndexOptions) -> str:
        """Name everything that decides an image's regions, embeddings and local features."""
        regions = self.seer.recipe(options.profile, options.confidence_threshold)
        local = self.describer.recipe(options.local_features)
        return f"{regions}|{local}" if local else regions


def _by_pixels(images: Sequence[LoadedImage]) -> Iterator[list[LoadedImage]]:
    """Split images into runs whose crops fit into memory together."""
    part: list[LoadedImage] = []
    held = 0
    for image in images:
        count = image.pixels.width * image.pixels.height
        if part and held + count > MAX_BATCH_PIXELS:
            yield part
            part, held = [], 0
        part.append(image)
        held += count
    if part:
        yield part
