"""A service with an index of its own gets a Qdrant server: the steps of docs/OPERATIONS.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.stack import Stack
from needle import Job, Needle
from tests.conftest import free_port
from tests.end_to_end.conftest import corner, write_scenes
from tests.qdrant_server.running import QdrantServer
from worker.vectors.engine import Shelf, Sort
from worker.vectors.server import Server

ENV = {"NEEDLE_REGIONS_PER_IMAGE": "60", "NEEDLE_CHUNK_SIZE": "2", "NEEDLE_PROFILE": "fast"}
COLLECTIONS = ("default", "shop")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return photos."""
    return write_scenes(tmp_path_factory.mktemp("photos"), range(400, 402))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, scenes: list[Path]) -> Path:
    """Return the data folder of a service that had its index in the search worker."""
    folder = tmp_path_factory.mktemp("service")
    with Stack(ENV, data_dir=folder, port=free_port()) as stack, Needle(stack.base_url) as needle:
        stack.wait_ready(120)
        for name in COLLECTIONS:
            job = needle.index(scenes, collection=name, metadata={"in": name})
            assert needle.wait(job, timeout_s=120).status == "succeeded"
    return folder


@pytest.fixture(scope="module")
def qdrant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantServer]:
    """Run a Qdrant server."""
    with QdrantServer(tmp_path_factory.mktemp("qdrant"), "--strict") as server:
        yield server


def test_the_index_is_made_again_on_the_server_from_the_stored_photos(
    embedded: Path, qdrant: QdrantServer, scenes: list[Path]
) -> None:
    settings = {**ENV, "NEEDLE_QDRANT_URL": qdrant.url, "NEEDLE_QDRANT_FILTERS": "in"}
    with (
        Stack(settings, data_dir=embedded, port=free_port()) as stack,
        Needle(stack.base_url) as needle,
    ):
        stack.wait_ready(120)
        listed = {
            name: sorted(i.image_id for i in needle.images(collection=name)) for name in COLLECTIONS
        }
        assert needle.search(corner(scenes[1])).matches == (), "it is no error"

        job = needle.wait(needle.index(scenes[:1]), timeout_s=60)
        assert [i.status for i in needle.items(job)] == ["indexed"], "not unchanged"
        for name, gone in zip(COLLECTIONS, (1, 2), strict=True):
            told: list[Job] = []
            found = needle.verify(name, repair=True, on_progress=told.append)
            assert (found.missing["points"], found.damaged, found.good) == (gone, gone, True)
            assert told[-1].kind == "index" and told[-1].progress.done == gone
            assert needle.verify(name).sound

        for name in COLLECTIONS:
            assert sorted(i.image_id for i in needle.images(collection=name)) == listed[name]
            for scene in scenes:
                best = needle.search(corner(scene), collection=name, filter={"in": name}).best
                assert best is not None and best.filename == scene.name
        job = needle.wait(needle.index(scenes), timeout_s=60)
        assert {item.status for item in needle.items(job)} == {"unchanged"}
    engine = Server.connect(qdrant.url)
    assert all(engine.count(Shelf(Sort.REGIONS, name)) > 2 for name in COLLECTIONS)
    engine.close()
