"""The whole service with its images in a bucket, and no folder that two of its processes share."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from common import backups
from machine.restoring import restore
from machine.stack import Stack
from needle import Needle, cli
from needle.errors import NeedleApiError
from tests.conftest import free_port
from tests.end_to_end.conftest import apart, corner, write_scenes
from tests.object_store import BUCKET, ObjectStore, Proxy

ENV = {"NEEDLE_REGIONS_PER_IMAGE": "60", "NEEDLE_CHUNK_SIZE": "2"}
COUNT = 6
ROLES = ("web", "worker-index", "worker-search")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Run a server of S3 for the module."""
    with ObjectStore(tmp_path_factory.mktemp("s3"), free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server: ObjectStore) -> Iterator[Proxy]:
    """Return what stands between the service and that server."""
    between = Proxy(server.port)
    yield between
    between.close()


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, server: ObjectStore, proxy: Proxy
) -> Iterator[Stack]:
    """Run the service for the module."""
    env = {
        **ENV,
        **server.settings("shop", proxy.url),
        "NEEDLE_SOURCE_BUCKETS": f"{BUCKET}/shop/images, {BUCKET}/shards",
    }
    folder = tmp_path_factory.mktemp("apart")
    with Stack(env, data_dir=folder, port=free_port(), make_services=apart) as running:
        running.wait_ready(120)
        yield running


@pytest.fixture(scope="module")
def needle(stack: Stack) -> Iterator[Needle]:
    """Return a client of the service."""
    with Needle(stack.base_url) as client:
        yield client


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory, needle: Needle) -> list[Path]:
    """Return photos that are indexed."""
    paths = write_scenes(tmp_path_factory.mktemp("photos"), range(400, 400 + COUNT))
    job = needle.wait(needle.index(paths), timeout_s=120)
    assert (job.status, job.progress.done) == ("succeeded", COUNT)
    return paths


def comes_to_nothing(server: ObjectStore, prefix: str) -> None:
    """Wait until there are no keys under a prefix."""
    deadline = time.monotonic() + 10
    while found := server.objects(prefix):
        assert time.monotonic() < deadline, found


def test_a_photo_is_found_shown_and_deleted_with_nothing_on_a_shared_disk(
    needle: Needle, stack: Stack, server: ObjectStore, scenes: list[Path]
) -> None:
    best = needle.search(corner(scenes[0])).best
    assert best is not None and best.filename == scenes[0].name
    assert needle.file(best.image_id) == scenes[0].read_bytes()
    for name in ("thumbnail", "crop"):
        answer = httpx.get(stack.base_url + best.urls[name])
        assert Image.open(io.BytesIO(answer.content)).format == "JPEG"
    part = httpx.get(stack.base_url + best.urls["file"], headers={"Range": "bytes=9-99"})
    assert (part.status_code, part.content) == (206, scenes[0].read_bytes()[9:100])
    own = f"shop/images/default/{best.image_id[:2]}/{best.image_id}"
    names = {key.rpartition("/")[2] for key in server.objects(own)}
    assert names == {"photo", "thumbnail.jpg", "regions.bin", "local.bin"}
    needle.delete(best.image_id)
    assert server.objects(own) == []
    needle.wait(needle.index(scenes[:1]), timeout_s=60)
    comes_to_nothing(server, "shop/handover")
    held = {role: {path.name for path in (stack.data_dir / role).iterdir()} for role in ROLES[1:]}
    assert held["worker-index"] <= {"beats"}
    assert held["worker-search"] - {"beats"} == {"vectors", "words"}
    assert not (stack.data_dir / "web").exists() and not (stack.data_dir / "images").exists()


def test_damage_in_the_bucket_is_found_and_made_good(
    needle: Needle, server: ObjectStore, scenes: list[Path]
) -> None:
    lost = next(key for key in server.objects("shop/images") if key.endswith("thumbnail.jpg"))
    server.remove(lost)
    found = needle.verify()
    assert (found.damaged, found.missing) == (1, {"thumbnail": 1})
    needle.verify(repair=True)
    assert lost in server.objects("shop/images")
    assert needle.verify().damaged == 0


