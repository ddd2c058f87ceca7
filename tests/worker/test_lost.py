"""Tasks that are gone without a trace: the job's are made again when nobody is at work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.contract.orders import DeleteOrder, SearchesOrder, SearchOrder
from common.deliveries import ON_THEIR_WAY
from common.jobs import Item, ItemStatus, Kind, Status
from common.queue import (
    DELETE_COLLECTION_TASK,
    DELETE_TASK,
    FETCH,
    FETCH_TASK,
    INDEX,
    INDEX_TASK,
    SEARCH,
    SEARCH_TASK,
    SEARCHES,
    SEARCHES_TASK,
    STORE,
    UPKEEP,
    VERIFY_TASK,
)
from tests.worker.conftest import World, noise, png
from tests.worker.test_tasks import Sent
from worker.lost import SURE_AFTER_S, Lost


@pytest.fixture
def sent() -> Sent:
    """Return the queue that holds what was made again."""
    return Sent()


@pytest.fixture
def lost(world: World, sent: Sent) -> Lost:
    """Return what looks for lost tasks."""
    return Lost(replace(world.base, queue=sent))


def test_an_index_job_gets_the_tasks_of_its_open_items_again(
    world: World, lost: Lost, sent: Sent
) -> None:
    size = world.base.settings.chunk_size
    world.post(*(png(noise(n)) for n in range(2 * size + 1)))
    world.index(count=size)
    assert lost.look(0) == 0, "its request may still be at it"
    assert lost.look(SURE_AFTER_S - 1) == 0
    assert lost.look(SURE_AFTER_S) == 1
    assert sent.tasks == [
        (INDEX_TASK, INDEX, {"job_id": "job", "first": size, "last": 2 * size - 1}),
        (INDEX_TASK, INDEX, {"job_id": "job", "first": 2 * size, "last": 2 * size}),
    ]
    assert world.index().status is Status.SUCCEEDED
    assert lost.look(9 * SURE_AFTER_S) == 0


def test_searches_and_deletions_get_theirs(world: World, lost: Lost, sent: Sent) -> None:
    jobs = world.base.jobs
    url = SearchOrder(url="http://a.example/x")
    jobs.create("s", Kind.SEARCH, [Item(0, "query")], SearchOrder(files=1).details())
    jobs.create("u", Kind.SEARCH, [Item(0, "query")], url.details())
    jobs.create("d", Kind.DELETE, [Item(0, "a", "image")], DeleteOrder(collection="c").details())
    whole = DeleteOrder(collection="c", whole=True)
    jobs.create("w", Kind.DELETE, [Item(0, "c")], whole.details())
    jobs.create("v", Kind.VERIFY, [Item(0, "c")], {})
    many = [Item(n, "q") for n in range(10)]
    jobs.create("x", Kind.SEARCHES, many, SearchesOrder(files=True).details())
    jobs.finish_items("x", [item.ended(ItemStatus.ANSWERED, None) for item in many[:8]])
    for now in (0, SURE_AFTER_S):
        lost.look(now)
    assert sorted(sent.tasks, key=lambda task: str(task[2]["job_id"])) == [
        (DELETE_TASK, STORE, {"job_id": "d", "collection": "c", "image_id": "image"}),
        (SEARCH_TASK, SEARCH, {"job_id": "s"}),
        (FETCH_TASK, FETCH, {"job_id": "u"}),
        (VERIFY_TASK, UPKEEP, {"job_id": "v"}),
        (DELETE_COLLECTION_TASK, STORE, {"job_id": "w", "collection": "c"}),
        (SEARCHES_TASK, SEARCHES, {"job_id": "x", "first": 8, "last": 9}),
    ]


@pytest.mark.parametrize("where", ["waits", "on its way", "taken"])
def test_while_anything_is_under_way_nothing_is_lost(
    world: World, lost: Lost, sent: Sent, where: str
) -> None:
    world.post(png(noise(1)))
    redis = world.base.redis
    lost.look(0)
    if where == "waits":
        redis.lpush(INDEX, "{}")
    elif where == "on its way":
        redis.lpush(ON_THEIR_WAY + INDEX, "{}")
    else:
        redis.hset("unacked", "tag", "{}")
    assert lost.look(2 * SURE_AFTER_S) == 0
    redis.delete(INDEX, ON_THEIR_WAY + INDEX, "unacked")
    assert lost.look(3 * SURE_AFTER_S) == 0, "it begins anew"
    assert lost.look(4 * SURE_AFTER_S) == 1
