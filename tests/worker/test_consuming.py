"""The search role's queues, in a real process: none waits for the threads of another."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, cast

import pytest
from celery import Celery
from celery.worker.consumer import Consumer

from common.queue import (
    COMMIT_TASK,
    FETCH,
    FETCH_TASK,
    SEARCH,
    SEARCH_TASK,
    STORE,
    CeleryTaskQueue,
    make_celery,
)
from common.redis import Client
from common.settings import Settings
from tests.conftest import REPO
from worker.consuming import LOOK_S, PollingConsumer, consume_in_a_child

WORKER = f"""
import sys, time
from common.queue import make_celery
from common.redis import connect
from common.settings import Settings
from worker import consuming

if sys.argv[2] == "broken":
    consuming.WorkController.start = lambda self: None if self.hostname.startswith("r-store") \\
        else consuming.WorkController.blueprint.start(self)
settings = Settings(redis_url=sys.argv[1])
redis = connect(settings.redis_url)
threads = {{{SEARCH!r}: 2, {STORE!r}: 2, {FETCH!r}: 2}}
apps = {{queue: make_celery(settings) for queue in threads}}

def hold(job_id, key=None):
    redis.incr("held")
    while not redis.exists("go"):
        time.sleep(0.05)
    redis.incr("ended")

def search(job_id):
    redis.incr("searched")

for app in apps.values():
    app.task(name={COMMIT_TASK!r}, shared=False)(hold)
    app.task(name={FETCH_TASK!r}, shared=False)(hold)
    app.task(name={SEARCH_TASK!r}, shared=False)(search)
consuming.consume_in_threads(apps, threads, "r", "WARNING")
"""


@pytest.fixture
def start(redis_url: str, redis: Client) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Return what runs the worker, sound or broken."""
    running: list[subprocess.Popen[bytes]] = []

    def run(how: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, "PYTHONPATH": str(REPO)}
        command = [sys.executable, "-c", WORKER, redis_url, how]
        running.append(subprocess.Popen(command, env=env, cwd=REPO))
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.wait(20)


def until(holds: Callable[[], bool], seconds: float = 90) -> bool:
    """Wait until it holds; tell whether it did in time."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def test_searches_go_on_while_commits_and_downloads_hold_all_their_threads(
    tmp_path: Path,
    redis: Client,
    redis_url: str,
    start: Callable[[str], subprocess.Popen[bytes]],
) -> None:
    app = make_celery(Settings(redis_url=redis_url, data_dir=tmp_path))
    queue = CeleryTaskQueue(app, redis, max_queued_tasks=100)
    for number in range(10):
        queue.submit(COMMIT_TASK, STORE, {"job_id": str(number), "key": "k"})
        queue.submit(FETCH_TASK, FETCH, {"job_id": str(number)})
    process = start("sound")
    assert until(lambda: redis.get("held") == "4"), "two threads each"
    for number in range(10):
        queue.submit(SEARCH_TASK, SEARCH, {"job_id": str(number)})
    assert until(lambda: redis.get("searched") == "10")
    assert redis.get("held") == "4"
    redis.set("go", 1)
    assert until(lambda: redis.get("ended") == "20")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_a_queue_that_nobody_reads_any_more_ends_the_process(
    redis: Client, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    assert start("broken").wait(90) != 0


def test_what_reads_a_queue_goes_by_its_process_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """In containers processes have equal numbers: under equal names they would get one's mail."""
    named: list[str] = []

    class App:
        class Worker:
            def __init__(self, hostname: str, **_: object) -> None:
                named.append(hostname)

            def start(self) -> None:
                """Read nothing."""

    for host in ("one", "two"):
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        consume_in_a_child(cast("Celery", App), "index", "index", "INFO", most_kib=1)
    pid = os.getpid()
    assert named == [f"index-index.{pid}@one", f"index-index.{pid}@two"]


def test_a_thread_that_becomes_free_is_seen_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery waits two seconds for a message, and nothing wakes it when a thread becomes free."""

    class Idle:
        waited: ClassVar[list[float]] = []

        def drain_events(self, timeout: float) -> None:
            self.waited.append(timeout)

    monkeypatch.setattr(Consumer, "connect", lambda self: Idle())
    connection = PollingConsumer.__new__(PollingConsumer).connect()
    connection.drain_events(timeout=2.0)
    connection.drain_events(timeout=0.01)
    assert Idle.waited == [LOOK_S, 0.01]


def test_quick_tasks_of_a_queue_beside_follow_each_other_at_once(
    redis: Client, redis_url: str, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    redis.set("go", 1)
    queue = CeleryTaskQueue(make_celery(Settings(redis_url=redis_url)), redis, max_queued_tasks=99)
    start("sound")
    queue.submit(COMMIT_TASK, STORE, {"job_id": "first", "key": "k"})
    assert until(lambda: redis.get("ended") == "1")
    for number in range(80):
        queue.submit(COMMIT_TASK, STORE, {"job_id": str(number), "key": "k"})
    # Two threads, one task a second each: forty seconds.
    assert until(lambda: redis.get("ended") == "81", seconds=20)
