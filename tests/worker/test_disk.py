"""A disk that is nearly full: what was taken waits, deletions make room, and no process dies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from celery.exceptions import Reject

from common.disk import Disk
from common.errors import DiskFull
from common.jobs import Item, Kind, Status
from common.queue import COMMIT_TASK, DELETE_TASK, INDEX_TASK, STORE
from tests.conftest import REPO
from tests.small_disk import small_disk
from tests.worker.conftest import World, noise, png
from tests.worker.test_tasks import Sent
from worker import attempts, tasks
from worker.attempts import TRUSTED_ATTEMPTS
from worker.indexing.handover import Forwarder
from worker.vectors.engine import Shelf, Sort

LEAST = 512 * 2**20
Free = Callable[[int], None]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Free:
    """Return what sets how many bytes the disk has left; nobody pauses."""
    monkeypatch.setattr(attempts, "PAUSE_S", 0)
    monkeypatch.setattr(tasks, "FULL_PAUSE_S", 0)

    def set_to(free_bytes: int) -> None:
        monkeypatch.setattr(Disk, "free_bytes", lambda self: free_bytes)

    return set_to


def test_an_index_task_waits_and_that_counts_as_no_attempt(world: World, free: Free) -> None:
    tasks.register_index(world.base.celery, world.base, lambda: world.indexing)
    index = world.base.celery.tasks[INDEX_TASK]
    world.post(png(noise(1)))
    free(LEAST // 2 - 1)
    for _ in range(TRUSTED_ATTEMPTS + 2):
        with pytest.raises(Reject) as rejected:
            index.run(job_id="job", first=0, last=0)
        assert rejected.value.requeue
    assert world.statuses() == ["queued"]
    assert world.base.redis.keys("needle:attempts:*") == []
    free(LEAST // 2)
    index.run(job_id="job", first=0, last=0)
    assert world.statuses() == ["indexed"]


def test_a_batch_waits_behind_the_deletion_that_makes_room_for_it(world: World, free: Free) -> None:
    sent = Sent()
    base = replace(world.base, queue=sent)
    tasks.register_search(base.celery, base, lambda: world.writer, lambda: world.searching)
    (old,) = world.post(png(noise(1)), job_id="old")
    world.index("old")
    world.post(png(noise(2)))
    world.committing_with(Forwarder(base.images, sent)).index()
    _, _, payload = sent.tasks.pop()
    free(LEAST // 4)
    base.celery.tasks[COMMIT_TASK].run(**payload)
    assert sent.tasks == [(COMMIT_TASK, STORE, payload)], "it is at the end of the queue"
    assert world.statuses() == ["queued"]
    base.catalogue.remove("default", old)
    base.jobs.create("gone", Kind.DELETE, [Item(0, "a.png", old)], {"collection": "default"})
    base.celery.tasks[DELETE_TASK].run(job_id="gone", collection="default", image_id=old)
    assert base.jobs.get("gone").status is Status.SUCCEEDED
    free(LEAST)
    base.celery.tasks[COMMIT_TASK].run(**payload)
    assert world.statuses() == ["indexed"]


def test_searches_go_on_and_no_index_is_built(world: World, free: Free) -> None:
    (name,) = world.post(png(noise(1)), metadata={"colour": "red"})
    world.index()
    free(LEAST // 16)
    job = world.search(noise(1), filter={"colour": "red"})
    assert [match["image_id"] for match in job.result["matches"]] == [name]
    with pytest.raises(DiskFull):
        world.writer.store.engine.optimize(Shelf(Sort.REGIONS, "default"))
    assert world.regions(name, colour="red")


FILLED = """
import sys
from contextlib import suppress
from pathlib import Path
sys.path.insert(0, {repository!r})
from tests.contracts.test_edge_cuts import OTHER, VectorStore, fill, holds, image
from common.disk import Disk
from common.errors import DiskFull
from common.errors import DiskFull
from worker.vectors.edge import Edge
folder = Path({folder!r})
store = VectorStore(Edge(folder, Disk(folder, {least})))
fill(store, OTHER, 0)
seed = 0
try:
    while True:
        seed += 1
        fill(store, OTHER, seed)
        with suppress(OSError), (folder / "images").open("ab") as file:
            file.write(bytes(1_000_000))  # what else is written meanwhile
except DiskFull:
    print("full", flush=True)
assert holds(store, OTHER, 0) and holds(store, OTHER, seed - 1)
store.delete_image(OTHER, "image0")
store.close()
store = VectorStore(Edge(folder, Disk(folder, {least})))
assert holds(store, OTHER, seed - 1) and not holds(store, OTHER, 0)
store.close()
print("searched", flush=True)
"""


def test_a_disk_that_really_fills_up_ends_no_process(tmp_path: Path) -> None:
    with small_disk(tmp_path, 96) as folder:
        if folder is None:
            pytest.skip("only root can make a small disk")
        script = FILLED.format(repository=str(REPO), folder=str(folder), least=32 * 2**20)
        command = [sys.executable, "-c", script]
        ran = subprocess.run(command, capture_output=True, text=True, cwd=REPO)
    assert (ran.returncode, ran.stdout.split()) == (0, ["full", "searched"]), ran.stderr
