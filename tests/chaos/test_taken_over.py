"""`make chaos`: of three index workers one is killed, one stopped; the third takes over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from common.beacons import Beacons
from common.deliveries import DELIVERIES
from common.redis import Client, connect
from lab.bench import faults
from machine.stack import Stack
from machine.stack.process import Command
from machine.stack.services import services
from needle import Needle
from tests.chaos.in_a_row import stopped, until
from tests.conftest import free_port
from tests.end_to_end.conftest import write_scenes

PHOTOS = 90
WITHIN_S = 30
WORKERS = ("worker-index", "worker-index-2", "worker-index-3")


def three(env: Mapping[str, str]) -> list[Command]:
    """Return the processes of a service with three index workers, none of which is watched."""
    first = services(env)
    (index,) = [command for command in first if command.name == WORKERS[0]]
    return [*first, *(replace(index, name=name) for name in WORKERS[1:])]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Run a service of three index workers; what dies stays dead."""
    settings = {"NEEDLE_CHUNK_SIZE": "4", "NEEDLE_PROFILE": "fast"}
    with Stack(settings, data_dir=tmp_path / "data", port=free_port(), make_services=three) as one:
        one.wait_ready(180)
        yield one


def family(pid: int) -> list[int]:
    """Return a worker and its children."""
    return [pid, *(one for one in faults._pids() if faults._parent(one) == pid)]


def held_by(redis: Client, pid: int) -> set[str]:
    """Return what a worker has under way."""
    return {name for name in redis.hkeys(DELIVERIES) if name.split("|")[2] == str(pid)}


def test_the_work_of_a_killed_and_of_a_stopped_worker_is_taken_over(
    stack: Stack, tmp_path: Path
) -> None:
    assert stack.redis_url is not None
    redis = connect(stack.redis_url)
    pids = {child.name: child.pid for child in stack.children}
    _, killed, held_up = (pids[name] for name in WORKERS)
    roles = Beacons(redis)
    until(lambda: [b.role for b in roles.live()].count("index") == 3, "three index workers live")
    photos = write_scenes(tmp_path, range(PHOTOS))
    with Needle(stack.base_url, patience_s=60) as needle:
        job = needle.index(photos)
        until(lambda: all(held_by(redis, pids[name]) for name in WORKERS), "all are at work")
        for pid in family(killed):
            os.kill(pid, signal.SIGKILL)
        with stopped(family(held_up)):
            theirs = held_by(redis, killed) | held_by(redis, held_up)
            assert len(theirs) >= 2
            began = time.monotonic()
            until(lambda: not theirs & set(redis.hkeys(DELIVERIES)), "taken over", WITHIN_S)
            print(f"taken over after {time.monotonic() - began:.1f} s")
            job = needle.wait(job, timeout_s=240)
            assert (job.status, job.progress.done) == ("succeeded", PHOTOS)
        until(lambda: redis.hlen(DELIVERIES) == 0, "the one that was stopped ends its task", 120)
        job = needle.job(job.job_id)
        assert (job.status, job.progress.done, job.progress.failed) == ("succeeded", PHOTOS, 0)
        images = list(needle.images())
        assert len({image.image_id for image in images}) == len(images) == PHOTOS
        found = needle.search(photos[0])
        assert found.index["regions"] == sum(image.regions or 0 for image in images)
        assert found.best is not None and found.best.filename == photos[0].name
