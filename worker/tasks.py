"""The Celery tasks. Each is short: find the job, run it, record how it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery, Task
from celery.exceptions import Reject
from celery.worker.request import Request

from common.contract import orders
from common.contract.orders import IndexOrder
from common.errors import BrokerUnavailable, IncompatibleJob, NeedleError, Transient
from common.jobs import Item, ItemStatus
from common.log import log_context
from common.queue import (
    COMMIT_TASK,
    DELETE_COLLECTION_TASK,
    DELETE_TASK,
    INDEX_TASK,
    SEARCH_TASK,
    STORE,
)
from worker.commit import Writer
from worker.context import Base
from worker.index import Indexer
from worker.options import IndexOptions
from worker.removal import delete_some
from worker.search import Searcher

log = logging.getLogger(__name__)

TRUSTED_ATTEMPTS = 2
"""After so many broken attempts a chunk's items are tried one by one."""
ATTEMPTS_PER_ITEM = 2
"""An item that ends its process this often alone is failed."""
PAUSE_S = 3.0
"""Wait before a task whose store or broker is away goes back to the queue."""


class DurableRequest(Request):  # type: ignore[misc]
    """Puts a task that outlived the hard time limit back; Celery would drop it."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Requeue before Celery acknowledges."""
        if not soft:
            self.reject(requeue=True)
        super().on_timeout(soft, timeout)


class DurableTask(Task):  # type: ignore[misc]
    """A task that is done only when it has ended."""

    Request = DurableRequest


def requeue(error: BaseException) -> Reject:
    """Return what puts the running task back to the queue.

    The pause is taken here: while a store is away every other task would fail just the same.
    """
    log.warning("%s The task goes back to the queue.", error)
    threading.Event().wait(PAUSE_S)
    return Reject(str(error), requeue=True)


def register_index(app: Celery, base: Base, indexer: Callable[[], Indexer]) -> None:
    """Register the task of the index role. `indexer` loads the models on its first call."""
    limit = base.settings.task_time_limit_s

    @app.task(  # type: ignore[untyped-decorator]
        name=INDEX_TASK,
        shared=False,
        base=DurableTask,
        soft_time_limit=limit,
        time_limit=limit + 30,
    )
    def index(job_id: str, first: int, last: int) -> None:
        with log_context(job_id=job_id, items=f"{first}-{last}"):
            try:
                _index(base, indexer(), job_id, range(first, last + 1))
            except (Transient, SoftTimeLimitExceeded) as error:
                back = requeue(error)
                if isinstance(error, Transient):
                    # Redis may be what is away; its absence must not keep the task from going back.
                    with suppress(BrokerUnavailable):
                        base.attempts.forget(f"{job_id}:{first}")
                raise back from error


def _index(base: Base, indexer: Indexer, job_id: str, indexes: Sequence[int]) -> None:
    started = time.monotonic()
    if not base.jobs.start(job_id):
        log.info("the job has ended or is gone")
        return
    try:
        order = orders.of(base.jobs.get(job_id), IndexOrder)
    except IncompatibleJob as error:
        base.jobs.fail(job_id, error.code, error.message)
        return
    options = IndexOptions.of(order, base.settings)
    items = [item for item in base.jobs.pick(job_id, indexes) if item.status is ItemStatus.QUEUED]
    key = f"{job_id}:{indexes[0]}"
    if base.attempts.begin(key) <= TRUSTED_ATTEMPTS:
        indexer.run(job_id, items, options)
    else:
        _one_by_one(base, indexer, job_id, key, items, options)
    base.attempts.forget(key)
    log.info("%d photos in %.2f s", len(items), time.monotonic() - started)


def _one_by_one(
    base: Base, indexer: Indexer, job_id: str, key: str, items: list[Item], options: IndexOptions
) -> None:
    """Index items alone, noting each first: the one that kills this process fails, not the rest."""
    log.warning("the chunk has ended its process %d times: one photo at a time", TRUSTED_ATTEMPTS)
    for item in items:
        if base.attempts.suspect(key, item.index) > ATTEMPTS_PER_ITEM:
            indexer.fail(job_id, item, "The worker's process ended each time it read this photo.")
            continue
        indexer.run(job_id, [item], options)


def register_search(
    app: Celery, base: Base, writer: Callable[[], Writer], searcher: Callable[[], Searcher]
) -> None:
    """Register the tasks of the search role, and those of whoever owns the vector store."""

    @app.task(name=SEARCH_TASK, shared=False)  # type: ignore[untyped-decorator]
    def search(job_id: str) -> None:
        with log_context(job_id=job_id):
            try:
                _search(base, searcher(), job_id)
            except BrokerUnavailable as error:
                raise requeue(error) from error

    @app.task(name=COMMIT_TASK, shared=False)  # type: ignore[untyped-decorator]
    def commit(job_id: str, key: str) -> None:
        with log_context(job_id=job_id):
            try:
                writer().commit_handed_over(key)
            except Transient as error:
                raise requeue(error) from error

    @app.task(name=DELETE_TASK, shared=False)  # type: ignore[untyped-decorator]
    def delete(job_id: str, collection: str, image_id: str) -> None:
        with log_context(job_id=job_id):
            try:
                writer().discard(collection, image_id)
                base.jobs.succeed(job_id, {"image_id": image_id, "collection": collection})
            except Transient as error:
                raise requeue(error) from error

    @app.task(name=DELETE_COLLECTION_TASK, shared=False)  # type: ignore[untyped-decorator]
    def delete_collection(job_id: str, collection: str, first: int = 0) -> None:
        with log_context(job_id=job_id):
            try:
                after = delete_some(writer(), job_id, collection, first)
                if after is not None:
                    # In pieces, each shorter than the time after which Redis delivers it again.
                    payload = {"job_id": job_id, "collection": collection, "first": after}
                    base.queue.submit(DELETE_COLLECTION_TASK, STORE, payload)
            except Transient as error:
                raise requeue(error) from error


def _search(base: Base, searcher: Searcher, job_id: str) -> None:
    started = time.monotonic()
    if not base.jobs.start(job_id):
        return
    try:
        found = searcher.run(base.jobs.get(job_id))
        base.jobs.succeed(job_id, found.model_dump(mode="json", exclude_unset=True))
        log.info("%d matches in %.3f s", len(found.matches), time.monotonic() - started)
    except BrokerUnavailable:
        raise
    except NeedleError as error:
        log.info("%s", error.message)
        base.jobs.fail(job_id, error.code, error.message)
    except Exception:
        log.exception("a search failed")
        base.jobs.fail(job_id, "internal", "The search failed; the worker's log says why.")
