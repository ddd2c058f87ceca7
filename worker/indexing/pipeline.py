"""The index pipeline, stage by stage: found, loaded and described, seen, gathered, committed.

While the networks see one part of a run, the next is loaded and described and the one before is
committed (`overlap.py`). Memory is bounded by the bytes of decoded pixels, whatever the size of
images. An image that cannot be read is one failed item; nothing else suffers. What is tried again,
and how often, is decided by the caller: see `worker.attempts`.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from common.job_store import JobStore
from common.jobs import Item, ItemStatus
from common.metrics import meters
from worker.indexing.batch import Batch
from worker.indexing.committing import Committer
from worker.indexing.confirming import Confirmer
from worker.indexing.describing import Describer
from worker.indexing.gathering import gathered
from worker.indexing.image import LoadedImage
from worker.indexing.loading import Found, Loader
from worker.indexing.options import IndexOptions
from worker.indexing.overlap import Ahead, Behind, Commit
from worker.indexing.pace import Pace
from worker.indexing.seeing import Seer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """Items that went through the stages together, and what stopped them there, if anything did.

    Without an error they have ended, or are with whoever will write them.
    """

    items: Sequence[Item]
    error: Exception | None = None


@dataclass(frozen=True)
class IndexPipeline:
    """The stages, in their order, with one set of models."""

    loader: Loader
    describer: Describer
    seer: Seer
    committer: Committer
    confirmer: Confirmer
    jobs: JobStore
    threads: int
    """Images that are loaded and described at the same time."""
    most_bytes: int
    """Bytes of decoded pixels that are held at the same time; a larger image is held alone."""
    pace: Pace = field(default_factory=Pace)

    def run(
        self,
        items: Sequence[Item],
        options: IndexOptions,
        more: Callable[[], bool] = lambda: True,
    ) -> Generator[Part, None, None]:
        """Take items of a job through all stages; yield what became of them, part by part.

        `more` is asked before each part whether to go on. What a stage raises is yielded with
        the part, so that the others do not suffer. Running it again changes nothing. Threads
        are at work until the generator has ended or is closed.
        """
        recipe = self.recipe(options)
        same: list[Item] = []
        with (
            meters().items_under_way(len(items)),
            Ahead(
                items,
                lambda item: self._found(item, options, recipe),
                self.loader.read,
                lambda found, read: self._loaded(found, read, options),
                threads=self.threads,
                most_bytes=self.most_bytes,
            ) as ahead,
            Behind(self.committer.commit) as behind,
        ):
            while more() and (step := self._step(ahead, options, recipe)):
                same += step.same
                yield from step.done
                if step.ready is not None:
                    yield from map(_committed, behind.put(*step.ready))
            yield from map(_committed, behind.rest())
        if same:
            yield self._confirmed(same, options)

    def recipe(self, options: IndexOptions) -> str:
        """Name everything that decides an image's regions, embeddings and local features."""
        regions = self.seer.recipe(options.profile, options.confidence_threshold)
        local = self.describer.recipe(options)
        return f"{regions}|{local}" if local else regions

    def _found(self, item: Item, options: IndexOptions, recipe: str) -> Found | Item:
        with meters().stage("find"):
            return self.loader.find(item, options, recipe)

    def _loaded(
        self, found: Found, read: Callable[[], bytes], options: IndexOptions
    ) -> LoadedImage | Item:
        with meters().stage("load"):
            image = self.loader.load(found, read)
        if not isinstance(image, LoadedImage):
            return image
        with meters().stage("describe"):
            return self.describer.described(image, options)

    def _step(self, ahead: Ahead, options: IndexOptions, recipe: str) -> _Step | None:
        """Take the next items as far as a batch, and let go of their pixels; None at the end."""
        started = time.monotonic()
        taken = ahead.take(min(options.batch_size, self.pace.most(options.profile)))
        if not taken:
            return None
        meters().batch_fill.observe(len(taken) / options.batch_size)
        step = _Step([Part([item], error) for item, future in taken if (error := _error(future))])
        outcomes = [future.result() for _, future in taken if not _error(future)]
        ended = [outcome for outcome in outcomes if isinstance(outcome, Item)]
        images = [outcome for outcome in outcomes if isinstance(outcome, LoadedImage)]
        items = [image.item for image in images]
        try:
            step.same = [item for item in ended if item.status is ItemStatus.UNCHANGED]
            failed = [item for item in ended if item.status is not ItemStatus.UNCHANGED]
            self._finish(failed, options)
            step.done.append(Part(failed))
            if images:
                step.ready = (items, self._seen(images, options, recipe))
                self.pace.note(options.profile, len(images), time.monotonic() - started)
        except Exception as error:
            # Its frames hold the pixels, and it may live until the items were tried again.
            traceback.clear_frames(error.__traceback__)
            step.done.append(Part(items or ended, error))
        finally:
            taken.clear()
            outcomes.clear()
            images.clear()
            ahead.release()
        return step

    def _finish(self, failed: Sequence[Item], options: IndexOptions) -> None:
        """End items that cannot be loaded."""
        for item in failed:
            if item.error is not None:
                log.info("%s: %s", item.name, item.error["message"])
        if failed:
            self.jobs.finish_items(options.job_id, failed)

    def _confirmed(self, same: Sequence[Item], options: IndexOptions) -> Part:
        """Have those ended that were indexed before, all of a run with one question."""
        images = {item.index: item.image_id for item in same if item.image_id is not None}
        try:
            self.confirmer.confirm(options.job_id, options.collection, images)
        except Exception as error:
            return Part(same, error)
        return Part(same)

    def _seen(self, images: Sequence[LoadedImage], options: IndexOptions, recipe: str) -> Batch:
        with meters().stage("see"):
            seen = self.seer.see(
                [image.pixels for image in images],
                profile=options.profile,
                confidence_threshold=options.confidence_threshold,
            )
        with meters().stage("gather"):
            return gathered(
                images,
                seen,
                options,
                encoder=self.seer.encoder.id,
                vocabulary=self.describer.vocabulary.id,
                recipe=recipe,
            )


@dataclass
class _Step:
    """What became of items that were taken together: parts that are done, items that were indexed
    before, and what is to be committed."""

    done: list[Part]
    same: list[Item] = field(default_factory=list)
    ready: tuple[Sequence[Item], Batch] | None = None


def _committed(commit: Commit) -> Part:
    items, future = commit
    return Part(items, _error(future))


def _error(future: Future[Any]) -> Exception | None:
    """Return what a thread's work raised, once it is done."""
    error = future.exception()
    if error is None or isinstance(error, Exception):
        return error
    raise error
