"""Noticing a worker that lives and does nothing: tasks wait, and none is begun or ended.

Whatever the reason (a connection that is dead and does not say so, a thread that hangs), a process
that starts anew has it no more, and its tasks are delivered again. So it ends itself; whoever
watches over it starts it again. It also beats (`common/beats.py`), for when it cannot even do that.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from celery.platforms import EX_FAILURE
from celery.worker import state

from common.beats import BEAT_S, beat, forget_old
from common.errors import BrokerUnavailable
from common.redis import Client, translated

log = logging.getLogger(__name__)

IDLE_S = 60.0
"""Longest that tasks may wait while not one of their queue is under way."""


@dataclass(frozen=True)
class Patience:
    """How long tasks may wait, in seconds: while some of their queue are under way, and else."""

    busy_s: float
    idle_s: float = IDLE_S


@dataclass(frozen=True)
class Seen:
    """The tasks of a queue that are under way, by id and start, and since when it is just these."""

    tasks: frozenset[tuple[str, float | None]]
    since: float


class Watch:
    """Looks at the queues of this process every few seconds."""

    def __init__(
        self, redis: Client, queues: Mapping[str, Patience], beats: Path, end: Callable[[], object]
    ) -> None:
        self._redis = redis
        self._queues = queues
        self._beats = beats
        self._end = end
        self._seen: dict[str, Seen] = {}

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def look(self, now: float) -> str | None:
        """Return a queue that stands still, None where none does. `now` is monotonic."""
        for queue, patience in self._queues.items():
            tasks = _under_way(queue)
            seen = self._seen.get(queue)
            if seen is None or tasks != seen.tasks or not self._waiting(queue):
                self._seen[queue] = Seen(tasks, now)
            elif now - seen.since > (patience.busy_s if tasks else patience.idle_s):
                return queue
        return None

    def _run(self) -> None:
        pause = threading.Event()
        beat(self._beats)
        forget_old(self._beats.parent)
        while not pause.wait(BEAT_S):
            beat(self._beats)
            queue = self.look(time.monotonic())
            if queue is not None:
                log.error("tasks wait on the queue '%s' and none is begun: the process ends", queue)
                self._end()

    def _waiting(self, queue: str) -> bool:
        """Tell whether tasks wait; while Redis is away, none that could be taken do."""
        try:
            with translated():
                return bool(self._redis.llen(queue))
        except BrokerUnavailable:
            return False


def end_at_once() -> None:
    """End the process: what hangs would not let it end in order."""
    os._exit(EX_FAILURE)


def _under_way(queue: str) -> frozenset[tuple[str, float | None]]:
    """Return the tasks of a queue that this process has begun, or taken to begin them."""
    requests = list(state.requests.values())
    return frozenset(
        (request.id, request.time_start)
        for request in requests
        if (request.delivery_info or {}).get("routing_key") == queue
    )