def test_the_command_line_indexes_what_is_in_a_bucket_once(
    needle: Needle, stack: Stack, scenes: list[Path], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setenv("NEEDLE_URL", stack.base_url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    source = f"s3://{BUCKET}/shop/images/default"
    counts = []
    for more in (["--dry-run"], [], []):
        assert cli.main(["index", source, "-c", "from-bucket", "--json", *more]) == 0
        counts.append(json.loads(capsys.readouterr().out))
    # Thumbnails are the only files there whose names are those of images.
    assert counts[0]["images"] == COUNT and counts[0]["bytes"] > 0
    assert (counts[1]["indexed"], counts[1]["left_out"][".bin"]) == (COUNT, 2 * COUNT)
    assert (counts[2]["indexed"], counts[2]["skipped"]) == (0, COUNT)
    (first, *_) = needle.images(collection="from-bucket")
    assert first.paths[0].startswith(f"{BUCKET}/shop/images/default/")
    needle.delete_collection("from-bucket")


def test_a_tar_archive_in_a_bucket_is_indexed_image_by_image(
    needle: Needle, stack: Stack, server: ObjectStore, scenes: list[Path],
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setenv("NEEDLE_URL", stack.base_url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in scenes:
            tar.add(path, f"./{path.name}")
    server.put("shards/000.tar", buffer.getvalue())
    words = ["index", f"s3://{BUCKET}/shards/{{000..000}}.tar", "-c", "shards", "--json"]
    counts = []
    for _ in range(2):
        assert cli.main(words) == 0
        counts.append(json.loads(capsys.readouterr().out))
    assert (counts[0]["indexed"], counts[1]["indexed"], counts[1]["skipped"]) == (COUNT, 0, COUNT)
    best = needle.search(corner(scenes[2]), collection="shards").best
    assert best is not None and best.filename == scenes[2].name
    assert best.path == f"{BUCKET}/shards/000.tar/{scenes[2].name}"
    assert needle.file(best.image_id, collection="shards") == scenes[2].read_bytes()
    needle.delete_collection("shards")


def test_a_bucket_that_is_away_in_the_middle_loses_and_doubles_nothing(
    needle: Needle,
    stack: Stack,
    server: ObjectStore,
    proxy: Proxy,
    scenes: list[Path],
    tmp_path: Path,
) -> None:
    paths = write_scenes(tmp_path, range(500, 510))
    job = needle.index(paths, collection="away")
    while needle.job(job.job_id).progress.done < 2:
        threading.Event().wait(0.05)
    proxy.fault = "busy"
    with Needle(stack.base_url, patience_s=0) as hasty:
        with pytest.raises(NeedleApiError) as caught:
            hasty.search(corner(scenes[0]))
        assert (caught.value.status, caught.value.code) == (503, "store_unavailable")
        threading.Event().wait(1)  # for what is under way to meet it
        proxy.fault = "cut"
        threading.Event().wait(1)
        proxy.fault = None
        server.stop()
        with pytest.raises(NeedleApiError) as caught:
            hasty.index(scenes[:1], collection="away")
        assert caught.value.code == "store_unavailable"
    assert needle.job(job.job_id).status == "started"
    server.start()
    with server.hanging():
        threading.Event().wait(1)
    job = needle.wait(job, timeout_s=120)
    assert (job.status, job.progress.done) == ("succeeded", len(paths))
    assert {item.status for item in needle.items(job)} == {"indexed"}
    images = list(needle.images(collection="away"))
    assert len(images) == len(paths)
    found = needle.search(corner(paths[0]), collection="away")
    assert found.best is not None and found.best.filename == paths[0].name
    assert found.index["regions"] == sum(image.regions or 0 for image in images)
    assert len(server.objects("shop/images/away")) == 4 * len(paths)
    comes_to_nothing(server, "shop/handover")
    needle.delete_collection("away")
    assert server.objects("shop/images/away") == []


def test_a_backup_has_all_but_the_images_and_is_restored_beside_the_same_bucket(
    needle: Needle, stack: Stack, server: ObjectStore, scenes: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "needle.tar"
    assert needle.backup(file)["has_vectors"]
    assert not server.objects("shop/backups")  # fetched, it is removed
    with tarfile.open(file) as tar:
        names = tar.getnames()
    assert names[0] == backups.HEAD and "vectors/default.tar.gz" in names
    assert not [name for name in names if name.startswith("images")]
    stack.stop()
    again = tmp_path / "again"
    head = restore(file, again / "worker-search", {})
    assert head.image_store == f"s3://{BUCKET}/shop"
    (again / "worker-search" / "redis").rename(again / "redis")
    env = {**ENV, **server.settings("shop"), "NEEDLE_SIGNED_URLS": "on"}
    with (
        Stack(env, data_dir=again, port=free_port(), make_services=apart) as other,
        Needle(other.base_url, key="a-key-that-the-bucket-must-not-see") as client,
    ):
        other.wait_ready(120)
        assert client.verify().whole == COUNT
        best = client.search(corner(scenes[1])).best
        assert best is not None and best.filename == scenes[1].name
        assert client.file(best.image_id) == scenes[1].read_bytes()
        sent = httpx.get(other.base_url + best.urls["file"])
        assert (sent.status_code, sent.headers["location"].startswith(server.url)) == (302, True)
        assert (
            "img-src 'self' " + server.url
            in httpx.get(other.base_url).headers["Content-Security-Policy"]
        )
