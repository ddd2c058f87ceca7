"""A worker that lives and does nothing while tasks wait ends itself; one that works does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from celery.worker import state

from common.queue import SEARCH, SEARCH_TASK, STORE, CeleryTaskQueue, make_celery
from common.redis import Client
from common.settings import Settings
from tests.conftest import REPO
from tests.worker.test_consuming import until
from worker.stalling import Patience, Watch


@dataclass
class Taken:
    """A task that a worker has taken, as Celery knows it."""

    id: str
    time_start: float | None = None
    delivery_info: dict[str, str] = field(default_factory=lambda: {"routing_key": STORE})


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> dict[str, Taken]:
    """Return the tasks of this process, of which there are none."""
    tasks: dict[str, Taken] = {}
    monkeypatch.setattr(state, "requests", tasks)
    return tasks


@pytest.fixture
def watch(redis: Client, tmp_path: Path) -> Watch:
    """Return what looks at one queue."""
    return Watch(redis, {STORE: Patience(busy_s=300, idle_s=60)}, tmp_path / "beat", lambda: None)


def test_tasks_that_nobody_takes_are_noticed(
    watch: Watch, taken: dict[str, Taken], redis: Client
) -> None:
    assert watch.look(0) is None
    assert watch.look(1000) is None, "none waits"
    redis.lpush(STORE, "{}")
    assert watch.look(1050) is None
    assert watch.look(1061) == STORE


def test_tasks_under_way_may_take_longer_and_others_of_another_queue_do_not_count(
    watch: Watch, taken: dict[str, Taken], redis: Client
) -> None:
    redis.lpush(STORE, "{}")
    taken["other"] = Taken("other", 1.0, {"routing_key": SEARCH})
    taken["a"] = Taken("a", 1.0)
    assert watch.look(0) is None
    taken["others"] = Taken("others", 2.0, {"routing_key": SEARCH})
    assert watch.look(299) is None
    assert watch.look(301) == STORE


def test_each_task_that_begins_or_ends_is_progress(
    watch: Watch, taken: dict[str, Taken], redis: Client
) -> None:
    redis.lpush(STORE, "{}")
    for number in range(20):
        taken["a"] = Taken("a", float(number))  # the same one, put back and taken again
        assert watch.look(number * 200) is None
    taken.clear()
    assert watch.look(4000) is None
    assert watch.look(4059) is None
    assert watch.look(4061) == STORE


def test_while_redis_is_away_nobody_stands_still(
    taken: dict[str, Taken], tmp_path: Path, redis: Client
) -> None:
    from common.redis import connect

    away = connect("redis://127.0.0.1:1/0")
    watch = Watch(away, {STORE: Patience(1, 1)}, tmp_path / "beat", lambda: None)
    assert [watch.look(now) for now in (0, 10, 20)] == [None] * 3


WORKER = f"""
import sys, threading, time
from pathlib import Path
from common.queue import make_celery
from common.redis import connect
from common.settings import Settings
from worker import consuming, stalling

stalling.BEAT_S = 0.2
settings, how = Settings(redis_url=sys.argv[1]), sys.argv[2]
threads = {{{SEARCH!r}: 1, {STORE!r}: 1}}
apps = {{queue: make_celery(settings) for queue in threads}}
redis = connect(settings.redis_url)

def search(job_id):
    redis.incr("begun")
    time.sleep(10_000 if how == "hangs" else 0.5)

for app in apps.values():
    app.task(name={SEARCH_TASK!r}, shared=False)(search)
if how == "deaf":  # its threads are there and read no queue
    consuming.WorkController.start = lambda self: threading.Event().wait()
patience = stalling.Patience(busy_s=6, idle_s=6)
queues = dict.fromkeys(threads, patience)
stalling.Watch(redis, queues, Path(sys.argv[3]), stalling.end_at_once).start()
consuming.consume_in_threads(apps, threads, "r", "WARNING")
"""


@pytest.fixture
def running(redis_url: str, tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Return the workers that are running; they end with the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait(20)


@pytest.mark.parametrize(("how", "ends"), [("deaf", True), ("hangs", True), ("works", False)])
def test_a_real_worker(
    redis: Client,
    redis_url: str,
    tmp_path: Path,
    running: list[subprocess.Popen[bytes]],
    how: str,
    ends: bool,
) -> None:
    app = make_celery(Settings(redis_url=redis_url, data_dir=tmp_path))
    queue = CeleryTaskQueue(app, redis, max_queued_tasks=100)
    for number in range(40):
        queue.submit(SEARCH_TASK, SEARCH, {"job_id": str(number)})
    beats = tmp_path / "beats" / "r"
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    command = [sys.executable, "-c", WORKER, redis_url, how, str(beats)]
    process = subprocess.Popen(command, env=env, cwd=REPO)
    running.append(process)
    if ends:
        assert process.wait(60) != 0
    else:
        assert until(lambda: int(redis.get("begun") or 0) >= 16, 60), "longer than it may stand"
        assert process.poll() is None
    assert beats.exists()
