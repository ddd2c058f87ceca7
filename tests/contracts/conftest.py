"""The stand-in for Qdrant's server, one for all suites of the contracts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
