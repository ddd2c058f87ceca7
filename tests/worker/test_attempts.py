"""Rules of trying again: what sends a task back, what fails one item, and what fails the job."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import pytest
from celery.exceptions import Reject

from common.errors import BrokerUnavailable, EncoderMismatch, InvalidImage, StoreUnavailable
from common.jobs import Item, Kind, Status
from tests.worker.conftest import World
from worker import attempts
from worker.attempts import RunningJob, back_to_the_queue, run_to_its_end
from worker.indexing.pipeline import Part


@pytest.fixture
def job(world: World) -> RunningJob:
    """Return a running job of three items."""
    items = [Item(n, f"{n}.png", f"image{n}") for n in range(3)]
    world.base.jobs.create("job", Kind.INDEX, items, {"collection": "default"})
    world.base.jobs.start("job")
    return RunningJob(world.base.jobs, "job")


class Work:
    """Runs items in parts of `size`, notes them, and fails at item 1."""

    def __init__(self, error: Exception | None, size: int = 3) -> None:
        self.error, self.size = error, size
        self.seen: list[list[int]] = []
        self.open = 0

    def __call__(
        self, items: Sequence[Item], more: Callable[[], bool]
    ) -> Generator[Part, None, None]:
        """Note the items' numbers, part by part."""
        self.open += 1
        try:
            for start in range(0, len(items), self.size):
                if not more():
                    return
                part = items[start : start + self.size]
                self.seen.append([item.index for item in part])
                failed = any(item.index == 1 for item in part)
                yield Part(part, self.error if failed else None)
        finally:
            self.open -= 1


def run(world: World, job: RunningJob, work: Work, enough_s: float = 60) -> int:
    ran = job.run_chunk(world.base.attempts, range(3), work, enough_s=enough_s)
    assert not work.open, "whatever happens, what runs the items is closed"
    return ran.count


def test_a_batch_that_fails_is_tried_item_by_item_and_one_fails(
    world: World, job: RunningJob
) -> None:
    work = Work(InvalidImage("damaged"))
    assert run(world, job, work) == 3
    assert work.seen == [[0, 1, 2], [0], [1], [2]]
    assert world.statuses() == ["queued", "failed", "queued"]
    error = world.base.jobs.items("job", offset=1, limit=1)[0].error
    assert error is not None and error["code"] == "invalid_image"


def test_an_error_that_nobody_foresaw_is_told_in_a_sentence(world: World, job: RunningJob) -> None:
    run(world, job, Work(ZeroDivisionError("secret"), size=1))
    error = world.base.jobs.items("job", offset=1, limit=1)[0].error
    assert error == {"code": "internal", "message": "Indexing it failed."}


def test_an_error_that_passes_fails_nothing(world: World, job: RunningJob) -> None:
    work = Work(StoreUnavailable("away"))
    with pytest.raises(StoreUnavailable):
        run(world, job, work)
    assert not work.open
    assert (work.seen, world.statuses()) == ([[0, 1, 2]], ["queued"] * 3)


def test_another_encoders_collection_fails_the_whole_job(world: World, job: RunningJob) -> None:
    work = Work(EncoderMismatch("another"), size=1)
    run(world, job, work)
    assert work.seen == [[0], [1]], "nothing runs after the job has ended"
    assert world.base.jobs.get("job").status is Status.FAILED


def test_a_job_that_is_gone_stops_between_batches(world: World, job: RunningJob) -> None:
    work = Work(None)
    world.base.jobs.discard("job")
    assert not world.base.jobs.is_open("job")
    assert (run(world, job, work), work.seen) == (0, [])


def test_what_there_is_no_time_for_is_told_and_a_first_part_is_always_run(
    world: World, job: RunningJob
) -> None:
    work = Work(None, size=2)
    ran = job.run_chunk(world.base.attempts, range(3), work, enough_s=0)
    assert (ran.count, ran.left, work.seen) == (2, [2], [[0, 1]])
    world.base.jobs.cancel("job")
    assert job.run_chunk(world.base.attempts, range(3), work, enough_s=0).left == []


def test_what_is_put_back_is_counted_only_when_it_did_not_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "PAUSE_S", 0.0)
    forgotten: list[str] = []
    for error in (StoreUnavailable("away"), TimeoutError("slow")):
        with (
            pytest.raises(Reject),
            back_to_the_queue(
                StoreUnavailable, TimeoutError, forget=lambda: forgotten.append("once")
            ),
        ):
            raise error
    assert forgotten == ["once"]


def test_a_result_ends_its_job_and_a_fault_fails_it(world: World) -> None:
    jobs = world.base.jobs

    def broken(_: object) -> None:
        raise ZeroDivisionError

    def away(_: object) -> None:
        raise BrokerUnavailable("away")

    for name in ("good", "bad", "away"):
        jobs.create(name, Kind.SEARCH, [Item(0, "query")], {})
    assert run_to_its_end(jobs, "good", lambda job: job.job_id) == "good"
    assert (jobs.get("good").status, jobs.get("good").result) == (Status.SUCCEEDED, "good")
    assert run_to_its_end(jobs, "good", lambda job: job.job_id) is None
    assert run_to_its_end(jobs, "bad", broken) is None
    assert jobs.get("bad").status is Status.FAILED
    with pytest.raises(BrokerUnavailable):
        run_to_its_end(jobs, "away", away)
    assert jobs.get("away").status is Status.STARTED
