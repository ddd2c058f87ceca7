"""Celery: the one module that knows it. Tasks go by name, so that web imports no worker code."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

import redis as redis_errors
from celery import Celery
from kombu import Queue  # type: ignore[attr-defined]
from kombu.exceptions import KombuError

from common import tracing
from common.deliveries import hold_by_leases
from common.errors import BrokerUnavailable, Overloaded
from common.redis import CONNECT_TIMEOUT_S, Client, translated
from common.settings import Settings

INDEX, SEARCH, STORE, FETCH, UPKEEP = "index", "search", "store", "fetch", "upkeep"
SEARCHES = "searches"
QUEUES = (INDEX, SEARCH, STORE, FETCH, UPKEEP, SEARCHES)
INDEX_TASK = "needle.index"
SEARCH_TASK = "needle.search"
SEARCHES_TASK = "needle.searches"
FETCH_TASK = "needle.fetch"
COMMIT_TASK = "needle.commit"
CONFIRM_TASK = "needle.confirm"
VERIFY_TASK = "needle.verify"
BACKUP_TASK = "needle.backup"
REINDEX_TASK = "needle.reindex"
DELETE_TASK = "needle.delete"
SWEEP_TASK = "needle.sweep"
DELETE_COLLECTION_TASK = "needle.delete_collection"
RETRY_AFTER_S = 10
BROKER_ANSWER_S = 10.0
"""How long Redis may take to answer what workers tell it of their tasks."""
QUEUED_AT = "queued_at"
"""The header of a message that says when its task was first enqueued, in Unix seconds."""


class TaskQueue(Protocol):
    """Hands tasks to workers."""

    def submit(self, task: str, queue: str, payload: Mapping[str, object]) -> None:
        """Enqueue one task; ids and JSON only, never pixels.

        Raises BrokerUnavailable within 2 s when Redis is down.
        """
        ...

    def check_room(self, queue: str, tasks: int) -> None:
        """Raise Overloaded when `tasks` more would exceed the queue's limit."""
        ...


def make_celery(settings: Settings) -> Celery:
    """Return the Celery application, configured so that a killed worker loses no task."""
    hold_by_leases()
    app = Celery("needle", broker=_broker_url(settings.redis_url), set_as_current=False)
    app.conf.update(
        task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
        task_default_queue=INDEX,
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,  # the job record is the result
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # Beyond the hard time limit Celery would acknowledge, before any handler of ours is asked.
        task_acks_on_timeout=False,
        worker_prefetch_multiplier=1,
        task_publish_retry=False,
        broker_connection_timeout=CONNECT_TIMEOUT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_transport_options={
            "socket_connect_timeout": CONNECT_TIMEOUT_S,
            # Else whoever waits for an answer when the network goes waits for ever.
            "socket_timeout": BROKER_ANSWER_S,
            "health_check_interval": 10,
            # How often kombu asks to look for leases that have ended; how often it is done is said
            # in `common/deliveries.py`.
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            # A request must not wait out retries; the worker reconnects on its own.
            "max_retries": 0,
        },
    )
    return app


def _broker_url(redis_url: str) -> str:
    """Return the address as kombu writes it: it has its own scheme for Unix sockets."""
    if redis_url.startswith("unix://"):
        return redis_url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
    return redis_url


class CeleryTaskQueue:
    """A task queue on Celery's Redis transport."""

    def __init__(self, app: Celery, redis: Client, *, max_queued_tasks: int) -> None:
        self._app = app
        self._redis = redis
        self._max = max_queued_tasks

    def submit(self, task: str, queue: str, payload: Mapping[str, object]) -> None:
        """See TaskQueue."""
        try:
            headers = {QUEUED_AT: time.time(), **tracing.carried()}
            self._app.send_task(
                task, kwargs=dict(payload), queue=queue, headers=headers, retry=False
            )
        except (KombuError, redis_errors.RedisError, OSError) as exc:
            raise BrokerUnavailable("Redis does not take tasks; try again in a moment.") from exc

    def check_room(self, queue: str, tasks: int) -> None:
        """See TaskQueue."""
        with translated():
            waiting = int(self._redis.llen(queue))
        if waiting + tasks > self._max:
            raise Overloaded(
                f"{waiting} tasks wait on the queue '{queue}', which takes {self._max}; "
                f"try again in {RETRY_AFTER_S} s.",
                retry_after_s=RETRY_AFTER_S,
            )
