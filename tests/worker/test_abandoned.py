"""The web server killed in the middle of a request: no job stays open, no file without an owner."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.beginnings import Beginnings
from common.errors import BrokerUnavailable
from common.jobs import Status
from common.paging import Place
from common.queue import DELETE_COLLECTION_TASK, DELETE_TASK
from common.redis import Client
from tests.conftest import REPO
from tests.worker.conftest import World, noise, png
from worker.abandoned import tidy_up

# Makes one request and dies at a step of it, without a chance to tidy up.
REQUEST = """
import io, os, sys
from pathlib import Path
from werkzeug.datastructures import FileStorage
from common.contract.requests import IndexFields, SearchRequest
from common.services import Services
from common.settings import Settings
from web import ingest, removal, search
from web.uploads import read_file

url, folder, kind, owner, method, when, image_id = sys.argv[1:]
services = Services.build(Settings(redis_url=url, data_dir=Path(folder), chunk_size=1))
ingest.client_is_there = lambda: True
one = getattr(services, owner)
own, left = getattr(type(one), method), [2 if kind == "index" and method != "create" else 1]

def dying(self, *args, **named):
    left[0] -= 1
    if left[0] == 0 and when == "before":
        os._exit(9)
    result = own(self, *args, **named)
    if left[0] == 0:
        os._exit(9)
    return result

setattr(type(one), method, dying)
paths = sorted(Path(folder).glob("*.png"))
photos = [FileStorage(io.BytesIO(path.read_bytes()), path.name) for path in paths]
if kind == "index":
    ingest.ingest_files(services, photos, IndexFields(), "job")
elif kind == "search":
    query = read_file(photos[0], services.settings)
    asked = search.Search(SearchRequest(), [query], [])
    search.enqueue(services, asked.order(), asked.kept(), "job")
elif kind == "delete":
    removal.remove(services, services.catalogue.get("default", image_id))
else:
    removal.remove_collection(services, "default")
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a request that says nothing be abandoned at once."""
    monkeypatch.setattr(Beginnings, "left", lambda self, own=Beginnings.left: own(self, after_s=-1))


def die(world: World, url: str, *step: str, image_id: str = "") -> None:
    """Have a web server die at a step of a request."""
    folder = Path(world.base.settings.data_dir)
    for seed in (1, 2, 3):
        (folder / f"{seed}.png").write_bytes(png(noise(seed)))
    command = [sys.executable, "-c", REQUEST, url, str(folder), *step, image_id]
    ran = subprocess.run(command, cwd=REPO, env={**os.environ, "PYTHONPATH": str(REPO)})
    assert ran.returncode == 9, "it came to the step"


def files_in(world: World, name: str) -> list[str]:
    home = Path(world.base.settings.data_dir, name)
    return [path.name for path in home.rglob("*") if path.is_file()]


def open_jobs(world: World) -> list[str]:
    jobs = world.base.jobs.list.page(Place(), 99).rows
    return [job.job_id for job in jobs if not job.status.final]


def run_tasks(world: World, redis: Client) -> None:
    """Run what waits on the queue `store`, as the search worker does."""
    import base64
    import json

    from worker.tasks import register_search

    register_search(world.base.celery, world.base, lambda: world.writer, lambda: world.searching)
    while message := redis.rpop("store"):
        raw = json.loads(message)
        task = world.base.celery.tasks[raw["headers"]["task"]]
        assert task.name in (DELETE_TASK, DELETE_COLLECTION_TASK)
        task.run(**json.loads(base64.b64decode(raw["body"]))[1])


@pytest.mark.parametrize(
    "step",
    [
        ("catalogue", "claim", "after"),
        ("images", "put", "after"),
        ("jobs", "create", "after"),
        ("queue", "submit", "before"),
        ("queue", "submit", "after"),
    ],
)
def test_posting_images(world: World, redis: Client, redis_url: str, step: tuple[str, ...]) -> None:
    die(world, redis_url, "index", *step)
    assert tidy_up(world.base) == 1
    assert open_jobs(world) == []
    assert list(world.base.catalogue.every("default")) == []
    assert files_in(world, "images") == []
    assert tidy_up(world.base) == 0
    world.post(png(noise(1)), job_id="again")
    assert world.index("again").status is Status.SUCCEEDED


@pytest.mark.parametrize(
    "step",
    [("images", "put", "after"), ("jobs", "create", "after"), ("queue", "submit", "after")],
)
def test_searching(world: World, redis_url: str, step: tuple[str, ...]) -> None:
    die(world, redis_url, "search", *step)
    tidy_up(world.base)
    assert open_jobs(world) == []
    assert files_in(world, "queries") == []


@pytest.mark.parametrize(
    ("step", "gone"),
    [
        (("jobs", "create", "after"), False),
        (("catalogue", "remove", "after"), True),
        (("queue", "submit", "after"), True),
    ],
)
def test_deleting_an_image(
    world: World, redis: Client, redis_url: str, step: tuple[str, ...], gone: bool
) -> None:
    (image_id,) = world.post(png(noise(1)))
    world.index()
    die(world, redis_url, "delete", *step, image_id=image_id)
    tidy_up(world.base)
    run_tasks(world, redis)
    assert open_jobs(world) == []
    assert world.base.catalogue.count("default") == (0 if gone else 1)
    assert bool(files_in(world, "images")) is not gone
    assert bool(world.regions(image_id)) is not gone


@pytest.mark.parametrize(
    "step",
    [("jobs", "create", "before"), ("jobs", "create", "after"), ("queue", "submit", "after")],
)
def test_deleting_a_collection(
    world: World, redis: Client, redis_url: str, step: tuple[str, ...]
) -> None:
    world.post(png(noise(1)))
    world.index()
    die(world, redis_url, "collection", *step)
    tidy_up(world.base)
    run_tasks(world, redis)
    assert open_jobs(world) == []
    assert world.base.catalogue.deleting("default") is None
    assert world.base.catalogue.holds("default") is (step[2] == "before")


def test_a_request_that_was_given_up_says_so_and_leaves_nothing(world: World) -> None:
    with (
        pytest.raises(BrokerUnavailable, match="held up"),
        world.base.beginnings.of("job", "default"),
    ):
        assert tidy_up(world.base) == 1
    assert tidy_up(world.base) == 0


def test_one_that_says_that_it_goes_on_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("common.beginnings.SAID_EVERY_S", 0)
    beginnings = world.base.beginnings
    with (
        pytest.raises(BrokerUnavailable, match="as whoever"),
        beginnings.of("job", "default") as goes_on,
    ):
        world.base.redis.zadd("needle:beginnings", {"job default": 0})
        goes_on()
        assert beginnings.left() == []
        world.base.redis.zadd("needle:beginnings", {"job default": 0})
        assert [one.job_id for one in beginnings.left()] == ["job"]
        with pytest.raises(BrokerUnavailable):
            goes_on()
        raise BrokerUnavailable("as whoever makes the job does")
