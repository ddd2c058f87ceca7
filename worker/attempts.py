"""What is tried again, and how often, and how items and jobs end: every rule of it.

An error that passes (`Transient`: a store or Redis is away) sends the task back to its queue, fails
nothing and counts as no attempt. Any other error is a batch's own: its images are tried alone, and
the one that fails alone has failed. A process that dies says nothing, so attempts are counted
before they are made; a chunk that has died too often goes on image by image.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

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
_FAILED = "Indexing it failed."
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


class Part(Protocol):
    """Items that were run together, and what stopped them, if anything did."""

    @property
    def items(self) -> Sequence[Item]:
        """Those that need no other run, unless there is an error."""
        ...

    @property
    def error(self) -> Exception | None:
        """What all of them are tried again for, each alone."""
        ...


Indexes = Generator[int, None, None]
Run = Callable[[Sequence[Item], Callable[[], bool]], Generator[Part, None, None]]
"""Runs items part by part, for as long as the function that it is given says."""


@dataclass(frozen=True)
class Ran:
    """How many items of a chunk were run, and the indexes of those for which the time was up."""

    count: int
    left: Sequence[int]


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
        except Exception as error:
            parts = alone(whole)
            if self._is_of_one(error, [item for item, _ in parts], otherwise):
                return
            for _, part in parts:
                self.whole_or_alone(run, part, alone, otherwise)

    def run_chunk(
        self,
        attempts: Attempts,
        indexes: Sequence[int],
        run: Run,
        *,
        enough_s: float = math.inf,
    ) -> Ran:
        """Run those of the job's items that have not ended.

        A job that ends meanwhile, cancelled or failed, stops between parts; after `enough_s` no
        part but the first is begun, and what is left is told. A chunk that has ended its process
        too often goes item by item, and the item that does so alone fails.
        """
        started = time.monotonic()
        done: set[int] = set()

        def more() -> bool:
            in_time = not done or time.monotonic() - started < enough_s
            return in_time and self.jobs.is_open(self.job_id)

        picked = self.jobs.pick(self.job_id, indexes)
        items = [item for item in picked if item.status is ItemStatus.QUEUED]
        key = chunk_key(self.job_id, indexes[0])
        if attempts.begin(key) <= TRUSTED_ATTEMPTS:
            running = self._run_parts(items, run, more)
        else:
            log.warning("the chunk has ended its process %d times", TRUSTED_ATTEMPTS)
            running = self._run_singly(items, run, more, partial(attempts.suspect, key))
        with closing(running):
            for index in running:
                done.add(index)
        attempts.forget(key)
        left = [item.index for item in items if item.index not in done]
        return Ran(len(items) - len(left), left if self.jobs.is_open(self.job_id) else [])

    def _run_parts(self, items: Sequence[Item], run: Run, more: Callable[[], bool]) -> Indexes:
        """Run the items; yield the indexes of those that need no other run, as they come."""
        with closing(run(items, more)) as parts:
            for part in parts:
                if part.error is not None:
                    self._try_again(part, run)
                yield from (item.index for item in part.items)

    def _try_again(self, part: Part, run: Run) -> None:
        """Do with the items of a part that failed what becomes of them: each alone, once more."""
        assert part.error is not None
        if self._is_of_one(part.error, part.items, _FAILED):
            return
        for item in part.items:
            if not self.jobs.is_open(self.job_id):
                return
            with closing(run([item], lambda: True)) as parts:
                for single in parts:
                    if single.error is not None:
                        self._is_of_one(single.error, single.items, _FAILED)

    def _run_singly(
        self,
        items: Sequence[Item],
        run: Run,
        more: Callable[[], bool],
        suspect: Callable[[int], int],
    ) -> Indexes:
        """Run item by item; yield the indexes of those that need no other run, as they come."""
        for item in items:
            if not more():
                return
            if suspect(item.index) > ATTEMPTS_PER_ITEM:
                crashed = "The worker's process ended each time it came to this one."
                self._fail(item, WorkerCrashed(crashed))
                yield item.index
            else:
                yield from self._run_parts([item], run, lambda: True)

    def _is_of_one(self, error: Exception, items: Sequence[Item], otherwise: str) -> bool:
        """Tell what an error of items that ran together means; False: that each is to run alone.

        Of one item alone it is the item's end, of another encoder's collection the whole job's.
        Raises TASK_ERRORS.
        """
        if isinstance(error, TASK_ERRORS):
            raise error
        if isinstance(error, EncoderMismatch):
            self.jobs.fail(self.job_id, error.code, error.message)
            return True
        log.error("a batch of %d items failed", len(items), exc_info=error)
        if len(items) > 1:
            return False
        for item in items:
            self._fail(item, failure(error, otherwise))
        return True

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
