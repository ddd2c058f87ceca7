"""Servers that the suites of the contracts share: a stand-in for Qdrant's, and one of S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from common.images import ImageStore, open_store
from common.redis import Client
from common.settings import Settings
from tests.conftest import free_port
from tests.object_store import ObjectStore, credentials
from tests.qdrant_server.running import QdrantServer


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantServer]:
    """Run the stand-in."""
    with QdrantServer(tmp_path_factory.mktemp("qdrant")) as server:
        yield server


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantServer]:
    """Run one that wants keys, and an index of each field that is filtered by."""
    keys = ("--api-key", "right", "--read-only-key", "reads", "--strict")
    with QdrantServer(tmp_path_factory.mktemp("guarded"), *keys) as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Run a server of S3 for the session."""
    with ObjectStore(tmp_path_factory.mktemp("s3"), free_port()) as running:
        yield running


@pytest.fixture
def bucket(
    server: ObjectStore, redis: Client, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ImageStore]:
    """Return what opens the store in the bucket, under a prefix."""
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)

    def opened(prefix: str = "a/b", **more: str) -> ImageStore:
        given = {**server.settings(prefix), "NEEDLE_REDIS_URL": redis_url, **more}
        settings = {name: v for name, v in given.items() if name.startswith("NEEDLE_")}
        return open_store(Settings.from_env(settings), redis)

    return opened
