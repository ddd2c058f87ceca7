"""Leases: kept alive while they are held, gone with their holder, and known to be lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from common.errors import StoreUnavailable
from common.images.redis_locks import RedisLocks
from common.redis import Client
from tests.conftest import REPO

HOLDER = """
import sys, time
from common.images.redis_locks import RedisLocks
from common.redis import connect
from common.errors import StoreUnavailable
with RedisLocks(connect(sys.argv[1]), lease_s=1.0).locked("c", ["a"]) as held:
    print("held", flush=True)
    sys.stdin.readline()
    try:
        held.check()
        print("mine", flush=True)
    except StoreUnavailable as error:
        print(error, flush=True)
"""


def test_a_lock_outlives_its_lease_while_it_is_held(redis: Client) -> None:
    locks = RedisLocks(redis, lease_s=0.3)
    other: list[str] = []

    def want() -> None:
        with locks.locked("c", ["a"]):
            other.append("got it")

    waiting = threading.Thread(target=want)
    with locks.locked("c", ["a"]) as held:
        waiting.start()
        waiting.join(1)
        held.check()
        assert not other
    waiting.join(10)
    assert other and not redis.keys("needle:lock:*")


def test_shares_of_an_earlier_version_count_until_they_end_and_no_longer(redis: Client) -> None:
    seconds, _ = redis.time()
    shares = "needle:lock:shared:c"
    redis.zadd(shares, {"it lives": (seconds + 60) * 1000, "it died": (seconds - 1) * 1000})
    locks, whole = RedisLocks(redis), ["needle:lock:whole:c", shares]
    assert not locks._take_whole(keys=whole, args=["new", 15.0])
    assert redis.zrange(shares, 0, -1) == ["it lives"]
    with locks.locked("c", ["a"]):
        ends = [end / 1000 - seconds for _, end in redis.zrange(shares, 0, -1, withscores=True)]
        assert 0 < min(ends) < 30 < max(ends), "ours is no other's to end"
    redis.zrem(shares, "it lives")
    assert locks._take_whole(keys=whole, args=["new", 15.0])


def test_the_lock_of_a_process_that_dies_is_free_after_its_lease(
    redis: Client, redis_url: str
) -> None:
    with holder(redis_url) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        process.kill()
        with RedisLocks(redis).locked("c", ["a"]):
            pass


def test_one_that_hangs_beyond_its_lease_finds_out_and_harms_nobody(
    redis: Client, redis_url: str
) -> None:
    with holder(redis_url) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "held\n"
        os.kill(process.pid, signal.SIGSTOP)
        with RedisLocks(redis).locked("c", ["a"]) as held:
            os.kill(process.pid, signal.SIGCONT)
            process.stdin.write("\n")
            process.stdin.flush()
            assert "was lost" in process.stdout.readline()
            process.wait(10)
            held.check()
            assert len(redis.keys("needle:lock:alone:*")) == 1  # it let go of nothing of ours


def test_a_lock_that_redis_has_lost_is_known_to_be_lost(redis: Client) -> None:
    with RedisLocks(redis, lease_s=0.3).locked("c", ["a", "b"]) as held:
        redis.delete("needle:lock:alone:b")
        threading.Event().wait(0.2)  # it is renewed more often
        with pytest.raises(StoreUnavailable, match="was lost"):
            held.check()


def holder(url: str) -> subprocess.Popen[str]:
    """Start a process that holds the lock of the image `a`."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, url],
        cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
