"""The job store on the real Redis: every item ends once, the last one ends the job."""

from __future__ import annotations

import threading
import time

import pytest

from common.errors import BrokerUnavailable, NotFound, WorkerCrashed
from common.job_store import JobStore
from common.jobs import Item, ItemStatus, Kind, Status
from common.redis import Client, connect


@pytest.fixture
def jobs(redis: Client, redis_url: str) -> JobStore:
    """Return a job store on an empty Redis."""
    return JobStore(redis, url=redis_url, ttl_s=60)


def make(jobs: JobStore, count: int) -> list[Item]:
    items = [Item(n, f"{n}.jpg", f"image{n}") for n in range(count)]
    jobs.create("job", Kind.INDEX, items, {"collection": "default"})
    return items


def well(item: Item) -> Item:
    return item.ended(ItemStatus.INDEXED, item.image_id or "")


def badly(item: Item) -> Item:
    return item.failed(WorkerCrashed("it broke"))


def test_a_new_job_is_queued_with_its_details(jobs: JobStore) -> None:
    make(jobs, 3)
    job = jobs.get("job")
    assert (job.status, job.total, job.done, job.failed) == (Status.QUEUED, 3, 0, 0)
    assert job.details == {"collection": "default"}
    assert (job.rate_per_s(), job.eta_s()) == (None, None)


def test_the_last_item_ends_the_job(jobs: JobStore) -> None:
    items = make(jobs, 2)
    assert jobs.start("job")
    assert jobs.finish_items("job", [well(items[0])]) is Status.STARTED
    assert jobs.finish_items("job", [well(items[1])]) is Status.SUCCEEDED
    job = jobs.get("job")
    assert job.finished_at is not None and job.started_at is not None
    assert job.eta_s() == 0


@pytest.mark.parametrize(("bad", "status"), [(1, Status.PARTIAL), (2, Status.FAILED)])
def test_failed_items_show_in_the_status(jobs: JobStore, bad: int, status: Status) -> None:
    items = make(jobs, 2)
    ended = [badly(item) if n < bad else well(item) for n, item in enumerate(items)]
    assert jobs.finish_items("job", ended) is status
    assert jobs.items("job", offset=0, limit=10)[0].error == {
        "code": "worker_crashed", "message": "it broke",
    }  # fmt: skip


def test_an_item_that_ends_twice_counts_once(jobs: JobStore) -> None:
    items = make(jobs, 3)
    for _ in range(3):
        jobs.finish_items("job", [well(items[0]), badly(items[0])])
    job = jobs.get("job")
    assert (job.done, job.failed, job.status) == (1, 0, Status.QUEUED)


def test_twenty_threads_that_end_the_same_items_count_each_once(jobs: JobStore) -> None:
    items = make(jobs, 50)
    threads = [
        threading.Thread(target=jobs.finish_items, args=("job", [well(item) for item in items]))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert jobs.get("job").done == 50


def test_a_cancelled_job_stays_cancelled(jobs: JobStore) -> None:
    items = make(jobs, 2)
    jobs.start("job")
    assert jobs.cancel("job").status is Status.CANCELLED
    assert not jobs.start("job")
    assert jobs.finish_items("job", [well(item) for item in items]) is Status.CANCELLED
    assert not jobs.succeed("job", {})
    assert jobs.get("job").done == 0


def test_cancelling_a_job_that_has_ended_changes_nothing(jobs: JobStore) -> None:
    items = make(jobs, 1)
    jobs.finish_items("job", [well(items[0])])
    assert jobs.cancel("job").status is Status.SUCCEEDED


def test_items_are_paged_in_order(jobs: JobStore) -> None:
    make(jobs, 2500)
    assert [i.index for i in jobs.items("job", offset=2490, limit=100)] == list(range(2490, 2500))


def test_every_waiter_wakes_when_the_job_ends(jobs: JobStore) -> None:
    make(jobs, 1)
    seen: list[Status] = []
    threads = [
        threading.Thread(target=lambda: seen.append(jobs.wait("job", 20).status)) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    jobs.succeed("job", {"matches": []})
    for thread in threads:
        thread.join(20)
    assert seen == [Status.SUCCEEDED] * 5
    assert jobs.get("job").result == {"matches": []}


def test_waiting_returns_the_job_as_it_stands_when_the_time_is_over(jobs: JobStore) -> None:
    make(jobs, 1)
    assert jobs.wait("job", 0.1).status is Status.QUEUED


def test_an_unknown_job_is_not_found(jobs: JobStore) -> None:
    with pytest.raises(NotFound):
        jobs.get("nothing")


def test_a_finished_job_is_forgotten_and_a_running_one_is_not(
    jobs: JobStore, redis: Client
) -> None:
    items = make(jobs, 1)
    assert redis.ttl("needle:job:job") == -1
    jobs.finish_items("job", [well(items[0])])
    for key in redis.keys("needle:job:*"):
        assert 0 < redis.ttl(key) <= 60


def test_without_redis_every_call_says_so_at_once() -> None:
    url = "redis://127.0.0.1:1/0"
    jobs = JobStore(connect(url), url=url, ttl_s=60)
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        jobs.get("job")
    with pytest.raises(BrokerUnavailable):
        make(jobs, 1)
    assert time.monotonic() - started < 4
