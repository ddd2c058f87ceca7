"""Clocks that are set by hours, on the machine of a process or on that of Redis, in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from limits import RateLimitItemPerSecond
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import TimeoutError as RedisTimeout

from common.beginnings import ABANDONED_S, Beginnings
from common.clock import MOST_S, steady_s
from common.deliveries import LEASE_S, LOOK_S, ON_ITS_WAY_S
from common.errors import StoreUnavailable
from common.images import redis_locks
from common.images.redis_locks import RedisLocks
from common.job_keys import ENDED, WEBHOOKS
from common.job_list import JobList
from common.job_store import JobStore
from common.jobs import Item, ItemStatus, Kind
from common.metrics.targets import Targets
from common.redis import Client, connect
from common.s3.errors import BucketRefused, translated
from common.webhooks import CLAIMED_S, PAUSES_S, Calls
from tests.clocks import HINT, ProcessClock, set_clock
from tests.conftest import running_redis
from web import idempotency, rates

HOURS = 5 * 3600.0
BY = pytest.mark.parametrize("by_s", [HOURS, -HOURS], ids=["forward", "back"])


@pytest.fixture(params=[0.0, 4e9], ids=["long ago", "to come"])
def elsewhen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process's clock be years off."""
    monkeypatch.setattr("time.time", lambda: request.param)


def test_the_steady_clock_goes_on_and_takes_no_jump(redis: Client) -> None:
    at = steady_s(redis)
    set_clock(redis, 2.0)
    assert 2.0 <= steady_s(redis) - at < 4.0
    at = steady_s(redis)
    set_clock(redis, -HOURS)
    assert 0 <= steady_s(redis) - at < 2.0
    at = steady_s(redis)
    set_clock(redis, HOURS)
    assert MOST_S <= steady_s(redis) - at < MOST_S + 2.0


def test_a_jump_is_shorter_than_every_lease_and_longer_than_every_beat() -> None:
    leases = [
        LEASE_S, ON_ITS_WAY_S, ABANDONED_S, idempotency.ABANDONED_S, redis_locks.LEASE_S, CLAIMED_S
    ]  # fmt: skip
    assert LOOK_S < MOST_S < min(leases)


@BY
def test_a_request_under_way_is_not_abandoned(redis: Client, by_s: float) -> None:
    beginnings = Beginnings(redis)
    with beginnings.of("job", "default"):
        set_clock(redis, by_s)
        assert beginnings.left() == []


@pytest.mark.usefixtures("elsewhen")
def test_a_request_of_a_machine_with_another_time_is_not_abandoned(redis: Client) -> None:
    with Beginnings(redis).of("job", "default"), pytest.MonkeyPatch.context() as here:
        here.setattr("time.time", lambda: 1e9)
        assert Beginnings(redis).left() == []


def test_one_that_was_left_is_found_whatever_the_clocks_say(redis: Client) -> None:
    redis.zadd("needle:beginnings", {"job default": steady_s(redis) - ABANDONED_S + 1})
    set_clock(redis, -HOURS)
    assert Beginnings(redis).left() == []
    set_clock(redis, 2.0)
    assert [one.job_id for one in Beginnings(redis).left()] == ["job"]


@BY
def test_the_claim_of_a_request_that_works_is_not_taken_over(redis: Client, by_s: float) -> None:
    def claim(job_id: str) -> list[str]:
        found: list[str] = redis.eval(
            idempotency._CLAIM, 1, "once", "same", job_id, idempotency.ABANDONED_S, 60
        )
        return found

    assert claim("first") == ["claimed", "first"]
    set_clock(redis, by_s)
    assert claim("second") == ["busy", "first"]
    assert redis.eval(idempotency._HOLD, 1, "once", "first") == 1


@pytest.fixture
def clock(tmp_path: Path) -> ProcessClock:
    """Return a clock for processes of their own."""
    clock = ProcessClock.made(tmp_path)
    return clock or pytest.skip(HINT)


@pytest.mark.usefixtures("elsewhen")
@BY
def test_a_client_is_not_shut_out(tmp_path: Path, clock: ProcessClock, by_s: float) -> None:
    """A window that has begun ends within its length, whatever Redis's clock becomes."""
    with running_redis(tmp_path, clock.env) as url:
        redis = connect(url)
        limiter = FixedWindowRateLimiter(
            rates.Windows("needle://", connection_pool=redis.connection_pool)
        )
        item = RateLimitItemPerSecond(2, rates.WINDOW_S)
        assert [limiter.hit(item, "me") for _ in range(3)] == [True, True, False]
        told = redis.time()[0]
        clock.set(int(by_s))
        deadline = time.monotonic() + 30
        while abs(redis.time()[0] - told) < HOURS / 2:
            assert time.monotonic() < deadline, "Redis has taken no notice"
            time.sleep(0.01)
        assert limiter.hit(item, "me") is (by_s > 0), "set forward, the window is over"
        key = limiter.storage.prefixed_key(item.key_for("me"))
        assert 0 < redis.pttl(key) <= rates.WINDOW_S * 1000
        redis.close()


@pytest.fixture
def jobs(redis: Client, redis_url: str) -> JobStore:
    return JobStore(redis, url=redis_url, ttl_s=60)


