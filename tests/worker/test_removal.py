"""Deleting a collection: nothing is left, wherever it stopped before."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import StoreUnavailable
from common.images import collection_folder
from common.jobs import Status
from common.services import Services
from tests.worker.conftest import World, noise, png
from web.removal import remove_collection
from worker import removal
from worker.removal import delete_some


@pytest.fixture
def filled(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a worker with three images indexed and one that is not; tasks take two items."""
    world.post(*(png(noise(n)) for n in range(3)))
    world.index()
    world.post(png(noise(3)), job_id="later")
    monkeypatch.setattr(removal, "ITEMS_PER_TASK", 2)
    return world


def _begin(world: World) -> str:
    services: Services = world.base
    return remove_collection(services, "default")


def _run(world: World, job_id: str, first: int | None = 0) -> int:
    """Run the job's tasks to the end; return how many there were."""
    count = 0
    while first is not None:
        first, count = delete_some(world.writer, job_id, "default", first), count + 1
    return count


def _left(world: World) -> list[object]:
    """Return what is left of the collection anywhere."""
    base, folder = world.base, Path(world.base.settings.data_dir, collection_folder("default"))
    return [
        *base.catalogue.every("default"),
        *base.catalogue.collections(),
        *([folder] if folder.exists() else []),
        *([world.writer.store.count("default")] if world.writer.store.count("default") else []),
        *([world.writer.words.count("default")] if world.writer.words.count("default") else []),
        *filter(None, [base.catalogue.deleting("default")]),
    ]


def test_all_is_deleted_in_pieces(filled: World) -> None:
    job_id = _begin(filled)
    assert filled.base.jobs.get("later").status is Status.CANCELLED
    assert _run(filled, job_id) == 3
    job = filled.base.jobs.get(job_id)
    assert (job.status, job.done, job.total) == (Status.SUCCEEDED, 5, 5)
    assert set(filled.statuses(job_id)) == {"deleted"}
    assert _left(filled) == []


@pytest.mark.parametrize("broken", ["store", "words", "images"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_died_in_the_middle_goes_on_where_it_stopped(
    filled: World, monkeypatch: pytest.MonkeyPatch, broken: str, after: int
) -> None:
    job_id, calls = _begin(filled), 0
    part = getattr(filled.writer, broken)
    name = "delete_folder" if broken == "images" else "delete_image"
    delete = getattr(part, name)

    def dies(*args: str) -> None:
        nonlocal calls
        calls += 1
        if calls == after + 1:
            raise StoreUnavailable("away")
        delete(*args)

    monkeypatch.setattr(type(part), name, lambda _, *args: dies(*args))
    with pytest.raises(StoreUnavailable):
        _run(filled, job_id)
    assert filled.base.jobs.get(job_id).done == after
    _run(filled, job_id)  # the task that is delivered again begins at its own first item
    assert filled.base.jobs.get(job_id).status is Status.SUCCEEDED
    assert _left(filled) == []


def test_a_task_that_runs_twice_changes_nothing(filled: World) -> None:
    job_id = _begin(filled)
    _run(filled, job_id)
    world_again = filled.post(png(noise(9)), job_id="again")
    filled.index("again")
    assert _run(filled, job_id) == 1
    assert [record.image_id for record in filled.base.catalogue.every("default")] == world_again
    assert filled.writer.store.count("default") > 0


def test_a_cancelled_job_leaves_the_rest_whole(filled: World) -> None:
    job_id = _begin(filled)
    after = delete_some(filled.writer, job_id, "default", 0)
    filled.base.jobs.cancel(job_id)
    assert after == 2 and delete_some(filled.writer, job_id, "default", after) is None
    assert filled.base.catalogue.deleting("default") is None
    left = list(filled.base.catalogue.every("default"))
    assert len(left) == 2
    assert filled.base.catalogue.collection("default") is not None
    for record in left:
        count = len(filled.regions(record.image_id))
        assert count == record.regions


def test_the_task_goes_on_until_nothing_is_left(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from common.queue import DELETE_COLLECTION_TASK
    from worker.tasks import register_search

    base, sent = filled.base, []
    monkeypatch.setattr(
        type(base.queue), "submit", lambda _, task, queue, payload: sent.append((task, payload))
    )
    register_search(base.celery, base, lambda: filled.writer, lambda: filled.searching)
    _begin(filled)
    for task, payload in sent:  # grows while it is read
        assert task == DELETE_COLLECTION_TASK
        base.celery.tasks[task].run(**payload)
    assert [payload.get("first", 0) for _, payload in sent] == [0, 2, 4]
    assert _left(filled) == []
