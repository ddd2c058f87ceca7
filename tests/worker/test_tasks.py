"""The tasks around the pipelines: what is away sends a task back, and nothing keeps it from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from celery.exceptions import Reject

from common.contract.orders import SearchOrder
from common.errors import BrokerUnavailable, StoreRefused, StoreUnavailable, Transient
from common.jobs import Item, Kind, Status
from common.queue import COMMIT_TASK, DELETE_TASK, INDEX, INDEX_TASK, SEARCH, SEARCH_TASK
from common.redis import connect
from tests.worker.conftest import World, noise, png
from worker import attempts, tasks
from worker.attempts import Attempts
from worker.fetch import Fetcher
from worker.indexing.batch import Batch
from worker.indexing.handover import Forwarder


class Away:
    """A committer that meets an error which passes."""

    def __init__(self, error: Transient) -> None:
        self._error = error

    def commit(self, batch: Batch) -> None:
        """Raise it."""
        raise self._error


@pytest.mark.parametrize("error", [StoreUnavailable("away"), BrokerUnavailable("away")])
@pytest.mark.parametrize("counter_answers", [True, False])
def test_an_error_that_passes_puts_the_task_back(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Transient, counter_answers: bool
) -> None:
    monkeypatch.setattr(attempts, "PAUSE_S", 0.0)
    base = world.base
    if not counter_answers:

        class Gone(Attempts):
            def forget(self, task_key: str) -> None:
                """Find Redis away."""
                raise BrokerUnavailable("away")

        base = replace(base, attempts=Gone(connect(base.settings.redis_url), ttl_s=60))
    pipeline = world.committing_with(Away(error)).indexing
    tasks.register_index(base.celery, base, lambda: pipeline)
    world.post(png(noise(1)))
    with pytest.raises(Reject) as caught:
        base.celery.tasks[INDEX_TASK].run(job_id="job", first=0, last=0)
    assert caught.value.requeue
    assert world.statuses() == ["queued"]


class Refusing:
    """A writer whose store answers 4xx to a deletion."""

    def discard(self, collection: str, image_id: str) -> None:
        """Raise it."""
        raise StoreRefused("The store refuses.")


def test_a_deletion_that_the_store_refuses_ends_its_job(world: World) -> None:
    base = world.base
    tasks.register_search(base.celery, base, Refusing, lambda: world.searching)
    base.jobs.create("gone", Kind.DELETE, [Item(0, "a.png", "image")], {"collection": "default"})
    base.celery.tasks[DELETE_TASK].run(job_id="gone", collection="default", image_id="image")
    job = base.jobs.get("gone")
    assert job.status is Status.FAILED
    assert job.error is not None and job.error["code"] == "store_refused"


class Sent:
    """A queue that runs nothing: it holds what was sent."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, str, dict[str, object]]] = []

    def submit(self, task: str, queue: str, payload: dict[str, object]) -> None:
        """Note it."""
        self.tasks.append((task, queue, payload))


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_batch_that_was_handed_over_broken_is_made_again_and_the_job_ends(
    world: World, damage: str
) -> None:
    sent = Sent()
    base = replace(world.base, queue=sent)
    forwarding = world.committing_with(Forwarder(base.images, sent))
    tasks.register_search(base.celery, base, lambda: world.writer, lambda: world.searching)
    commit = base.celery.tasks[COMMIT_TASK]
    world.post(png(noise(1)))

    def hand_over_broken() -> dict[str, object]:
        forwarding.index()
        _, _, payload = sent.tasks.pop()
        key = str(payload["key"])
        if damage == "cut":
            base.images.put(key, base.images.open(key)[:-200])
        else:
            base.images.delete(key)
        return payload

    for _ in range(2):
        commit.run(**hand_over_broken())
        again = {"job_id": "job", "first": 0, "last": 0}
        assert sent.tasks.pop() == (INDEX_TASK, INDEX, again)
        assert world.statuses() == ["queued"]
    payload = hand_over_broken()
    commit.run(**payload)
    job = base.jobs.get("job")
    assert (job.status, job.error and job.error["code"]) == (Status.FAILED, "handover_broken")
    assert not sent.tasks


def test_a_batch_that_was_written_before_is_not_made_again(world: World) -> None:
    sent = Sent()
    base = replace(world.base, queue=sent)
    tasks.register_search(base.celery, base, lambda: world.writer, lambda: world.searching)
    world.post(png(noise(1)))
    world.committing_with(Forwarder(base.images, sent)).index()
    _, _, payload = sent.tasks.pop()
    for _ in range(2):
        base.celery.tasks[COMMIT_TASK].run(**payload)
    assert (world.statuses(), sent.tasks) == (["indexed"], [])


def test_a_fault_around_the_pipeline_fails_the_job(world: World) -> None:
    def broken() -> object:
        raise MemoryError

    tasks.register_index(world.base.celery, world.base, broken)
    world.post(png(noise(1)))
    world.base.celery.tasks[INDEX_TASK].run(job_id="job", first=0, last=0)
    assert world.base.jobs.get("job").status is Status.FAILED


def test_what_a_search_names_by_url_is_downloaded_before_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = png(noise(1))
    world.post(content)
    world.index()
    fetched: list[str] = []

    def fetch(self: Fetcher, url: str, *, wanted: Callable[[], bool]) -> bytes:
        assert wanted()
        fetched.append(url)
        return content

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    sent = Sent()
    base = replace(world.base, queue=sent)
    order = SearchOrder(url="http://a.example/x", negatives=[{"url": "http://a.example/x"}])
    base.jobs.create("s", Kind.SEARCH, [Item(0, "query")], order.details())
    tasks.run_fetch(base, "s")
    assert fetched == ["http://a.example/x"]
    assert sent.tasks == [(SEARCH_TASK, SEARCH, {"job_id": "s"})]
    monkeypatch.setattr(Fetcher, "fetch", None)
    tasks.run_search(base, world.searching, "s")
    assert base.jobs.get("s").status is Status.SUCCEEDED


def test_a_download_that_fails_ends_its_search(world: World) -> None:
    sent = Sent()
    base = replace(world.base, queue=sent)
    order = SearchOrder(url="http://127.0.0.1/x")
    base.jobs.create("s", Kind.SEARCH, [Item(0, "query")], order.details())
    tasks.run_fetch(base, "s")
    job = base.jobs.get("s")
    assert (job.status, job.error and job.error["code"]) == (Status.FAILED, "invalid_url")
    assert not sent.tasks
