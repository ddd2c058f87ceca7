"""Deliveries in Redis: whose lease ends goes back, and nobody touches what is another's."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from kombu.transport.virtual import Message

from common import deliveries
from common.clock import steady_s
from common.deliveries import (
    DELIVERIES,
    LEASE_S,
    LET_GO,
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
from tests.clocks import set_clock


def taken(redis: Client, name: str, silent_s: float) -> None:
    """Have a worker hold a delivery of which it has said nothing for so long."""
    redis.hset(DELIVERIES, name, json.dumps([{"body": name}, STORE, STORE]))
    redis.zadd(TIMES, {name: LET_GO if silent_s == LET_GO else steady_s(redis) - silent_s})


def waiting(redis: Client) -> list[str]:
    """Return the bodies of the tasks that wait, the next one first."""
    return [json.loads(text)["body"] for text in reversed(redis.lrange(STORE, 0, -1))]


def test_what_nobody_speaks_for_is_the_next_task(redis: Client) -> None:
    redis.lpush(STORE, json.dumps({"body": "later"}))
    taken(redis, "silent", LEASE_S + 1)
    taken(redis, "held", LEASE_S - 5)
    assert put_back_ended(redis) == 1
    assert waiting(redis) == ["silent", "later"]
    assert redis.hkeys(DELIVERIES) == redis.zrange(TIMES, 0, -1) == ["held"]


def test_time_in_which_nobody_looked_does_not_count(redis: Client) -> None:
    """Redis was away: nobody could say anything, and who lives shall have the time to."""
    taken(redis, "held", 4)
    taken(redis, "let go", LET_GO)
    set_clock(redis, 3600)
    assert put_back_ended(redis) == 1
    assert waiting(redis) == ["let go"]
    assert renew(redis, ["held"]) == []
    taken(redis, "dead", LEASE_S - 4)
    set_clock(redis, 4)
    assert put_back_ended(redis) == 1


def test_a_clock_that_was_set_back_keeps_nothing_for_ever(redis: Client) -> None:
    taken(redis, "silent", LEASE_S - 4)
    set_clock(redis, -7200)
    assert put_back_ended(redis) == 0
    set_clock(redis, 4)
    assert put_back_ended(redis) == 1


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
    redis.zadd(TIMES, {late.delivery_tag: steady_s(redis) - LEASE_S - 1})
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
    set_clock(redis, 3600)
    assert put_back_strayed(redis, STORE) == 0, "the clock was set"
    redis.hset(SEEN + STORE, digest, steady_s(redis) - deliveries.ON_ITS_WAY_S)
    assert put_back_strayed(redis, STORE) == 1
    assert redis.lrange(STORE, 0, -1) == [message]
    assert not redis.exists(ON_THEIR_WAY + STORE, SEEN + STORE)
    consumer()().ack()
    assert redis.keys("needle:leases:*") == [] and not redis.exists(STORE, DELIVERIES)


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
