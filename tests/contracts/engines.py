"""The engines that the suites of the stores run over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from worker.vectors.edge import Edge
from worker.vectors.engine import Engine
from worker.vectors.server import Server

ENGINES = ["edge", "local", "http", "server"]
"""`http` is the stand-in over the wire; `server` a real server, where there is one."""


def open_engine(request: pytest.FixtureRequest, folder: Path) -> Engine:
    """Return the engine that a test asks for; skip it where that server is not there."""
    if request.param == "edge":
        return Edge(folder / "engine")
    if request.param == "local":
        return Server(QdrantClient(":memory:"))
    return connect(request)


def connect(request: pytest.FixtureRequest) -> Server:
    """Connect to the server that a test asks for, a real one with its key if it wants one."""
    real = request.param == "server"
    key = os.environ.get("NEEDLE_TEST_QDRANT_API_KEY") if real else None
    return Server.connect(server_url(request), api_key=key)


def server_url(request: pytest.FixtureRequest) -> str:
    """Return where the server that a test asks for answers; skip it where there is none."""
    if request.param == "http":
        return str(request.getfixturevalue("stand_in").url)
    url = os.environ.get("NEEDLE_TEST_QDRANT_URL")
    if not url:
        pytest.skip("NEEDLE_TEST_QDRANT_URL names no Qdrant server")
    return url
