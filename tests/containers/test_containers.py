"""`make containers`: the images are built and run, things are found, and faults lose nothing."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from PIL import Image

from needle import Needle
from needle.errors import NeedleApiError
from tests.containers.service import FILES, INDEX_WORKERS, OURS, Service, until
from tests.end_to_end.conftest import write_scenes

PHOTOS = 90
CUT_OFF_S = 35
WITHIN_S = 30
"""How soon the work of a worker that is gone goes to another."""
MOST_MB = 1000
AGAIN_S = 90


@pytest.mark.parametrize("files", [FILES, FILES[:1]])
def test_the_files_keep_to_the_specification(service: Service, files: tuple[str, ...]) -> None:
    service.check(*files)


def test_the_images_are_small(service: Service) -> None:
    sizes = service.sizes_mb()
    assert all(size < MOST_MB for size in sizes.values()), sizes


@pytest.mark.parametrize("name", OURS)
def test_nobody_is_root_has_a_capability_or_writes_to_the_root(service: Service, name: str) -> None:
    assert service.inside(name, "id", "-u") == "10001"
    status = service.inside(name, "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    said = service.inside(
        name, "sh", "-c", "touch /app/x /etc/x 2>&1; touch /tmp/x /data/x", check=False
    )
    assert said.count("Read-only file system") == 2


def test_web_starts_without_an_error(service: Service) -> None:
    said = service.log("web")
    assert not re.search("error|denied|traceback", said, re.IGNORECASE), said


def test_a_crop_is_found_and_a_deleted_photo_is_not(needle: Needle, tmp_path: Path) -> None:
    photos = write_scenes(tmp_path, range(1000, 1012))
    job = needle.wait(needle.index(photos, collection="crops"), timeout_s=300)
    assert (job.status, job.progress.done) == ("succeeded", len(photos))
    with Image.open(photos[3]) as photo:
        crop = tmp_path / "crop.png"
        photo.crop((200, 140, 380, 300)).save(crop)
    best = needle.search(crop, collection="crops").best
    assert best is not None and best.filename == photos[3].name
    needle.delete(best.image_id, collection="crops")
    again = needle.search(crop, collection="crops").best
    assert again is None or again.filename != photos[3].name
    with pytest.raises(NeedleApiError):
        needle.image(best.image_id, collection="crops")


def agree(needle: Needle, collection: str, photos: list[Path]) -> None:
    """Check that a collection holds each photo once, in the list and in the index."""
    images = list(needle.images(collection=collection))
    assert sorted(image.filename for image in images) == sorted(path.name for path in photos)
    found = needle.search(photos[0], collection=collection)
    assert found.index["regions"] == sum(image.regions or 0 for image in images)
    assert found.best is not None and found.best.filename == photos[0].name


def test_a_killed_and_a_cut_off_worker_lose_nothing(
    service: Service, needle: Needle, tmp_path: Path
) -> None:
    photos = write_scenes(tmp_path, range(PHOTOS))
    workers = service.containers("worker-index")
    assert len(workers) == INDEX_WORKERS
    job = needle.index(photos, collection="faults")
    until(lambda: all(service.held_by(one) for one in workers), "all are at work", 60)
    killed, cut_off = workers[:2]
    service.cut_off(cut_off)
    began = time.monotonic()
    assert service.held_by(cut_off)
    service.kill(killed)
    assert service.held_by(killed)
    names = service.held_by(killed) | service.held_by(cut_off)
    took = until(lambda: not names & service.held(), "their work is taken over", WITHIN_S)
    print(f"the work of a killed and of a cut-off worker was taken over after {took:.0f} s")
    time.sleep(max(0, CUT_OFF_S - (time.monotonic() - began)))
    service.join(cut_off)
    job = needle.wait(job, timeout_s=600)
    assert (job.status, job.progress.done, job.progress.failed) == ("succeeded", PHOTOS, 0)
    agree(needle, "faults", photos)


def test_the_worker_that_was_cut_off_works_again(
    service: Service, needle: Needle, tmp_path: Path
) -> None:
    left = service.containers("worker-index")
    assert len(left) == INDEX_WORKERS - 1
    began, seen = time.monotonic(), set[str]()
    for first in range(2000, 9000, 20):
        job = needle.index(write_scenes(tmp_path, range(first, first + 20)), collection="again")
        while needle.job(job.job_id).progress.done < 20:
            seen |= {one for one in left if service.held_by(one)}
        if len(seen) == len(left):
            break
        assert time.monotonic() - began < AGAIN_S, "one does nothing any more"


def test_redis_is_restarted_in_the_middle_of_an_ingest(
    service: Service, needle: Needle, tmp_path: Path
) -> None:
    photos = write_scenes(tmp_path, range(PHOTOS, 2 * PHOTOS))
    job = needle.index(photos, collection="restart")
    until(lambda: service.held() != set(), "one is at work", 60)
    service.restart("redis")
    job = needle.wait(job, timeout_s=600)
    assert (job.status, job.progress.done, job.progress.failed) == ("succeeded", PHOTOS, 0)
    agree(needle, "restart", photos)
