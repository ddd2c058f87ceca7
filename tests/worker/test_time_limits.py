"""The hard time limit, in a real Celery worker of the pool that the index role has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.queue import INDEX, INDEX_TASK, CeleryTaskQueue, make_celery
from common.redis import Client
from common.settings import Settings
from tests.conftest import REPO

WORKER = f"""
import sys, time
from common.queue import make_celery
from common.redis import connect
from common.settings import Settings

settings = Settings(redis_url=sys.argv[1])
redis, app = connect(settings.redis_url), make_celery(settings)

@app.task(name={INDEX_TASK!r}, shared=False, soft_time_limit=1, time_limit=2)
def index(job_id, first, last):
    began = redis.incr("began")
    while began == 1:  # deaf to the soft limit, as a thread pool that waits for its threads is
        try:
            time.sleep(60)
        except Exception:
            pass
    redis.set("ended", 1)

app.Worker(queues=[{INDEX!r}], pool="prefork", concurrency=1, without_gossip=True,
           without_mingle=True, optimization="fair", loglevel="WARNING").start()
"""


@pytest.fixture
def worker(redis_url: str, redis: Client) -> Iterator[None]:
    """Run a worker whose first task outlives the hard limit."""
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    process = subprocess.Popen([sys.executable, "-c", WORKER, redis_url], env=env, cwd=REPO)
    yield
    process.send_signal(signal.SIGTERM)
    process.wait(20)


def test_a_task_beyond_the_hard_limit_is_run_again(
    tmp_path: Path, redis: Client, redis_url: str, worker: None
) -> None:
    settings = Settings(redis_url=redis_url, data_dir=tmp_path)
    queue = CeleryTaskQueue(make_celery(settings), redis, max_queued_tasks=10)
    queue.submit(INDEX_TASK, INDEX, {"job_id": "job", "first": 0, "last": 0})
    deadline = time.monotonic() + 60
    while not redis.get("ended") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert redis.get("ended"), "the task was lost"
    assert redis.get("began") == "2"
