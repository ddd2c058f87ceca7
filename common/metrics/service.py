"""What the service as a whole is like at this moment: queues, jobs, workers, images, disk.

Asked of Redis when Prometheus asks, by the web server alone, in a few round trips. While Redis is
away one number says so, and the others are left out.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

from common.beacons import LIT
from common.clock import seconds
from common.deliveries import DELIVERIES
from common.errors import BrokerUnavailable
from common.job_keys import ENDED, listing_key
from common.metrics.asked import Asked
from common.queue import QUEUED_AT, QUEUES
from common.redis import translated
from common.services import Services

FRESH_S = 1.0
"""Scrapes that come together share one look at Redis."""
ROLES = ("index", "search")
_MODEL_LABELS = ("name", "encoder", "precision", "device")


class ServiceState(Asked):
    """Asks Redis how the service stands."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._seen: tuple[float, list[Any]] = (float("-inf"), [])

    def collect(self) -> Iterator[Any]:
        """Yield every metric."""
        with self._lock:
            at, found = self._seen
            if time.monotonic() - at > FRESH_S:
                found = [*self._disk(), *self._redis()]
                self._seen = (time.monotonic(), found)
        yield from found

    def _disk(self) -> Iterator[Any]:
        disk = self._services.disk
        free = disk.free_bytes()
        yield _gauge("needle_disk_free_bytes", "Free space of the data folder's disk.", free)
        yield _gauge(
            "needle_disk_least_free_bytes",
            "Free space below which no images are taken.",
            disk.least_bytes,
        )

    def _redis(self) -> Iterator[Any]:
        try:
            found = [*self._state()]
        except BrokerUnavailable:
            yield _gauge("needle_redis_up", "Whether Redis answers.", 0)
            return
        yield _gauge("needle_redis_up", "Whether Redis answers.", 1)
        yield from found

    def _state(self) -> Iterator[Any]:
        state = _read(self._services.redis)
        now = state.now
        waiting = GaugeMetricFamily(
            "needle_queue_tasks", "Tasks that wait on a queue.", labels=["queue"]
        )
        ages = GaugeMetricFamily(
            "needle_queue_oldest_task_age_seconds",
            "How long ago the task was enqueued that waits first; 0 where none waits.",
            labels=["queue"],
        )
        for queue, length, oldest in zip(QUEUES, state.lengths, state.oldest, strict=True):
            waiting.add_metric([queue], length)
            age = _age_s(oldest, now)
            if age is not None:
                ages.add_metric([queue], age)
        yield from (waiting, ages)
        yield _gauge("needle_tasks_unacked", "Tasks that workers have taken.", state.taken)
        yield _gauge("needle_jobs_open", "Jobs that have not ended.", state.open_jobs)
        catalogue = self._services.catalogue
        images = catalogue.counts([one.name for one in catalogue.collections()])
        yield _gauge("needle_collections", "Collections.", len(images))
        yield _gauge("needle_images", "Images that can be found.", sum(images))
        yield _gauge(
            "needle_index_parts_aside",
            "Parts of the index that could not be opened and were set aside.",
            len(catalogue.aside()),
        )
        yield _gauge(
            "needle_bulk_mode_collections",
            "Collections in bulk mode: nothing of them is indexed until it ends.",
            len(catalogue.in_bulk_mode()),
        )
        yield from self._workers(state.beats, now)

    def _workers(self, beats: Sequence[tuple[str, float]], now: float) -> Iterator[Any]:
        live = self._services.beacons.live()
        count = Counter(beacon.role for beacon in live)
        workers = GaugeMetricFamily("needle_workers", "Workers that live.", labels=["role"])
        ages = GaugeMetricFamily(
            "needle_worker_beacon_age_seconds",
            "How long ago a worker of the role last said that it lives, within the last hour.",
            labels=["role"],
        )
        for role in ROLES:
            workers.add_metric([role], count[role])
            times = [at for key, at in beats if key.split(":")[2] == role]
            if times:
                ages.add_metric([role], max(0.0, now - max(times)))
        yield from (workers, ages)
        models = InfoMetricFamily("needle_models", "What the workers that live have loaded.")
        said = {
            (("role", one.role), *((name, str(one.models.get(name))) for name in _MODEL_LABELS))
            for one in live
        }
        for labels in sorted(said):
            models.add_metric([], dict(labels))
        yield models


@dataclass(frozen=True)
class _State:
    lengths: Sequence[int]
    oldest: Sequence[str | None]
    taken: int
    open_jobs: int
    beats: Sequence[tuple[str, float]]
    now: float


def _read(redis: Any) -> _State:
    """Read queues, jobs and beats in one round trip. Raises BrokerUnavailable."""
    with translated():
        pipe = redis.pipeline(transaction=False)
        for queue in QUEUES:
            pipe.llen(queue)
        for queue in QUEUES:
            pipe.lindex(queue, -1)
        pipe.hlen(DELIVERIES)
        pipe.zcard(listing_key(None))
        pipe.zcard(ENDED)
        pipe.zrange(LIT, 0, -1, withscores=True)
        pipe.time()
        *queues, taken, jobs, ended, beats, clock = pipe.execute()
    size = len(QUEUES)
    open_jobs = max(0, jobs - ended)
    return _State(queues[:size], queues[size:], taken, open_jobs, beats, seconds(clock))


def _age_s(message: str | None, now: float) -> float | None:
    """Return how long ago a task was enqueued; None for one that does not say."""
    if message is None:
        return 0.0
    at = json.loads(message).get("headers", {}).get(QUEUED_AT)
    return None if at is None else max(0.0, now - float(at))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
