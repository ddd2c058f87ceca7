"""The work of a dead, stopped or cut-off worker goes to another; that of a living one stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state

from common.deliveries import (
    DELIVERIES,
    LEASE_S,
    TIMES,
    put_back_ended,
)
from common.errors import BrokerUnavailable
from common.queue import SEARCH_TASK, STORE, CeleryTaskQueue, make_celery
from common.redis import Client
from common.settings import Settings
from tests.conftest import REPO
from tests.worker.test_consuming import until
from tests.worker.test_deliveries import taken, waiting
from worker.leases import Leases


class _Set:
    """A weak set, as Celery has them, that holds its members."""

    def __init__(self, *members: Any) -> None:
        self.data = {(lambda one=one: one) for one in members}


@dataclass
class Taken:
    """A task that a worker has taken, as Celery knows it."""

    name: str
    queue: str = STORE
    delivery_info: dict[str, str] = field(init=False)
    message: SimpleNamespace = field(init=False)

    def __post_init__(self) -> None:
        self.delivery_info = {"routing_key": self.queue}
        self.message = SimpleNamespace(delivery_tag=self.name)


@pytest.fixture
def ends() -> list[int]:
    """Return how often the process was told to end."""
    return []


def test_a_worker_speaks_for_what_it_has_and_not_for_a_thread_that_hangs(
    redis: Client, monkeypatch: pytest.MonkeyPatch, ends: list[int]
) -> None:
    leases = Leases(redis, {STORE: 300.0}, lambda: ends.append(1))
    monkeypatch.setattr(state, "reserved_requests", _Set(Taken("waits")))
    monkeypatch.setattr(state, "active_requests", _Set(Taken("runs"), Taken("gone")))
    for name in ("waits", "runs", "another's"):
        taken(redis, name, LEASE_S + 1)
    assert leases.renew(0) == ["gone"]
    assert put_back_ended(redis) == 1
    assert waiting(redis) == ["another's"]
    before = redis.zscore(TIMES, "runs")
    leases.renew(299)
    renewed = redis.zscore(TIMES, "runs")
    assert renewed > before
    leases.renew(301)
    assert redis.zscore(TIMES, "runs") == renewed


def test_the_process_ends_when_leases_are_renewed_no_longer(
    redis: Client, monkeypatch: pytest.MonkeyPatch, ends: list[int]
) -> None:
    monkeypatch.setattr("worker.leases.RENEW_S", 0.01)
    errors = iter([BrokerUnavailable("away"), BrokerUnavailable("away"), MemoryError()])

    def fail(now: float) -> list[str]:
        raise next(errors)

    leases = Leases(redis, {}, lambda: ends.append(1))
    monkeypatch.setattr(leases, "renew", fail)
    leases._run()
    assert ends == [1]
    assert not list(errors), "Redis being away ends nothing"


WORKER = f"""
import os, sys, time
from common import deliveries
from common.queue import make_celery
from common.redis import connect
from common.settings import Settings
from worker import consuming, leases

deliveries.LEASE_S, deliveries.LOOK_S, leases.RENEW_S = 2.0, 0.3, 0.3
settings = Settings(redis_url=sys.argv[1])
redis = connect(settings.redis_url)
app = make_celery(settings)

def work(job_id):
    redis.rpush("begun:" + job_id, os.getppid())
    while not redis.exists("go:" + job_id):
        time.sleep(0.05)
    redis.rpush("ended:" + job_id, os.getppid())

app.task(name={SEARCH_TASK!r}, shared=False)(work)
leases.Leases(connect(settings.redis_url), {{{STORE!r}: 600}}, lambda: os._exit(1)).start()
consuming.consume_in_a_child(app, {STORE!r}, "r", "WARNING", most_kib=8 * 2**20)
"""


@pytest.fixture
def start(redis: Client, redis_url: str) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Return what starts a worker with one child, in a process group of its own."""
    running: list[subprocess.Popen[bytes]] = []

    def run() -> subprocess.Popen[bytes]:
        env = {**os.environ, "PYTHONPATH": str(REPO)}
        command = [sys.executable, "-c", WORKER, redis_url]
        running.append(subprocess.Popen(command, env=env, cwd=REPO, start_new_session=True))
        return running[-1]

    yield run
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def test_tasks_of_a_killed_and_of_a_stopped_worker_go_on_and_long_ones_stay(
    redis: Client, redis_url: str, tmp_path: Path, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    app = make_celery(Settings(redis_url=redis_url, data_dir=tmp_path))
    queue = CeleryTaskQueue(app, redis, max_queued_tasks=100)
    workers = [start() for _ in range(3)]
    for number in "012":
        queue.submit(SEARCH_TASK, STORE, {"job_id": number})
    assert until(lambda: all(redis.exists(f"begun:{n}") for n in "012"))
    tasks = {redis.lindex(f"begun:{n}", 0): n for n in "012"}
    killed, stopped, lives = (tasks[str(worker.pid)] for worker in workers)

    pid = str(workers[2].pid)
    os.killpg(workers[1].pid, signal.SIGSTOP)
    assert until(lambda: redis.hlen(DELIVERIES) == 2, 20), "a lease has ended"
    os.killpg(workers[0].pid, signal.SIGKILL)
    workers[0].wait(20)
    assert until(lambda: redis.hlen(DELIVERIES) == 1, 20), "another one has"
    assert redis.llen(STORE) == 2
    assert redis.lrange(f"begun:{lives}", 0, -1) == [pid], "longer than a lease, and not taken"

    for number in (lives, killed):
        redis.set(f"go:{number}", 1)
    assert until(lambda: redis.lrange(f"ended:{killed}", 0, -1) == [pid], 20)
    assert until(lambda: redis.lrange(f"begun:{stopped}", 0, -1)[1:] == [pid], 20)
    os.killpg(workers[1].pid, signal.SIGCONT)
    redis.set(f"go:{stopped}", 1)
    assert until(lambda: redis.llen(f"ended:{stopped}") == 2, 20), "both come to the end"
    assert until(lambda: not redis.exists(DELIVERIES, TIMES, STORE), 20)
    assert [redis.llen(f"begun:{n}") for n in (lives, killed, stopped)] == [1, 2, 2]
