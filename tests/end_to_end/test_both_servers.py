"""Points on a Qdrant server and images in a bucket: workers share no folder, and keep nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from machine.restoring import restore
from machine.stack import Stack
from needle import Needle
from tests.conftest import free_port
from tests.end_to_end.conftest import apart, corner, write_scenes
from tests.object_store import BUCKET, ObjectStore
from tests.qdrant_server.running import QdrantServer

WORKERS = 2
COUNT = 8
PREFIX = "both"


def settings(qdrant: QdrantServer, bucket: ObjectStore) -> dict[str, str]:
    """Return the settings of a service on both."""
    return {
        "NEEDLE_REGIONS_PER_IMAGE": "40",
        "NEEDLE_CHUNK_SIZE": "1",
        "NEEDLE_QDRANT_URL": qdrant.url,
        "NEEDLE_SIGNED_URLS": "on",
        **bucket.settings(PREFIX),
    }


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[QdrantServer, ObjectStore]]:
    """Run both servers."""
    with ExitStack() as held:
        yield (
            held.enter_context(QdrantServer(tmp_path_factory.mktemp("qdrant"))),
            held.enter_context(ObjectStore(tmp_path_factory.mktemp("s3"), free_port())),
        )


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, servers: tuple[QdrantServer, ObjectStore]
) -> Iterator[Stack]:
    """Run two workers of each role, each with a folder of its own."""
    running = Stack(
        settings(*servers),
        data_dir=tmp_path_factory.mktemp("apart"),
        port=free_port(),
        make_services=partial(apart, index=WORKERS, search=WORKERS),
    )
    with running:
        running.wait_ready(120)
        workers_come(running.base_url)
        yield running


def workers_come(url: str) -> None:
    """Wait until every worker has said that it is there."""
    deadline = time.monotonic() + 60
    with Needle(url) as client:
        while min(client.ready()["workers"].get(role, 0) for role in ("index", "search")) < WORKERS:
            assert time.monotonic() < deadline
            threading.Event().wait(0.1)


def kept_by_workers(stack: Stack) -> set[str]:
    """Return what workers keep in their own folders."""
    return {path.name for path in stack.data_dir.glob("worker-*/*")}


def test_workers_without_a_shared_folder_index_find_delete_and_verify_together(
    stack: Stack, servers: tuple[QdrantServer, ObjectStore], tmp_path: Path
) -> None:
    _, bucket = servers
    scenes = write_scenes(tmp_path, range(600, 600 + COUNT))
    with Needle(stack.base_url) as needle:
        job = needle.wait(needle.index(scenes), timeout_s=120)
        assert (job.status, job.progress.done) == ("succeeded", COUNT)
        for scene in scenes[:4]:  # asked of either search worker
            best = needle.search(corner(scene)).best
            assert best is not None and best.filename == scene.name
            assert best.hits[0].evidence is not None, "its local features were read of the bucket"
        file = stack.base_url + best.urls["file"]
        sent = httpx.get(file)
        assert (sent.status_code, sent.headers["location"].startswith(bucket.url)) == (302, True)
        assert httpx.get(sent.headers["location"]).content == scenes[3].read_bytes()
        needle.delete(best.image_id)
        assert httpx.get(file).status_code == 404
        assert httpx.get(sent.headers["location"]).status_code == 404
        left = needle.search(corner(scenes[3]))
        assert scenes[3].name not in [match.filename for match in left.matches]
        assert not bucket.objects(f"{PREFIX}/images/default/{best.image_id[:2]}/{best.image_id}")
        found = needle.verify()
        assert (found.sound, found.images, found.whole) == (True, COUNT - 1, COUNT - 1)
        lost = next(k for k in bucket.objects(f"{PREFIX}/images") if k.endswith("local.bin"))
        bucket.remove(lost)
        assert needle.verify().missing == {"local_features": 1}
        assert needle.verify(repair=True).good and needle.verify().sound
    assert kept_by_workers(stack) == {"beats"}


def test_a_worker_that_is_killed_leaves_its_images_to_the_other_machine(
    stack: Stack, tmp_path: Path
) -> None:
    scenes = write_scenes(tmp_path, range(700, 700 + COUNT))
    with Needle(stack.base_url, patience_s=60) as needle:
        job = needle.index(scenes, collection="killed")
        while needle.job(job.job_id).progress.done < 2:
            threading.Event().wait(0.05)
        (worker,) = (c for c in stack.children if c.name == "worker-index-2")
        worker.kill()
        job = needle.wait(job, timeout_s=120)
        assert (job.status, job.progress.done) == ("succeeded", COUNT)
        assert needle.verify("killed").whole == COUNT
        needle.delete_collection("killed")


def test_a_backup_is_restored_beside_the_bucket_and_its_points_are_made_again(
    stack: Stack, servers: tuple[QdrantServer, ObjectStore], tmp_path: Path
) -> None:
    _, bucket = servers
    scenes = write_scenes(tmp_path, range(600, 603))
    with Needle(stack.base_url) as needle:
        needle.wait(needle.index(scenes), timeout_s=120)
        count = needle.verify().whole
        made = needle.backup(tmp_path / "needle.tar")
        assert (made["images"], made["has_vectors"]) == (count, False)
    stack.stop()
    again = tmp_path / "again"
    head = restore(tmp_path / "needle.tar", again / "of-backup", {})
    assert head.image_store == f"s3://{BUCKET}/{PREFIX}"
    (again / "of-backup" / "redis").rename(again / "redis")
    with (
        QdrantServer(tmp_path / "empty") as qdrant,
        Stack(
            settings(qdrant, bucket), data_dir=again, port=free_port(), make_services=apart
        ) as other,
        Needle(other.base_url) as needle,
    ):
        other.wait_ready(120)
        assert needle.verify().missing["points"] == count
        assert needle.verify(repair=True).good and needle.verify().sound
        best = needle.search(corner(scenes[1])).best
        assert best is not None and best.filename == scenes[1].name