def ended(jobs: JobStore, name: str = "job") -> None:
    jobs.create(name, Kind.INDEX, [Item(0, "a.jpg")], {}, "http://hook.test/")
    assert jobs.start(name)
    jobs.finish_items(name, [Item(0, "a.jpg").ended(ItemStatus.INDEXED, "i")])


@BY
def test_a_webhook_is_called_when_its_pause_is_over(
    redis: Client, jobs: JobStore, by_s: float
) -> None:
    ended(jobs)
    calls = Calls(redis)
    assert calls.claim() == "job"
    set_clock(redis, by_s)
    assert calls.claim() is None, "whoever claimed it is still calling"
    webhook = jobs.get("job").webhook
    assert webhook is not None
    calls.settle("job", webhook.tried("away"), PAUSES_S[1])
    set_clock(redis, by_s)
    assert calls.claim() is None
    redis.zincrby(WEBHOOKS, -PAUSES_S[1], "job")
    assert calls.claim() == "job"


@pytest.mark.usefixtures("elsewhen")
def test_a_job_is_listed_for_as_long_as_its_record_is_there(redis: Client, jobs: JobStore) -> None:
    forgotten: list[str] = []
    ended(jobs)
    job = jobs.get("job")
    assert job.finished_at is not None and job.started_at is not None
    assert job.created_at <= job.started_at <= job.finished_at <= job.seen_at < job.created_at + 30
    JobList(redis, forgotten.append).forget_faded()
    assert (forgotten, redis.zcard(ENDED)) == ([], 1)
    redis.zincrby(ENDED, -redis.ttl("needle:job:job") - 1, "job")
    JobList(redis, forgotten.append).forget_faded()
    assert (forgotten, redis.zcard(ENDED)) == (["job"], 0)


def test_a_job_during_which_the_clock_was_set_back_has_no_rate(jobs: JobStore) -> None:
    ended(jobs)
    jobs._redis.hincrbyfloat("needle:job:job", "started_at", HOURS)
    job = jobs.get("job")
    assert (job.rate_per_s(), job.eta_s()) == (None, 0.0)


def test_a_wait_that_redis_does_not_end_ends_with_the_job_as_it_stands(
    jobs: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clock was set back: what it was asked to wait until is hours away."""
    jobs.create("job", Kind.INDEX, [Item(0, "a.jpg")], {})

    class Waiter:
        def blmove(self, *_: Any) -> None:
            raise RedisTimeout("Timeout reading from socket")

        def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr("common.job_store.connect", lambda *_, **__: Waiter())
    assert not jobs.wait("job", 0.1).status.final


@BY
@pytest.mark.parametrize("take", [lambda locks: locks.locked("c", ["a"]),
                                  lambda locks: locks.locked_whole("c")])  # fmt: skip
def test_a_lock_that_is_held_is_not_taken(
    redis: Client, by_s: float, take: Callable[[RedisLocks], Any]
) -> None:
    other: list[str] = []

    def want() -> None:
        with take(RedisLocks(redis)):
            other.append("got it")

    with take(RedisLocks(redis)) as held:
        locks = [name for name in redis.keys("needle:lock:*")]
        assert min(map(redis.ttl, locks)) > HOURS, "Redis itself forgets it when its clock is set"
        set_clock(redis, by_s)
        waiting = threading.Thread(target=want)
        waiting.start()
        waiting.join(0.2)
        held.check()
        assert not other
    waiting.join(10)
    assert other


@pytest.mark.usefixtures("elsewhen")
def test_a_process_with_another_time_drives_nobody_from_the_list(redis: Client) -> None:
    Targets(redis).say("web", "a:1")
    with pytest.MonkeyPatch.context() as here:
        here.setattr("time.time", lambda: 1e9)
        Targets(redis).say("index", "b:2")
        assert len(Targets(redis).every()) == 2


@pytest.mark.parametrize("code", ["RequestTimeTooSkewed", "RequestExpired"])
def test_a_bucket_that_has_another_time_is_one_that_is_away(code: str) -> None:
    """Nothing fails for good: the clock will be set right."""
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    with pytest.raises(StoreUnavailable, match="clocks") as raised, translated("be read"):
        raise ClientError(answer, "GetObject")  # type: ignore[arg-type]
    assert not isinstance(raised.value, BucketRefused)


def test_no_decision_goes_by_the_clock_of_a_machine() -> None:
    """What is allowed says what is shown, or is what others ask for: each has its reason."""
    root = Path(__file__).parents[2]
    allowed = {
        "common/beats.py",  # which files are a day old, on whatever host
        "common/keys.py",  # when a key was made, to show
        "common/tracing.py",  # when spans began, as collectors want it
        "common/queue.py",  # when a task was enqueued, for metrics
        "needle/exchange.py",  # Retry-After as a date
        "needle/journal.py",  # when a job was posted, to show
        "web/backups.py",  # the times of members of a tar file
        "worker/indexing/committing.py",  # when an image was indexed, to show
        "worker/notifying.py",  # the time that a signature carries
        "worker/upkeep/backing_up.py",  # when a backup was made, to show
    }
    words = ("time.time(", "datetime.now(", "utcnow(", "date.today(", "time_ns(")
    rooms = ("common", "web", "worker", "needle", "machine", "deploy")
    found = {
        path.relative_to(root).as_posix()
        for room in rooms
        for path in (root / room).rglob("*.py")
        if any(word in path.read_text() for word in words)
    }
    assert found == allowed
