"""Tasks that were lost on their way: an open job of which no queue and no worker has any.

What workers take is held by leases (`common/deliveries.py`), but a Redis whose machine loses its
power forgets its last second. Nothing says so, but when nothing waits and nobody is at work, a job
that is open has lost what it needs. Its tasks are then made again; each may run as often as it
likes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from common.contract import orders
from common.contract.orders import DeleteOrder, IndexOrder, Order, SearchesOrder, SearchOrder
from common.deliveries import DELIVERIES, ON_THEIR_WAY
from common.errors import IncompatibleJob
from common.jobs import ItemStatus, Job, Kind, Status
from common.paging import Place
from common.queue import (
    BACKUP_TASK,
    DELETE_COLLECTION_TASK,
    DELETE_TASK,
    FETCH,
    FETCH_TASK,
    INDEX,
    INDEX_TASK,
    QUEUES,
    SEARCH,
    SEARCH_TASK,
    SEARCHES,
    SEARCHES_TASK,
    STORE,
    UPKEEP,
    VERIFY_TASK,
)
from common.redis import translated
from worker.context import Base

log = logging.getLogger(__name__)

SURE_AFTER_S = 60.0
"""How long nothing may have been under way: a request records its job before the tasks."""
AT_ONCE = 1000
Task = tuple[str, str, dict[str, object]]


class Lost:
    """Looks for open jobs without tasks, again and again."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._seen: dict[str, float] = {}

    def look(self, now: float) -> int:
        """Make the tasks of jobs again that were open and without any all the time; count the jobs.

        `now` is monotonic. Raises BrokerUnavailable.
        """
        if self._somebody_is_at_work():
            self._seen.clear()
            return 0
        open_jobs = {job.job_id: job for job in self._open_jobs()}
        self._seen = {name: self._seen.get(name, now) for name in open_jobs}
        lost = [open_jobs[name] for name, at in self._seen.items() if now - at >= SURE_AFTER_S]
        for job in lost:
            log.warning("the tasks of the job %s were lost; they are made again", job.job_id)
            for task, queue, payload in self._tasks(job):
                self._base.queue.submit(task, queue, payload)
        return len(lost)

    def _somebody_is_at_work(self) -> bool:
        with translated():
            pipe = self._base.redis.pipeline(transaction=True)
            for queue in QUEUES:
                pipe.llen(queue)
                pipe.llen(ON_THEIR_WAY + queue)
            pipe.hlen(DELIVERIES)
            return any(pipe.execute())

    def _open_jobs(self) -> Iterator[Job]:
        for status in (Status.QUEUED, Status.STARTED):
            yield from self._base.jobs.list.page(Place(), AT_ONCE, status=status).rows

    def _tasks(self, job: Job) -> Iterator[Task]:
        try:
            if job.kind is Kind.INDEX:
                yield from self._of_items(job, IndexOrder, INDEX_TASK, INDEX)
            elif job.kind is Kind.SEARCHES:
                yield from self._of_items(job, SearchesOrder, SEARCHES_TASK, SEARCHES)
            elif job.kind is Kind.SEARCH:
                slow = orders.of(job, SearchOrder).urls()
                queue, task = (FETCH, FETCH_TASK) if slow else (SEARCH, SEARCH_TASK)
                yield task, queue, {"job_id": job.job_id}
            elif job.kind is Kind.DELETE:
                yield self._of_a_deletion(job)
            else:
                task = VERIFY_TASK if job.kind is Kind.VERIFY else BACKUP_TASK
                yield task, UPKEEP, {"job_id": job.job_id}
        except IncompatibleJob as error:
            self._base.jobs.fail(job.job_id, error.code, error.message)

    def _of_items(self, job: Job, order: type[Order], task: str, queue: str) -> Iterator[Task]:
        """Yield a task for each chunk of which an item has not ended."""
        orders.of(job, order)
        size = self._base.settings.chunk_size
        for first in range(0, job.total, size):
            items = self._base.jobs.items(job.job_id, offset=first, limit=size)
            if any(item.status is ItemStatus.QUEUED for item in items):
                payload = {"job_id": job.job_id, "first": first, "last": items[-1].index}
                yield task, queue, payload

    def _of_a_deletion(self, job: Job) -> Task:
        order = orders.of(job, DeleteOrder)
        payload: dict[str, object] = {"job_id": job.job_id, "collection": order.collection}
        if order.whole:
            return DELETE_COLLECTION_TASK, STORE, payload
        (item,) = self._base.jobs.items(job.job_id, offset=0, limit=1)
        return DELETE_TASK, STORE, {**payload, "image_id": item.image_id}
