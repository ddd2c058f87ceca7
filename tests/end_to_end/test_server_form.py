"""The server form: two workers of each role, and a Qdrant server over HTTP that fails meanwhile."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from machine.stack import Stack
from machine.stack.services import services
from needle import Needle
from needle.errors import JobFailed, NeedleApiError
from tests.chaos.in_a_row import Row, write_photos
from tests.conftest import free_port
from tests.qdrant_server.running import QdrantServer
from worker.vectors.engine import Shelf, Sort
from worker.vectors.server import Server

SEED = 20
ROUNDS = (["qdrant cuts answers"], ["qdrant killed", "qdrant hangs"])
MAY_FAIL = {"store_unavailable"}
"""What a search may be told while Qdrant is not there."""


@pytest.fixture(scope="module")
def qdrant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantServer]:
    """Run a Qdrant server."""
    with QdrantServer(tmp_path_factory.mktemp("qdrant")) as server:
        yield server


@pytest.fixture(scope="module")
def stack(qdrant: QdrantServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run two workers of each role on it."""
    settings = {
        "NEEDLE_QDRANT_URL": qdrant.url,
        "NEEDLE_QDRANT_TIMEOUT_S": "2",
        "NEEDLE_CHUNK_SIZE": "4",
        "NEEDLE_PROFILE": "fast",
        "NEEDLE_VERIFY_BUDGET_MS": "200",
    }
    many = partial(services, index=2, search=2)
    folder = tmp_path_factory.mktemp("service")
    running = Stack(settings, data_dir=folder, port=free_port(), make_services=many)
    with running:
        running.wait_ready(120)
        running.supervise()
        yield running


@pytest.fixture
def needle(stack: Stack) -> Iterator[Needle]:
    """Return a client of the service that has patience."""
    with Needle(stack.base_url, patience_s=60) as client:
        client.collections()
        yield client


@contextmanager
def searching(stack: Stack, photo: Path) -> Iterator[list[str]]:
    """Search all the time; yield what came of it, the names of photos and codes of errors."""
    told: list[str] = []
    over = threading.Event()

    def search() -> None:
        with Needle(stack.base_url, patience_s=60) as client:
            while not over.is_set():
                try:
                    best = client.search(photo).best
                    told.append("nothing" if best is None else str(best.filename))
                except (NeedleApiError, JobFailed) as error:
                    told.append(error.code)

    thread = threading.Thread(target=search)
    thread.start()
    try:
        yield told
    finally:
        over.set()
        thread.join()


def test_everything_agrees_whatever_qdrant_does_while_images_come_and_searches_run(
    stack: Stack, needle: Needle, qdrant: QdrantServer, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    photos = write_photos(tmp_path, 24)
    row = Row(stack, needle, random.Random(SEED), qdrant=qdrant)
    row.round(photos[:12], [])
    with searching(stack, photos[11]) as told:
        row.round(photos[8:18], ROUNDS[0])
        row.round(photos[14:], ROUNDS[1])
    assert photos[11].name in told or photos[11].name not in row.held.values()
    assert set(told) <= {path.name for path in photos} | MAY_FAIL | {"nothing"}
    row.agree_in_the_index()
    assert needle.verify().sound


def test_a_collection_that_is_deleted_while_qdrant_fails_can_be_filled_again(
    needle: Needle, qdrant: QdrantServer, tmp_path: Path
) -> None:
    photos = write_photos(tmp_path, 8)
    for _ in range(2):
        job = needle.wait(needle.index(photos, collection="again"), timeout_s=60)
        assert (job.status, job.progress.done) == ("succeeded", 8)
        found = needle.search(photos[3], collection="again").best
        assert found is not None and found.filename == photos[3].name
        with qdrant.under("status", share=0.5, times=4):
            needle.delete_collection("again")
    assert "again" not in [one.name for one in needle.collections()]


def test_points_that_are_gone_from_the_server_are_found_missing_and_made_again(
    needle: Needle, qdrant: QdrantServer, tmp_path: Path
) -> None:
    photos = write_photos(tmp_path, 4)
    needle.wait(needle.index(photos, collection="lost"), timeout_s=60)
    engine = Server.connect(qdrant.url)
    engine.drop(Shelf(Sort.REGIONS, "lost"))
    engine.close()
    assert needle.verify("lost").missing["points"] == 4
    assert needle.verify("lost", repair=True).good
    assert needle.verify("lost").sound
