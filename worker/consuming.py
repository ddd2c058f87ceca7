"""Taking tasks from queues: each queue of a role has threads of its own, in the one process.

The models and the vectors are shared, the threads are not: however many commits there are, or
downloads that drip, they take no search's place.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping
from typing import Any

from celery import Celery
from celery.platforms import EX_FAILURE
from celery.worker import WorkController, state
from celery.worker.consumer import Consumer

log = logging.getLogger(__name__)

LOOK_S = 0.05
STOP_S = 30
"""How long the threads beside the first may take to end their tasks."""


def consume_in_threads(
    apps: Mapping[str, Celery], threads: Mapping[str, int], role: str, log_level: str
) -> None:
    """Run the tasks of each queue in so many threads, until the process is told to stop.

    Each queue has an app, because an app reads one set of queues; all of them know all tasks. The
    first queue has the main thread. A queue that nobody reads any more ends the process, so that
    whoever watches over it starts it again.
    """
    first, *others = threads
    sides = [
        threading.Thread(
            target=_consume_beside,
            args=(queue, _beside(apps[queue], _options(role, queue, threads[queue], log_level))),
            name=f"consume-{queue}",
            daemon=True,
        )
        for queue in others
    ]
    main = apps[first].Worker(**_options(role, first, threads[first], log_level))
    for side in sides:
        side.start()
    try:
        main.start()
    finally:
        _end_all()
        for side in sides:
            side.join(STOP_S)


def consume_in_a_child(
    app: Celery, queue: str, role: str, log_level: str, *, most_kib: int
) -> None:
    """Run a queue's tasks in one child process, which is replaced when it has grown too large."""
    options = _options(role, queue, 1, log_level)
    app.Worker(**{**options, "pool": "prefork", "max_memory_per_child": most_kib}).start()


class PollingConsumer(Consumer):  # type: ignore[misc]
    """A consumer without an event loop, which looks often whether a thread has become free.

    kombu asks Redis for a message only where there is a free thread, and then waits for whatever
    comes: a thread that becomes free meanwhile does not wake it. So it would take one task a
    second, however quick they are.
    """

    def connect(self) -> Any:
        """Return a connection that waits for no longer than `LOOK_S` at a time."""
        connection = super().connect()
        drain = connection.drain_events

        def drained(timeout: float) -> object:
            return drain(timeout=min(timeout, LOOK_S))

        connection.drain_events = drained
        return connection


def _beside(app: Celery, options: dict[str, object]) -> WorkController:
    """Return a worker for another thread: there is one event loop, and the main thread has it."""
    return WorkController(app=app, use_eventloop=False, consumer_cls=PollingConsumer, **options)


def _options(role: str, queue: str, concurrency: int, log_level: str) -> dict[str, object]:
    return {
        "hostname": f"{role}-{queue}.{os.getpid()}@{socket.gethostname()}",
        "queues": [queue],
        "loglevel": log_level,
        "quiet": True,  # its banner is no line of a log
        "without_gossip": True,
        "without_mingle": True,
        "optimization": "fair",
        "pool": "threads",
        "concurrency": concurrency,
    }


def _consume_beside(queue: str, worker: WorkController) -> None:
    try:
        worker.start()
    finally:
        if _end_all():
            log.error("the queue '%s' is no longer read: the process ends", queue)


def _end_all() -> bool:
    """Have every worker of the process end; False when they had been told to already."""
    if state.should_stop is not None or state.should_terminate is not None:
        return False
    state.should_stop = EX_FAILURE
    return True
