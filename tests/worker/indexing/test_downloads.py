"""Images that an index job downloads: a job that is cancelled stops within one, and leaves none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.contract.orders import IndexOrder
from common.errors import FetchFailed
from common.images import FileImageStore
from common.jobs import Item, Kind, Status
from tests.worker.conftest import World, noise, png
from worker.fetch import Fetcher
from worker.removal import sweep

URL = "http://93.184.216.34/a.png"


def ask(world: World, *urls: str, job_id: str = "job") -> None:
    """Do what web does with posted URLs."""
    items = [Item(n, url) for n, url in enumerate(urls)]
    world.base.jobs.create(job_id, Kind.INDEX, items, IndexOrder().details())


def cancel(world: World, job_id: str = "job") -> None:
    """Do what `DELETE /jobs/ID` does, its task at once."""
    world.base.jobs.cancel(job_id)
    sweep(world.base, job_id)


def files_of(world: World) -> list[Path]:
    return [p for p in Path(world.base.settings.data_dir, "images").rglob("*") if p.is_file()]


def left_nothing(world: World) -> bool:
    return files_of(world) == [] and list(world.base.catalogue.every("default")) == []


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what notes the URLs that were downloaded; each leads to one image."""
    fetched: list[str] = []

    def fetch(self: Fetcher, url: str, *, wanted: Callable[[], bool]) -> bytes:
        fetched.append(url)
        return png(noise(1))

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    return fetched


def test_a_download_ends_when_its_job_is_cancelled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def drips(self: Fetcher, url: str, *, wanted: Callable[[], bool]) -> bytes:
        begun.set()
        while wanted():
            pass
        raise FetchFailed("given up")

    monkeypatch.setattr(Fetcher, "fetch", drips)
    ask(world, URL)
    running = threading.Thread(target=world.index)
    running.start()
    assert begun.wait(10)
    cancel(world)
    running.join(10)
    assert not running.is_alive()
    assert world.base.jobs.get("job").status is Status.CANCELLED
    assert left_nothing(world)


def test_a_job_cancelled_while_it_stores_a_download_leaves_nothing(
    world: World, downloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put = FileImageStore.put

    def cancelled_meanwhile(self: FileImageStore, key: str, content: bytes) -> None:
        put(self, key, content)
        cancelling.start()

    cancelling = threading.Thread(target=cancel, args=(world,))
    monkeypatch.setattr(FileImageStore, "put", cancelled_meanwhile)
    ask(world, URL)
    world.index()
    cancelling.join()
    assert downloads == [URL]
    assert left_nothing(world)


def test_what_was_downloaded_is_removed_when_the_job_is_cancelled_before_it_is_indexed(
    world: World, downloads: list[str]
) -> None:
    class Cancelling:
        """The last stage of a job that is cancelled when it comes to it."""

        def commit(self, batch: Any) -> None:
            cancel(world)
            world.writer.commit(batch)

    ask(world, URL)
    world.committing_with(Cancelling()).index()
    assert downloads == [URL]
    assert left_nothing(world)
    assert world.base.catalogue.count("default") == 0


def test_what_another_job_wants_as_well_stays(world: World, downloads: list[str]) -> None:
    class Cancelling:
        """See above."""

        def commit(self, batch: Any) -> None:
            world.base.catalogue.claim(batch.images[0].record, "another")
            cancel(world)

    ask(world, URL)
    world.committing_with(Cancelling()).index()
    assert [path.name for path in files_of(world)] == ["photo"]


def test_a_task_that_runs_again_downloads_nothing_again(world: World, downloads: list[str]) -> None:
    class Away:
        """A last stage that never comes to its end."""

        def commit(self, batch: Any) -> None:
            """Write nothing."""

    ask(world, URL)
    world.committing_with(Away()).index()
    assert world.statuses() == ["queued"]
    world.index()
    assert (world.statuses(), downloads) == (["indexed"], [URL])
