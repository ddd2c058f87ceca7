"""The engines that the suites of the stores run over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from worker.vectors.edge import Edge
from worker.vectors.engine import Engine
from worker.vectors.server import Server

ENGINES = ["edge", "local", "server"]


def open_engine(name: str, folder: Path) -> Engine:
    """Return an engine by name; skip the test where it needs a server that is not there."""
    if name == "edge":
        return Edge(folder / "engine")
    if name == "local":
        return Server(QdrantClient(":memory:"))
    url = os.environ.get("NEEDLE_TEST_QDRANT_URL")
    if not url:
        pytest.skip("NEEDLE_TEST_QDRANT_URL names no Qdrant server")
    return Server.connect(url)
