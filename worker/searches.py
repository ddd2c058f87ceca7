"""Many queries of one job, one after the other, behind the searches that somebody waits for."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from common.contract import orders
from common.contract.answers.searches import Findings
from common.contract.orders import SearchesOrder
from common.disk import Use
from common.errors import EncoderMismatch, IncompatibleJob, NeedleError, Transient
from common.images import answer_key, download_key, query_folder
from common.jobs import Item, ItemStatus
from common.queue import SEARCHES, SEARCHES_TASK
from worker.attempts import RunningJob, failure
from worker.context import Base
from worker.searching.downloading import Downloader
from worker.searching.options import SearchOptions
from worker.searching.pipeline import SearchPipeline

log = logging.getLogger(__name__)

QUIET_S = 0.5
"""Who searches again and again has moments between: no query begins in these."""
ALONE_S = 10.0
"""Once nobody has searched for so long, queries take the core that was kept free."""
LONGEST_WAIT_S = 10.0
"""So long a query gives way to searches that never end; after that the job goes on beside them."""


class Turns:
    """Whose turn it is in this process: searches that somebody waits for come first.

    At most `at_once` queries are searched for at a time, one fewer where somebody has searched of
    late: with a core of its own, a search hardly notices the others.
    """

    def __init__(self, at_once: int = 1) -> None:
        self._at_once = at_once
        self._under_way = 0
        self._behind = 0
        self._waiting: deque[object] = deque()
        self._last = -math.inf
        self._changed = threading.Condition()

    @contextmanager
    def first(self) -> Iterator[None]:
        """Search inside while somebody waits for it."""
        with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._last = time.monotonic()
                self._changed.notify_all()

    @contextmanager
    def behind(self, longest_s: float = LONGEST_WAIT_S) -> Iterator[None]:
        """Search inside for a query: once nobody has waited for QUIET_S, or it took too long.

        Queries of several threads take turns.
        """
        own = object()
        with self._changed:
            ends = time.monotonic() + longest_s
            self._waiting.append(own)
            try:
                while self._waiting[0] is not own:
                    self._changed.wait()
                while (wait_s := self._wait_s(ends)) > 0:
                    self._changed.wait(wait_s)
            finally:
                self._waiting.remove(own)
                self._changed.notify_all()
            self._behind += 1
        try:
            yield
        finally:
            with self._changed:
                self._behind -= 1
                self._changed.notify_all()

    def _wait_s(self, ends: float) -> float:
        """Return how long the next query waits at most before it looks again whether it begins."""
        now = time.monotonic()
        quiet_s = 0.0 if self._under_way else now - self._last
        most = self._at_once if quiet_s >= ALONE_S else max(1, self._at_once - 1)
        if self._behind >= most:
            return max(ALONE_S - quiet_s, QUIET_S)
        if self._under_way:
            return ends - now
        return min(QUIET_S - quiet_s, ends - now)


@dataclass(frozen=True)
class Asked:
    """A query that needs no other run, unless the whole job fails for its error."""

    items: Sequence[Item]
    error: Exception | None = None


@dataclass(frozen=True)
class ManySearches:
    """Carries out the queries of one job; what each has found is kept with their files."""

    base: Base
    pipeline: SearchPipeline
    turns: Turns
    job_id: str
    order: SearchesOrder

    def run(self, items: Sequence[Item], more: Callable[[], bool]) -> Generator[Asked, None, None]:
        """Search for each query for as long as `more` says. Raises transient errors."""
        for item in items:
            with self.turns.behind():
                if not more():
                    return
                try:
                    ended = self._ended(item)
                except EncoderMismatch as error:  # the collection's, not this query's
                    yield Asked((item,), error)
                    return
            if self.base.jobs.finish_items(self.job_id, [ended]) is None:
                # The job is gone, and its files with it: the answer was written after that.
                self.base.images.delete_folder(query_folder(self.job_id))
                return
            yield Asked((item,))

    def _ended(self, item: Item) -> Item:
        """Return the item as it has ended. Raises EncoderMismatch, or transient errors."""
        try:
            self._answer(item)
            return item.ended(ItemStatus.ANSWERED, item.image_id)
        except (EncoderMismatch, Transient):
            raise
        except Exception as exc:
            if not isinstance(exc, NeedleError):
                log.exception("a search failed")
            return item.failed(failure(exc, "The search failed; the worker's log says why."))

    def _answer(self, item: Item) -> None:
        base, order = self.base, self.order.of_item(item)
        base.disk.check(Use.ANSWER)  # what cannot be kept need not be searched for
        Downloader(base.images, base.jobs, base.fetcher, base.disk).download(self.job_id, order)
        options = SearchOptions.ordered(self.job_id, order, base.settings, first_file=item.index)
        found = without_doubtful_hits(self.pipeline.find(options))
        content = json.dumps(found.model_dump(mode="json", exclude_unset=True)).encode()
        base.disk.check(Use.ANSWER, len(content))
        base.images.put(answer_key(self.job_id, item.index), content)
        if order.url is not None:  # of a thousand queries only one download is kept at a time
            base.images.delete(download_key(self.job_id, order.url))


def without_doubtful_hits(found: Findings) -> Findings:
    """Return the findings with the places alone that show the query.

    Of a hundred hits of an image nearly all are others, and a thousand answers 200 MB with them.
    """
    matches = tuple(match.model_copy(update={"hits": match.places}) for match in found.matches)
    return found.model_copy(update={"matches": matches})


def run_searches(
    base: Base, pipeline: SearchPipeline, turns: Turns, job_id: str, indexes: Sequence[int]
) -> None:
    """Search for the queries of a chunk that have not ended. Raises transient errors.

    What cannot be begun in half of a task's time goes back to the queue as a task of its own.
    """
    started = time.monotonic()
    if not base.jobs.start(job_id):
        log.info("the job has ended or is gone")
        return
    try:
        order = orders.of(base.jobs.get(job_id), SearchesOrder)
    except IncompatibleJob as error:
        base.jobs.fail(job_id, error.code, error.message)
        return
    ran = RunningJob(base.jobs, job_id).run_chunk(
        base.attempts,
        indexes,
        ManySearches(base, pipeline, turns, job_id, order).run,
        enough_s=base.settings.task_time_limit_s / 2,
    )
    log.info("%d queries in %.2f s", ran.count, time.monotonic() - started)
    if ran.left:
        payload = {"job_id": job_id, "first": ran.left[0], "last": indexes[-1]}
        base.queue.submit(SEARCHES_TASK, SEARCHES, payload)
