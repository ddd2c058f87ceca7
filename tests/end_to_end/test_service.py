"""What a user does: post photos, search for a small image, look at the answer, delete."""

from __future__ import annotations

import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageOps

from common.geometry import Box
from lab.bench import faults
from machine.stack import Stack
from needle import Needle
from needle.errors import NeedleApiError
from tests.conftest import free_port, shared_folder
from tests.end_to_end.conftest import scene, write_scenes

COUNT = 12


@pytest.fixture(scope="module")
def indexed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the paths of photos that are indexed."""
    paths = write_scenes(tmp_path_factory.mktemp("photos"), range(COUNT))
    with Needle(stack.base_url) as needle:
        job = needle.wait(needle.index(paths, metadata={"shop": "Basel"}), timeout_s=120)
    assert (job.status, job.progress.done) == ("succeeded", COUNT)
    return paths


def encoded(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_crop_finds_its_photo_and_its_place(needle: Needle, indexed: list[Path]) -> None:
    for number in (0, 5, COUNT - 1):
        with Image.open(indexed[number]) as photo:
            tile = photo.crop((320, 240, 640, 480))
        for query in (tile, ImageOps.mirror(tile), tile.resize((160, 120))):
            best = needle.search(encoded(query, "JPEG", quality=60)).best
            assert best is not None
            assert best.filename == f"scene{number:03}.jpg"
            if query is not tile:
                continue
            assert Box(*best.hits[0].box).iou(Box(320, 240, 640, 480)) > 0.5


def test_the_urls_of_an_answer_lead_to_its_pictures(
    needle: Needle, stack: Stack, indexed: list[Path]
) -> None:
    best = needle.search(indexed[0]).best
    assert best is not None
    assert needle.file(best.image_id) == indexed[0].read_bytes()
    for name in ("thumbnail", "crop"):
        answer = httpx.get(stack.base_url + best.urls[name])
        assert Image.open(io.BytesIO(answer.content)).format == "JPEG"


def test_an_indexed_photos_box_and_the_same_crop_find_the_same(
    needle: Needle, indexed: list[Path]
) -> None:
    image_id = needle.search(indexed[1]).matches[0].image_id
    found = needle.search(image_id=image_id, box=(0, 0, 320, 240), limit=3)
    with Image.open(indexed[1]) as photo:
        same = needle.search(encoded(photo.crop((0, 0, 320, 240))), limit=3)
    assert [m.image_id for m in found.matches] == [m.image_id for m in same.matches]
    assert found.matches[0].image_id == image_id


def test_an_archive_with_a_bad_file_is_partly_done_and_says_why(needle: Needle) -> None:
    buffer = io.BytesIO()
    whole = encoded(scene(100))
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("good.png", whole)
        archive.writestr("broken.png", whole[: len(whole) // 2])
        archive.writestr("notes.txt", "hello")
    job = needle.wait(needle.index([buffer.getvalue()]), timeout_s=60)
    assert job.status == "partial"
    items = {item.name: item for item in needle.items(job)}
    assert items["good.png"].status == "indexed"
    assert "damaged" in (items["broken.png"].reason or "")
    assert "not an image" in (items["notes.txt"].reason or "")


def test_metadata_filters_a_search(needle: Needle, indexed: list[Path]) -> None:
    job = needle.index([encoded(scene(101))], metadata={"shop": "Bern", "year": 2021})
    needle.wait(job, timeout_s=60)
    found = needle.search(encoded(scene(101)), filter={"shop": "Bern", "year": {"gte": 2020}})
    assert [match.metadata["shop"] for match in found.matches] == ["Bern"]
    assert not needle.search(encoded(scene(101)), filter={"shop": "Chur"}).matches


def test_posting_again_is_unchanged(needle: Needle, indexed: list[Path]) -> None:
    before = needle.search(indexed[0]).index
    job = needle.wait(needle.index(indexed), timeout_s=60)
    assert {item.status for item in needle.items(job)} == {"unchanged"}
    assert needle.search(indexed[0]).index == before


def test_a_deleted_photo_is_gone_from_everywhere(needle: Needle, stack: Stack) -> None:
    content = encoded(scene(102))
    needle.wait(needle.index([content]), timeout_s=60)
    regions = needle.search(content).index["regions"]
    image_id = needle.search(content).matches[0].image_id
    image = needle.image(image_id)
    needle.delete(image_id)
    found = needle.search(content)
    assert image_id not in [match.image_id for match in found.matches]
    assert found.index["regions"] == regions - (image.regions or 0)
    with pytest.raises(NeedleApiError) as caught:
        needle.image(image_id)
    assert caught.value.status == 404
    assert not list(stack.data_dir.glob(f"images/*/*/{image_id}/*"))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def picture_server(tmp_path: Path) -> Iterator[str]:
    """Serve a folder with one picture over HTTP; return the picture's URL."""
    scene(103).save(tmp_path / "far.png")
    handler = partial(QuietHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/far.png"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_private_url_is_refused_by_default(needle: Needle, picture_server: str) -> None:
    for call in (
        lambda: needle.index_urls([picture_server]),
        lambda: needle.search(url=picture_server),
    ):
        with pytest.raises(NeedleApiError) as caught:
            call()
        assert (caught.value.status, caught.value.code) == (400, "invalid_url")


def test_a_text_is_refused_with_the_packs_that_understand_it(needle: Needle) -> None:
    with pytest.raises(NeedleApiError) as caught:
        needle.search(text="a red mug")
    assert caught.value.status == 422
    assert "standard" in str(caught.value)


def test_the_worker_killed_in_the_middle_loses_and_doubles_nothing(
    needle: Needle, stack: Stack, tmp_path: Path
) -> None:
    many = 20
    paths = write_scenes(tmp_path, range(200, 200 + many))
    job = needle.index(paths, collection="killed")
    while needle.job(job.job_id).progress.done < 4:
        threading.Event().wait(0.05)
    child = faults.worker_child("index", stack.data_dir)
    assert child is not None
    faults.kill(child)
    job = needle.wait(job, timeout_s=120)
    assert (job.status, job.progress.done) == ("succeeded", many)
    images = list(needle.images(collection="killed"))
    assert len(images) == many
    found = needle.search(paths[0], collection="killed")
    assert found.index == {"images": many, "regions": sum(image.regions or 0 for image in images)}


def test_urls_of_an_allowed_host_and_everything_is_there_after_a_restart(
    tmp_path: Path, picture_server: str
) -> None:
    env = {"NEEDLE_URL_ALLOW_HOSTS": "localhost"}
    service = Stack(env, data_dir=tmp_path / "data", port=free_port())
    missing = picture_server.replace("far", "missing")
    with service, Needle(service.base_url) as needle:
        service.wait_ready(120)
        job = needle.wait(needle.index_urls([picture_server, missing]), timeout_s=60)
        assert [item.status for item in needle.items(job)] == ["indexed", "failed"]
        assert "404" in (list(needle.items(job))[1].reason or "")
        before = needle.search(url=picture_server)
        assert before.best is not None and before.best.filename == "far.png"
    with service, Needle(service.base_url) as needle:
        service.wait_ready(120)
        after = needle.search(url=picture_server)
        assert after.matches == before.matches
        assert after.index == before.index


def test_the_web_process_stays_small_under_large_photos_and_many_crops(
    needle: Needle, stack: Stack, indexed: list[Path]
) -> None:
    # Grain, so that the files are as large as those of a camera.
    grain = np.random.default_rng(4).integers(0, 64, (1600, 2400, 3), dtype=np.uint8)
    large = [encoded(Image.fromarray(grain + np.uint8(n * 30)), "JPEG") for n in range(3)]
    needle.wait(needle.index(large, collection="large"), timeout_s=120)
    images = list(needle.images(collection="large"))

    def look(number: int) -> int:
        image = images[number % len(images)]
        box = f"{number},{number},{number + 900},{number + 900}"
        path = f"/api/v1/images/{image.image_id}/crop?collection=large&box={box}"
        return httpx.get(stack.base_url + path, timeout=60).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(look, range(48))) == {200}
    pids = faults.web_pids(stack.data_dir)
    assert pids
    used = [faults.resident_mib(pid) * 2**20 for pid in pids]
    assert max(used) < 150e6, used


def test_real_photos_are_found_by_a_part_of_them(needle: Needle) -> None:
    photos = sorted((shared_folder() / "data" / "demo").glob("*.jp*g"))
    if not photos:
        pytest.skip("the development photos are not on this machine")
    needle.wait(needle.index(photos), timeout_s=60)
    bird = next(path for path in photos if path.name == "cat-bird.jpeg")
    with Image.open(bird) as photo:
        query = photo.convert("RGB").crop((30, 260, 375, 600))
    best = needle.search(encoded(query)).best
    assert best is not None
    assert best.filename == "cat-bird.jpeg"
