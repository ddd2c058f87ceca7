"""The Celery tasks. Each is short: find the job, run it, record how it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from celery import Celery

from common.contract import orders
from common.contract.orders import SearchOrder
from common.disk import Use
from common.errors import (
    BrokerUnavailable,
    DiskFull,
    HandoverBroken,
    IncompatibleJob,
    NotFound,
    Permanent,
    Transient,
)
from common.jobs import ItemStatus
from common.log import log_context
from common.metrics import meters
from common.queue import (
    COMMIT_TASK,
    CONFIRM_TASK,
    DELETE_COLLECTION_TASK,
    DELETE_TASK,
    FETCH_TASK,
    INDEX,
    INDEX_TASK,
    SEARCH,
    SEARCH_TASK,
    SEARCHES_TASK,
    STORE,
    SWEEP_TASK,
)
from worker.attempts import (
    TASK_ERRORS,
    TRUSTED_ATTEMPTS,
    RunningJob,
    back_to_the_queue,
    chunk_key,
    failing_its_job,
    run_to_its_end,
)
from worker.context import Base
from worker.indexing.committing import Writer
from worker.indexing.handover import handed_over
from worker.indexing.options import IndexOptions
from worker.indexing.pipeline import IndexPipeline
from worker.removal import delete_some, sweep
from worker.searches import Turns, run_searches
from worker.searching.downloading import Downloader
from worker.searching.pipeline import SearchPipeline

log = logging.getLogger(__name__)

FULL_PAUSE_S = 1.0
"""Wait before a commit is tried again that the disk has no room for."""


def register_index(app: Celery, base: Base, pipeline: Callable[[], IndexPipeline]) -> None:
    """Register the task of the index role. `pipeline` loads the models on its first call."""
    limit = base.settings.task_time_limit_s

    @app.task(  # type: ignore[untyped-decorator]
        name=INDEX_TASK,
        shared=False,
        soft_time_limit=limit,
        time_limit=limit + 30,
    )
    def index(job_id: str, first: int, last: int) -> None:
        def forget() -> None:
            base.attempts.forget(chunk_key(job_id, first))

        with (
            log_context(job_id=job_id, items=f"{first}-{last}"),
            back_to_the_queue(*TASK_ERRORS, forget=forget),
            failing_its_job(base.jobs, job_id, "Indexing failed."),
        ):
            run_index(base, pipeline(), job_id, range(first, last + 1))


def register_search(
    app: Celery,
    base: Base,
    writer: Callable[[], Writer],
    pipeline: Callable[[], SearchPipeline],
    turns: Turns | None = None,
) -> None:
    """Register the tasks of the search role, and those of whoever owns the vector store.

    All apps of a process have the same `turns`.
    """

    turns = turns or Turns()

    @app.task(name=SEARCH_TASK, shared=False)  # type: ignore[untyped-decorator]
    def search(job_id: str) -> None:
        with log_context(job_id=job_id), back_to_the_queue(BrokerUnavailable), turns.first():
            run_search(base, pipeline(), job_id)

    @app.task(name=SEARCHES_TASK, shared=False)  # type: ignore[untyped-decorator]
    def searches(job_id: str, first: int, last: int) -> None:
        def forget() -> None:
            base.attempts.forget(chunk_key(job_id, first))

        with (
            log_context(job_id=job_id, items=f"{first}-{last}"),
            back_to_the_queue(Transient, forget=forget),
            failing_its_job(base.jobs, job_id, "Searching failed."),
        ):
            run_searches(base, pipeline(), turns, job_id, range(first, last + 1))

    @app.task(name=FETCH_TASK, shared=False)  # type: ignore[untyped-decorator]
    def fetch(job_id: str) -> None:
        with log_context(job_id=job_id), back_to_the_queue(Transient):
            run_fetch(base, job_id)

    @app.task(name=COMMIT_TASK, shared=False)  # type: ignore[untyped-decorator]
    def commit(job_id: str, key: str) -> None:
        with (
            log_context(job_id=job_id),
            back_to_the_queue(Transient),
            failing_its_job(base.jobs, job_id, "Storing the batch failed."),
        ):
            try:
                if not run_commit(writer(), key):
                    make_again(base, job_id, key)
            except DiskFull as error:
                wait_for_room(base, job_id, key, error)

    @app.task(name=CONFIRM_TASK, shared=False)  # type: ignore[untyped-decorator]
    def confirm(job_id: str, collection: str, images: list[tuple[int, str]]) -> None:
        with (
            log_context(job_id=job_id),
            back_to_the_queue(Transient),
            failing_its_job(base.jobs, job_id, "Looking whether it is there failed."),
        ):
            base.owner(writer()).confirm(job_id, collection, dict(images))

    @app.task(name=DELETE_TASK, shared=False)  # type: ignore[untyped-decorator]
    def delete(job_id: str, collection: str, image_id: str) -> None:
        with (
            log_context(job_id=job_id),
            back_to_the_queue(Transient),
            failing_its_job(base.jobs, job_id, "Deleting it failed."),
        ):
            writer().discard(collection, image_id)
            base.jobs.succeed(job_id, {"image_id": image_id, "collection": collection})

    @app.task(name=SWEEP_TASK, shared=False)  # type: ignore[untyped-decorator]
    def sweep_up(job_id: str) -> None:
        with log_context(job_id=job_id), back_to_the_queue(Transient), suppress(Permanent):
            sweep(base, job_id)

    @app.task(name=DELETE_COLLECTION_TASK, shared=False)  # type: ignore[untyped-decorator]
    def delete_collection(job_id: str, collection: str, first: int = 0) -> None:
        with (
            log_context(job_id=job_id),
            back_to_the_queue(Transient),
            failing_its_job(base.jobs, job_id, "Deleting the collection failed."),
        ):
            after = delete_some(writer(), job_id, collection, first)
            if after is not None:
                # In pieces, each shorter than the time after which Redis delivers it again.
                payload = {"job_id": job_id, "collection": collection, "first": after}
                base.queue.submit(DELETE_COLLECTION_TASK, STORE, payload)


def run_index(base: Base, pipeline: IndexPipeline, job_id: str, indexes: Sequence[int]) -> None:
    """Index the items of a chunk that have not ended. Raises TASK_ERRORS.

    What cannot be begun in half of a task's time goes back to the queue as a task of its own.
    """
    started = time.monotonic()
    if not base.jobs.start(job_id):
        log.info("the job has ended or is gone")
        return
    try:
        options = IndexOptions.of(base.jobs.get(job_id), base.settings)
    except IncompatibleJob as error:
        base.jobs.fail(job_id, error.code, error.message)
        return
    base.disk.check(Use.INDEX)  # before the networks see what could not be written
    ran = RunningJob(base.jobs, job_id).run_chunk(
        base.attempts,
        indexes,
        lambda items, more: pipeline.run(items, options, more),
        enough_s=base.settings.task_time_limit_s / 2,
    )
    log.info("%d images in %.2f s", ran.count, time.monotonic() - started)
    if ran.left:
        log.info("%d images are left for another task", len(ran.left))
        payload = {"job_id": job_id, "first": ran.left[0], "last": indexes[-1]}
        base.queue.submit(INDEX_TASK, INDEX, payload)


def run_commit(writer: Writer, key: str) -> bool:
    """Write the batch that an index worker left under `key`, then remove the file.

    Return whether there was a batch that could be read. Raises transient errors.
    """
    try:
        batch = handed_over(writer.images, key)
    except Transient:
        raise
    except Exception:
        log.exception("batch %s cannot be read", key)
        return False
    if batch is None:
        return False
    RunningJob(writer.jobs, batch.job_id).whole_or_alone(
        writer.commit,
        batch,
        lambda whole: [(single.images[0].item, single) for single in whole.alone()],
        "Storing it failed.",
    )
    writer.images.delete(key)
    return True


def make_again(base: Base, job_id: str, key: str) -> None:
    """Have the items of a batch that is lost or broken indexed again, unless they have ended.

    Raises HandoverBroken when that was tried before.
    """
    first = handover_first(key)
    indexes = range(first, first + base.settings.chunk_size)
    left = [item for item in base.jobs.pick(job_id, indexes) if item.status is ItemStatus.QUEUED]
    if not base.jobs.is_open(job_id) or first not in [item.index for item in left]:
        log.info("batch %s was written before", key)
        return
    if base.attempts.begin(key) > TRUSTED_ATTEMPTS:
        raise HandoverBroken("The batch was handed over broken each time it was made.")
    base.images.delete(key)
    payload = {"job_id": job_id, "first": first, "last": left[-1].index}
    base.queue.submit(INDEX_TASK, INDEX, payload)


def wait_for_room(base: Base, job_id: str, key: str, error: DiskFull) -> None:
    """Put a commit behind the other tasks of its queue: deletions among them make room."""
    log.warning("%s The batch waits.", error)
    threading.Event().wait(FULL_PAUSE_S)
    base.queue.submit(COMMIT_TASK, STORE, {"job_id": job_id, "key": key})


def handover_first(key: str) -> int:
    """Return the number of the first item of a batch, which its key ends with."""
    return int(key.rsplit("-", 1)[1].split(".")[0])


def run_fetch(base: Base, job_id: str) -> None:
    """Download what a search names, then hand the search on. Raises transient errors."""
    downloader = Downloader(base.images, base.jobs, base.fetcher, base.disk)
    try:
        if base.jobs.start(job_id):
            downloader.download(job_id, orders.of(base.jobs.get(job_id), SearchOrder))
            base.queue.submit(SEARCH_TASK, SEARCH, {"job_id": job_id})
    except NotFound:
        log.info("the job is gone")
    except Permanent as error:
        log.info("%s", error.message)
        base.jobs.fail(job_id, error.code, error.message)


def run_search(base: Base, pipeline: SearchPipeline, job_id: str) -> None:
    """Answer a search job. Raises BrokerUnavailable."""
    started = time.monotonic()
    with meters().searches_in_progress.track_inprogress():
        result = run_to_its_end(
            base.jobs,
            job_id,
            lambda job: pipeline.run(job).model_dump(mode="json", exclude_unset=True),
        )
    if result is not None:
        meters().search(result)
        base.pace.note(time.monotonic() - started)
        log.info("%d matches in %.3f s", len(result["matches"]), time.monotonic() - started)
