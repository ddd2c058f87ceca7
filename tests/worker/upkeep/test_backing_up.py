"""A backup: all of one moment, and only once it is whole."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from common import backups
from common.contract.orders import BackupOrder
from common.errors import BackupBroken, BackupFailed
from common.jobs import Item, Kind, Status
from common.redis import Client, connect
from tests.worker.conftest import World, noise, png
from worker.upkeep.tasks import run_backup
from worker.vectors.edge import Edge
from worker.vectors.engine import Shelf, Sort

PHOTOS = [png(noise(n)) for n in range(3)]


@pytest.fixture
def indexed(world: World) -> World:
    """Return a worker with three images indexed."""
    world.post(*PHOTOS)
    assert world.index().status is Status.SUCCEEDED
    return world


def make(world: World, job_id: str = "backup") -> Path:
    """Make a backup and return its folder."""
    world.base.jobs.create(job_id, Kind.BACKUP, [Item(0, "backup")], BackupOrder().details())
    run_backup(world.base, world.writer, job_id)
    assert world.base.jobs.get(job_id).status is Status.SUCCEEDED
    return world.base.settings.data_dir / backups.folder_of(job_id)


def test_it_has_files_lists_and_shards_and_takes_the_place_of_the_one_before(
    indexed: World,
) -> None:
    first, second = make(indexed, "first"), make(indexed, "second")
    assert not first.exists() and [p.name for p in second.parent.iterdir()] == ["second"]
    head = backups.Head.model_validate_json((second / backups.HEAD).read_text())
    assert (head.images, head.collections, head.has_vectors) == (3, 1, True)
    files = {path.name for path in (second / "images").rglob("*") if path.is_file()}
    assert files == {"photo", "thumbnail.jpg", "regions.bin", "local.bin"}
    assert {path.name for path in (second / "vectors").iterdir()} == {"default.tar.gz"}
    assert second.stat().st_mode & 0o077 == 0


def test_two_workers_that_are_to_make_one_make_one_after_the_other(
    indexed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying, go_on = threading.Event(), threading.Event()
    dump = backups.dump_redis

    def slow(url: str, file: BinaryIO) -> None:
        if not copying.is_set():
            copying.set()
            assert go_on.wait(20)
        dump(url, file)

    monkeypatch.setattr(backups, "dump_redis", slow)
    monkeypatch.setattr(indexed.writer.store.engine, "snapshot", _as_a_server)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(make, indexed, "first")
        assert copying.wait(20)
        second = pool.submit(make, indexed, "second")
        with suppress(TimeoutError):  # else it removes meanwhile what the first has
            second.result(0.3)
        go_on.set()
        first.result()
    assert [path.name for path in second.result().parent.iterdir()] == ["second"]


def _as_a_server(_: Path, meanwhile: Callable[[], None]) -> bool:
    """Have one worker's engine wait for no other's, as a Qdrant server's."""
    meanwhile()
    return False


def test_who_writes_points_waits_until_all_is_copied(
    indexed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = indexed.base.jobs.items("job", offset=0, limit=1)[0].image_id or ""
    deleting = threading.Thread(
        target=indexed.writer.store.delete_image, args=("default", name), daemon=True
    )
    dump = backups.dump_redis

    def meanwhile(*args: Any) -> None:
        deleting.start()
        deleting.join(0.3)
        assert deleting.is_alive()
        dump(*args)

    monkeypatch.setattr(backups, "dump_redis", meanwhile)
    make(indexed)
    deleting.join(10)
    assert not deleting.is_alive() and indexed.writer.store.count("default") == 14


def test_the_copied_shards_can_be_opened_and_have_every_point(
    indexed: World, tmp_path: Path
) -> None:
    assert indexed.writer.store.engine.snapshot(tmp_path / "copy", lambda: None)
    copy = Edge(tmp_path / "copy")
    assert copy.count(Shelf(Sort.REGIONS, "default")) == 21
    assert copy.count(Shelf(Sort.WORDS, "default")) == 3
    copy.close()


def test_a_disk_that_is_full_fails_the_job_and_leaves_nothing(
    indexed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", lambda *_: full())
    monkeypatch.setattr("shutil.copy2", full)
    with pytest.raises(BackupFailed, match="No space left"):
        make(indexed)
    assert not list((indexed.base.settings.data_dir / backups.FOLDER).iterdir())
    assert len(indexed.regions(indexed.base.jobs.items("job", offset=0, limit=1)[0].image_id or ""))


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect")
def test_points_on_a_server_are_not_in_it(indexed: World) -> None:
    from qdrant_client import QdrantClient

    from worker.vectors.server import Server

    server = Server(QdrantClient(":memory:"))
    indexed.writer.store.engine = server
    folder = make(indexed)
    assert not (folder / "vectors").exists() and (folder / "images").exists()
    head = backups.Head.model_validate_json((folder / backups.HEAD).read_text())
    assert not head.has_vectors


def test_redis_comes_back_as_it_was(redis: Client, redis_url: str, tmp_path: Path) -> None:
    redis.set("text", "a\x00b")
    redis.set("short", "1", px=100_000)
    redis.zadd("order", {"a": 1.5, "b": 2})
    redis.hset("hash", mapping={str(n): "x" * n for n in range(300)})
    with (tmp_path / "dump").open("wb") as file:
        backups.dump_redis(redis_url, file)
    redis.flushall()
    with (tmp_path / "dump").open("rb") as file:
        assert backups.load_redis(redis_url, file) == 4
    again = connect(redis_url)
    assert again.get("text") == "a\x00b" and 0 < again.pttl("short") <= 100_000
    assert again.zrange("order", 0, -1) == ["a", "b"] and again.pttl("text") == -1
    assert again.hget("hash", "299") == "x" * 299
    with (tmp_path / "dump").open("rb") as file, pytest.raises(BackupBroken, match="not empty"):
        backups.load_redis(redis_url, file)
    redis.flushall()
    content = (tmp_path / "dump").read_bytes()
    (tmp_path / "dump").write_bytes(content[:-3])
    with (tmp_path / "dump").open("rb") as file, pytest.raises(BackupBroken, match="cut off"):
        backups.load_redis(redis_url, file)
