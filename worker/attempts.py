"""What is tried again, and how often, and how items and jobs end: every rule of it.

An error that passes (`Transient`: a store or Redis is away) sends the task back to its queue, fails
nothing and counts as no attempt. Any other error is a batch's own: its images are tried alone, and
the one that fails alone has failed. A process that dies says nothing, so attempts are counted
before they are made; a chunk that has died too often goes on image by image.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from billiard.exceptions import SoftTimeLimitExceeded
from celery.exceptions import Reject

from common.errors import (
    BrokerUnavailable,
    EncoderMismatch,
    NeedleError,
    Transient,
    Unforeseen,
    WorkerCrashed,
)
from common.job_store import JobStore
from common.jobs import Item, ItemStatus, Job
from common.redis import Client, translated

log = logging.getLogger(__name__)
T = TypeVar("T")

TRUSTED_ATTEMPTS = 2
"""After so many broken attempts a chunk's items are tried one by one."""
ATTEMPTS_PER_ITEM = 2
"""An item that ends its process this often alone is failed."""
PAUSE_S = 3.0
"""Wait before a task whose store or broker is away goes back to the queue."""
TASK_ERRORS = (Transient, SoftTimeLimitExceeded)
"""Not the images' fault, or not to be tried again within the same task."""


class Attempts:
    """Counts in Redis, the memory that outlives a killed process; `task_key` names a task."""

    def __init__(self, redis: Client, *, ttl_s: int) -> None:
        self._redis = redis
        self._ttl_s = ttl_s

    def begin(self, task_key: str) -> int:
        """Count an attempt at the task and return how many there were, this one included."""
        return self._count(task_key, "task")

    def suspect(self, task_key: str, item: int) -> int:
        """Count an attempt at one item of the task, tried alone, and return how many there were."""
        return self._count(task_key, str(item))

    def forget(self, task_key: str) -> None:
        """Forget the task: it has ended, or what stopped it was no fault of its own."""
        with translated():
            self._redis.delete(_key(task_key))

    def _count(self, task_key: str, field: str) -> int:
        with translated():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hincrby(_key(task_key), field, 1)
            pipe.expire(_key(task_key), self._ttl_s)
            return int(pipe.execute()[0])


def _key(task_key: str) -> str:
    return f"needle:attempts:{task_key}"


def chunk_key(job_id: str, first: int) -> str:
    """Return the name under which attempts at the chunk from item `first` on are counted."""
    return f"{job_id}:{first}"


@contextmanager
def back_to_the_queue(
    *errors: type[BaseException], forget: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Turn these errors into the Reject that puts the running task back to its queue.

    The pause is taken here: while a store is away every other task would fail just the same.
    `forget` takes the attempt back when the error passes by itself.
    """
    try:
        yield
    except errors as error:
        log.warning("%s The task goes back to the queue.", error)
        threading.Event().wait(PAUSE_S)
        if isinstance(error, Transient):
            # Redis may be what is away; its absence must not keep the task from going back.
            with suppress(BrokerUnavailable):
                forget()
        raise Reject(str(error), requeue=True) from error


@contextmanager
def failing_its_job(jobs: JobStore, job_id: str, otherwise: str) -> Iterator[None]:
    """Fail the job for whatever nobody below has dealt with, so that no job stays open for ever.

    What sends the task back to its queue passes: TASK_ERRORS.
    """
    try:
        yield
    except TASK_ERRORS:
        raise
    except Exception as exc:
        log.exception("a task failed as a whole")
        error = failure(exc, otherwise)
        jobs.fail(job_id, error.code, error.message)


def failure(error: Exception, otherwise: str) -> NeedleError:
    """Return what an item fails with: the error itself, or `otherwise` for one nobody foresaw."""
    return error if isinstance(error, NeedleError) else Unforeseen(otherwise)


@dataclass(frozen=True)
class RunningJob:
    """A job whose items end as they are worked on."""

    jobs: JobStore
    job_id: str

    def whole_or_alone(
        self,
        run: Callable[[T], None],
        whole: T,
        alone: Callable[[T], Sequence[tuple[Item, T]]],
        otherwise: str,
    ) -> None:
        """Run a batch; if it fails as a whole, run each of its items alone.

        `alone` takes the batch apart. An item that fails alone ends as failed, for its error or
        `otherwise`. Another encoder's collection fails the whole job. Raises TASK_ERRORS only.
        """
        try:
            run(whole)
        except EncoderMismatch as error:
            self.jobs.fail(self.job_id, error.code, error.message)
        except TASK_ERRORS:
            raise
        except Exception as exc:
            parts = alone(whole)
            log.exception("a batch of %d images failed", len(parts))
            if len(parts) == 1:
                self._fail(parts[0][0], failure(exc, otherwise))
                return
            for _, part in parts:
                self.whole_or_alone(run, part, alone, otherwise)

    def run_chunk(
        self,
        attempts: Attempts,
        indexes: Sequence[int],
        run: Callable[[Sequence[Item]], None],
        *,
        batch_size: int,
    ) -> int:
        """Run those of the job's items that have not ended, in batches; return how many there were.

        A job that ends meanwhile, cancelled or failed, stops between batches. A chunk that has
        ended its process too often goes item by item, and the item that does so alone fails.
        """
        picked = self.jobs.pick(self.job_id, indexes)
        items = [item for item in picked if item.status is ItemStatus.QUEUED]
        key = chunk_key(self.job_id, indexes[0])
        if attempts.begin(key) <= TRUSTED_ATTEMPTS:
            starts = range(0, len(items), batch_size)
            self._run_batches([items[start : start + batch_size] for start in starts], run)
        else:
            log.warning("the chunk has ended its process %d times", TRUSTED_ATTEMPTS)
            for item in items:
                if attempts.suspect(key, item.index) > ATTEMPTS_PER_ITEM:
                    crashed = "The worker's process ended each time it read this image."
                    self._fail(item, WorkerCrashed(crashed))
                else:
                    self._run_batches([[item]], run)
        attempts.forget(key)
        return len(items)

    def _run_batches(
        self, batches: Sequence[Sequence[Item]], run: Callable[[Sequence[Item]], None]
    ) -> None:
        for batch in batches:
            if not self.jobs.is_open(self.job_id):
                return
            self.whole_or_alone(
                run, batch, lambda items: [(item, [item]) for item in items], "Indexing it failed."
            )

    def _fail(self, item: Item, error: NeedleError) -> None:
        self.jobs.finish_items(self.job_id, [item.failed(error)])


def run_to_its_end(jobs: JobStore, job_id: str, work: Callable[[Job], Any]) -> Any | None:
    """Run a job that has one result, a search; return it, None where there is none.

    Whatever fails, fails the job. Only BrokerUnavailable is raised: nothing could be recorded.
    """
    if not jobs.start(job_id):
        return None
    try:
        result = work(jobs.get(job_id))
        jobs.succeed(job_id, result)
        return result
    except BrokerUnavailable:
        raise
    except NeedleError as error:
        log.info("%s", error.message)
        jobs.fail(job_id, error.code, error.message)
    except Exception:
        log.exception("a search failed")
        jobs.fail(job_id, "internal", "The search failed; the worker's log says why.")
    return None
