"""The work of a dead, stopped or cut-off worker goes to another; that of a living one stays."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state
from kombu.transport.virtual import Message

from common import deliveries
from common.deliveries import (
    DELIVERIES,
    LEASE_S,
    LET_GO,
    LOOKED,
    ON_THEIR_WAY,
    SEEN,
    TIMES,
    new_name,
    put_back_ended,
    put_back_strayed,
    release_those_of_the_dead,
    renew,
)
from common.errors import BrokerUnavailable
from common.queue import SEARCH_TASK, STORE, CeleryTaskQueue, make_celery
from common.redis import Client
from common.settings import Settings
from tests.conftest import REPO
from tests.worker.test_consuming import until
from worker.leases import Leases


def now(redis: Client) -> float:
    """Return the time by the clock of Redis."""
    seconds, micros = redis.time()
    return float(seconds + micros / 1e6)


def taken(redis: Client, name: str, silent_s: float) -> None:
    """Have a worker hold a delivery of which it has said nothing for so long."""
    redis.hset(DELIVERIES, name, json.dumps([{"body": name}, STORE, STORE]))
    redis.zadd(TIMES, {name: LET_GO if silent_s == LET_GO else now(redis) - silent_s})


def waiting(redis: Client) -> list[str]:
    """Return the bodies of the tasks that wait, the next one first."""
    return [json.loads(text)["body"] for text in reversed(redis.lrange(STORE, 0, -1))]


def looked(redis: Client, seconds_ago: float) -> None:
    """Have somebody have looked for ended leases so long ago."""
    redis.set(LOOKED, now(redis) - seconds_ago)


def test_what_nobody_speaks_for_is_the_next_task(redis: Client) -> None:
    redis.lpush(STORE, json.dumps({"body": "later"}))
    taken(redis, "silent", LEASE_S + 1)
    taken(redis, "held", LEASE_S - 5)
    assert put_back_ended(redis) == 1
    assert waiting(redis) == ["silent", "later"]
    assert redis.hkeys(DELIVERIES) == redis.zrange(TIMES, 0, -1) == ["held"]


def test_time_in_which_nobody_looked_does_not_count(redis: Client) -> None:
    """Redis was away: nobody could say anything, and who lives shall have the time to."""
    taken(redis, "held", 3600)
    taken(redis, "let go", LET_GO)
    looked(redis, seconds_ago=3597)
    assert put_back_ended(redis) == 1
    assert waiting(redis) == ["let go"]
    assert renew(redis, ["held"]) == []
    taken(redis, "dead", LEASE_S)
    looked(redis, seconds_ago=4)
    assert put_back_ended(redis) == 1


def test_a_clock_that_was_set_back_keeps_nothing_for_ever(redis: Client) -> None:
    taken(redis, "silent", -3600)
    assert put_back_ended(redis) == 0
    assert redis.zscore(TIMES, "silent") <= now(redis)


def test_a_lease_that_is_renewed_meanwhile_has_not_ended(
    redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(redis, "held", LEASE_S + 1)
    put_back = deliveries._put_back

    def after_renewal(client: Client, *row: str) -> int:
        assert renew(redis, ["held"]) == []
        return put_back(client, *row)

    monkeypatch.setattr(deliveries, "_put_back", after_renewal)
    assert put_back_ended(redis) == 0
    assert redis.hkeys(DELIVERIES) == ["held"]


def test_a_worker_that_starts_takes_up_what_a_dead_one_of_its_host_left(
    redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(20)
    names = {}
    for who, pid in {"mine": os.getpid(), "gone": gone.pid, "lives": os.getppid()}.items():
        with monkeypatch.context() as there:
            there.setattr("os.getpid", lambda pid=pid: pid)
            names[who] = new_name("tag")
    with monkeypatch.context() as there:
        there.setattr("socket.gethostname", lambda: "another")
        names["another's"] = new_name("tag")
    for name in (*names.values(), "of an older version"):
        taken(redis, name, 1)
    assert release_those_of_the_dead(redis) == 2
    assert put_back_ended(redis) == 2
    left = {names["lives"], names["another's"], "of an older version"}
    assert set(redis.hkeys(DELIVERIES)) == left


@pytest.fixture
def consumer(redis: Client, redis_url: str) -> Iterator[Callable[[], Callable[[], Message]]]:
    """Return what connects a consumer of the queue `store`, which takes one message at a call."""
    app = make_celery(Settings(redis_url=redis_url))
    connections = []

    def connect() -> Callable[[], Message]:
        connections.append(app.connection_for_read())
        got: list[Message] = []
        (queue,) = [one for one in app.conf.task_queues if one.name == STORE]
        heard = connections[-1].Consumer(
            queue, on_message=got.append, accept=["json"], prefetch_count=1
        )
        heard.consume()

        def take() -> Message:
            while not got:
                connections[-1].drain_events(timeout=10)
            return got.pop()

        return take

    yield connect
    for connection in connections:
        connection.release()


def test_who_ends_too_late_touches_nothing_of_the_next_delivery(
    redis: Client, redis_url: str, consumer: Callable[[], Callable[[], Message]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # A machine whose clock is an hour behind takes it: nobody steals it.
    monkeypatch.setattr("time.time", lambda: 0.0)
    app = make_celery(Settings(redis_url=redis_url))
    queue = CeleryTaskQueue(app, redis, max_queued_tasks=9)
    for number in range(2):
        queue.submit(SEARCH_TASK, STORE, {"job_id": str(number)})
    late, second = [consumer()() for _ in range(2)]
    assert put_back_ended(redis) == 0
    redis.zadd(TIMES, {late.delivery_tag: now(redis) - LEASE_S - 1})
    assert put_back_ended(redis) == 1
    third = consumer()()
    assert third.headers["id"] == late.headers["id"]
    late.ack()
    second.reject(requeue=True)
    assert redis.hkeys(DELIVERIES) == redis.zrange(TIMES, 0, -1) == [third.delivery_tag]
    assert redis.llen(STORE) == 1
    third.ack()
    assert not redis.exists(DELIVERIES, TIMES)


def test_a_message_whose_worker_dies_while_it_takes_it_is_put_back(
    redis: Client, redis_url: str, consumer: Callable[[], Callable[[], Message]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    app = make_celery(Settings(redis_url=redis_url))
    CeleryTaskQueue(app, redis, max_queued_tasks=9).submit(SEARCH_TASK, STORE, {"job_id": "1"})
    (message,) = redis.lrange(STORE, 0, -1)
    with monkeypatch.context() as dying, pytest.raises(SystemExit):
        dying.setattr(deliveries.Leases, "append", lambda *_: sys.exit())
        consumer()()
    assert not redis.exists(STORE, DELIVERIES)
    assert put_back_strayed(redis, STORE) == 0, "it may still be on its way"
    assert redis.lrange(ON_THEIR_WAY + STORE, 0, -1) == [message]
    (digest,) = redis.hkeys(SEEN + STORE)
    redis.hset(SEEN + STORE, digest, now(redis) + 3600)
    assert put_back_strayed(redis, STORE) == 0, "the clock was set back"
    redis.hset(SEEN + STORE, digest, now(redis) - deliveries.ON_ITS_WAY_S)
    assert put_back_strayed(redis, STORE) == 1
    assert redis.lrange(STORE, 0, -1) == [message]
    assert not redis.exists(ON_THEIR_WAY + STORE, SEEN + STORE)
    consumer()().ack()
    assert redis.keys("*lease*") == [] and not redis.exists(STORE, DELIVERIES)


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


def test_a_network_that_is_gone_keeps_nobody_waiting_for_ever(
    redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.queue.BROKER_ANSWER_S", 0.2)
    refused: list[BrokerUnavailable] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        queue = CeleryTaskQueue(make_celery(Settings(redis_url=url)), redis, max_queued_tasks=9)

        def submit() -> None:
            try:
                queue.submit(SEARCH_TASK, STORE, {"job_id": "1"})
            except BrokerUnavailable as error:
                refused.append(error)

        thread = threading.Thread(target=submit, daemon=True)
        thread.start()
        thread.join(20)
        assert len(refused) == 1


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
