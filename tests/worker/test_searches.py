"""Many queries of one job: each is answered once, behind the searches that somebody waits for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from celery.exceptions import Reject

from common.contract.orders import SearchesOrder
from common.errors import StoreUnavailable
from common.images import answer_key, query_key
from common.jobs import Item, Job, Kind, Status
from common.queue import SEARCHES, SEARCHES_TASK
from common.redis import Client
from tests.fakes import PixelEncoder
from tests.worker.conftest import World, noise, png, sent
from worker import attempts, searches
from worker.searches import QUIET_S, Turns, run_searches
from worker.searching.options import SearchOptions
from worker.searching.pipeline import SearchPipeline
from worker.tasks import register_search

COUNT = 5


@pytest.fixture
def asked(world: World) -> tuple[World, list[str]]:
    """Return a worker with images indexed and a job that asks for each of them."""
    ids = world.post(*(png(noise(n)) for n in range(COUNT)))
    world.index()
    for number in range(COUNT):
        world.base.images.put(query_key("many", number), png(noise(number)))
    create(world, [Item(n, f"{n}.png") for n in range(COUNT)], files=True)
    return world, ids


def create(world: World, items: list[Item], **order: Any) -> None:
    world.base.jobs.create("many", Kind.SEARCHES, items, SearchesOrder(**order).details())


def run(world: World, first: int = 0, last: int = COUNT - 1, turns: Turns | None = None) -> Job:
    indexes = range(first, last + 1)
    run_searches(world.base, world.searching, turns or Turns(), "many", indexes)
    return world.base.jobs.get("many")


def found(world: World, number: int) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(world.base.images.open(answer_key("many", number)))
    return answer


class Watched(SearchPipeline):
    """The pipeline; before each search it calls `before` with the query's number."""

    before: Callable[[int], None]

    def find(self, options: SearchOptions, waited_s: float = 0.0) -> Any:
        self.before(options.first_file)
        return super().find(options, waited_s)


def watched(world: World, before: Callable[[int], None]) -> World:
    pipeline = Watched(**vars(world.searching))
    object.__setattr__(pipeline, "before", before)
    return replace(world, searching=pipeline)


def test_each_query_finds_its_own_image(asked: tuple[World, list[str]]) -> None:
    world, ids = asked
    job = run(world)
    assert (job.status, job.done, world.statuses("many")) == (
        Status.SUCCEEDED,
        COUNT,
        ["answered"] * COUNT,
    )
    best = [found(world, n)["matches"][0]["image_id"] for n in range(COUNT)]
    assert best == ids


def test_an_answer_keeps_the_places_that_show_the_query(asked: tuple[World, list[str]]) -> None:
    world, _ = asked
    whole = world.search(noise(0), hits_per_image=20).result
    assert whole is not None and len(whole["matches"][0]["hits"]) > 1
    run(world, last=0)
    kept = found(world, 0)["matches"]
    assert [match["hits"] for match in kept] == [m["hits"][:1] for m in whole["matches"]]


def test_an_indexed_image_is_a_query_and_a_bad_one_fails_alone(world: World) -> None:
    ids = world.post(png(noise(1)))
    world.index()
    items = [Item(0, ids[0], ids[0]), Item(1, "gone", "gone"), Item(2, "http://127.0.0.1/a.png")]
    create(world, items)
    job = run(world, last=2)
    assert (job.status, job.done, job.failed) == (Status.PARTIAL, 1, 2)
    errors = [item.error for item in world.base.jobs.items("many", offset=1, limit=2)]
    assert [error and error["code"] for error in errors] == ["not_found", "invalid_url"]


def test_a_process_that_dies_in_the_middle_loses_nothing_and_searches_nothing_twice(
    asked: tuple[World, list[str]],
) -> None:
    world, _ = asked
    searched: list[int] = []

    def dies(number: int) -> None:
        searched.append(number)
        if searched == [0, 1, 2]:
            raise SystemExit  # as far as the job can tell, the end of the process

    with pytest.raises(SystemExit):
        run(watched(world, dies))
    assert world.statuses("many") == ["answered"] * 2 + ["queued"] * 3
    job = run(watched(world, dies))  # as the lease that ended brings the task again
    assert (job.status, job.done) == (Status.SUCCEEDED, COUNT)
    assert searched == [0, 1, 2, 2, 3, 4]


def test_a_query_that_ends_the_process_each_time_fails_alone(
    asked: tuple[World, list[str]],
) -> None:
    world, _ = asked

    def dies(number: int) -> None:
        if number == 3:
            raise SystemExit

    while not world.base.jobs.get("many").status.final:
        try:
            run(watched(world, dies))
        except SystemExit:
            continue
    assert world.statuses("many") == ["answered"] * 3 + ["failed", "answered"]


