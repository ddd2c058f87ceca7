"""`make chaos`: any process killed in the middle of an ingest; nothing is lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.bench import faults
from machine.stack import Stack
from needle import Needle
from tests.conftest import free_port
from tests.end_to_end.conftest import write_scenes

PHOTOS = 80


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a service whose processes are started again when they die."""
    folder = tmp_path_factory.mktemp("chaos")
    # Kills are tested, not regions: `fast` makes few.
    settings = {"NEEDLE_CHUNK_SIZE": "4", "NEEDLE_PROFILE": "fast"}
    running = Stack(settings, data_dir=folder, port=free_port())
    with running:
        running.wait_ready(120)
        running.supervise()
        yield running


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the paths of generated photos."""
    return write_scenes(tmp_path_factory.mktemp("photos"), range(PHOTOS))


def victims(stack: Stack, name: str) -> list[int]:
    """Return the ids of the processes to kill."""
    child = faults.worker_child("index", stack.data_dir)
    supervised = {c.name: c.pid for c in stack.children}
    chosen = {
        "index child": [child],
        "index worker": [supervised["worker-index"], child],
        "search worker": [supervised["worker-search"]],
        "redis": [supervised["redis"]],
        "web": faults.web_pids(stack.data_dir),
        "both workers": [supervised["worker-index"], child, supervised["worker-search"]],
    }[name]
    return [pid for pid in chosen if pid is not None]


@pytest.mark.parametrize(
    "name", ["index child", "index worker", "search worker", "redis", "web", "both workers"]
)
def test_a_process_killed_in_the_middle_of_an_ingest(
    stack: Stack, photos: list[Path], name: str
) -> None:
    collection = name.replace(" ", "-")
    with Needle(stack.base_url, patience_s=120) as needle:
        stack.wait_ready(120)
        job = needle.index(photos, collection=collection)
        while needle.job(job.job_id).progress.done < PHOTOS // 5:
            pass
        for pid in victims(stack, name):
            faults.kill(pid)
        job = needle.wait(job, timeout_s=240)
        assert (job.status, job.progress.done) == ("succeeded", PHOTOS)
        images = list(needle.images(collection=collection))
        assert len({image.image_id for image in images}) == PHOTOS
        found = needle.search(photos[0], collection=collection)
        assert found.index["regions"] == sum(image.regions or 0 for image in images)
        assert found.best is not None and found.best.filename == photos[0].name