def test_a_cancelled_job_stops_before_the_next_query(asked: tuple[World, list[str]]) -> None:
    world, _ = asked

    def cancels(number: int) -> None:
        if number == 1:
            world.base.jobs.cancel("many")

    assert run(watched(world, cancels)).status is Status.CANCELLED
    assert world.statuses("many") == ["answered"] + ["queued"] * 4


def test_a_job_that_was_taken_back_leaves_no_files(asked: tuple[World, list[str]]) -> None:
    world, _ = asked

    world = watched(world, lambda _: world.base.jobs.discard("many"))
    run_searches(world.base, world.searching, Turns(), "many", range(1))
    assert not world.base.images.exists(answer_key("many", 0))
    assert not world.base.images.exists(query_key("many", 0))


def test_a_store_that_is_away_sends_the_task_back(
    asked: tuple[World, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = asked
    monkeypatch.setattr(attempts, "PAUSE_S", 0.0)

    def away(number: int) -> None:
        raise StoreUnavailable("away")

    pipeline = watched(world, away).searching
    register_search(world.base.celery, world.base, lambda: world.writer, lambda: pipeline)
    with pytest.raises(Reject) as caught:
        world.base.celery.tasks[SEARCHES_TASK].run(job_id="many", first=0, last=COUNT - 1)
    assert caught.value.requeue and world.statuses("many") == ["queued"] * COUNT


def test_another_encoder_fails_the_job_as_a_whole(asked: tuple[World, list[str]]) -> None:
    class Other(PixelEncoder):
        id = "another"

    world, _ = asked
    job = run(world.searching_by(Other()))
    assert job.status is Status.FAILED
    assert job.error is not None and job.error["code"] == "encoder_mismatch"


def test_what_has_no_time_left_is_a_task_of_its_own(
    asked: tuple[World, list[str]], redis: Client
) -> None:
    world, _ = asked
    short = world.base.settings.model_copy(update={"task_time_limit_s": 0})
    run(replace(world, base=replace(world.base, settings=short)))
    assert sent(redis, SEARCHES) == [{"job_id": "many", "first": 1, "last": COUNT - 1}]


def test_a_query_waits_while_somebody_waits_for_a_search(asked: tuple[World, list[str]]) -> None:
    world, _ = asked
    turns, began = Turns(), threading.Event()

    def note(_: int) -> None:
        began.set()

    with turns.first():
        thread = threading.Thread(target=run, args=(watched(world, note),), kwargs={"turns": turns})
        thread.start()
        assert not began.wait(0.3)
    assert began.wait(20)
    thread.join(60)
    assert world.base.jobs.get("many").status is Status.SUCCEEDED


def behind(turns: Turns, longest_s: float = 60.0) -> threading.Event:
    """Have a query wait for its turn; return what tells that it has come."""
    began = threading.Event()

    def search() -> None:
        with turns.behind(longest_s):
            began.set()

    threading.Thread(target=search, daemon=True).start()
    return began


def test_searches_without_end_do_not_keep_a_job_for_ever() -> None:
    turns = Turns()
    with turns.first():
        assert behind(turns, longest_s=0.01).wait(20)
        assert not (next_one := behind(turns)).wait(0.3)
    assert not next_one.wait(QUIET_S / 2), "the next search may come at once"
    assert next_one.wait(20)


def test_each_query_gives_way_for_so_long_whoever_is_before_it() -> None:
    turns = Turns(at_once=4)
    with turns.first():
        waiting = [behind(turns, longest_s=2.0) for _ in range(3)]
        ends = time.monotonic() + 3.5  # one after the other takes six
        assert all(began.wait(max(0.0, ends - time.monotonic())) for began in waiting)


def test_where_nobody_searches_queries_take_every_core() -> None:
    turns = Turns(at_once=2)
    with turns.behind(), turns.behind():
        assert not (third := behind(turns)).wait(0.3)
    assert third.wait(20)


def test_a_thread_that_goes_on_at_once_does_not_keep_the_other_waiting() -> None:
    turns = Turns()
    with turns.behind():
        assert not (other := behind(turns)).wait(0.3)
    with turns.behind():
        assert other.is_set()


def test_where_somebody_has_searched_of_late_a_core_stays_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searches, "QUIET_S", 0.0)
    monkeypatch.setattr(searches, "ALONE_S", 3.0)
    turns, single = Turns(at_once=2), Turns(at_once=1)
    for each in (turns, single):
        with each.first():
            pass
    assert behind(single).wait(20), "there is one at least"
    with turns.behind():
        assert not (second := behind(turns, longest_s=0.0)).wait(0.3), "however long it has waited"
        assert second.wait(20), "nobody has searched for long"
