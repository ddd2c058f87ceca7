"""Fixtures that every suite shares: the real Redis, and where the development photos are."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.redis import Client, connect

REPO = Path(__file__).resolve().parent.parent

# A shell starts what runs behind it (`make test &`, nohup) deaf to Ctrl-C, and every process that
# it starts in turn: tests that press Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def shared_folder() -> Path:
    """Return the folder with the development photos and weights, there or not."""
    return Path(os.environ.get("NEEDLE_TEST_SHARED", REPO.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with the development photos and weights, or skip."""
    folder = shared_folder()
    if not (folder / "data" / "dev" / "photos.jsonl").exists():
        pytest.skip("the development photos are not on this machine")
    return folder


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _redis_binary() -> str:
    beside = Path(sys.executable).with_name("redis-server")
    found = str(beside) if beside.exists() else shutil.which("redis-server")
    if found is None:
        pytest.skip("no redis-server on this machine")
    return found


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a real Redis for the session."""
    path = tmp_path_factory.mktemp("redis") / "redis.sock"
    command = [_redis_binary(), "--port", "0", "--unixsocket", str(path), "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        url = f"unix://{path}"
        _wait_for(url, server)
        yield url
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    import time

    import redis

    deadline = time.monotonic() + 10
    client = connect(url)
    while server.poll() is None and time.monotonic() < deadline:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            continue
    pytest.fail("Redis did not start")


@pytest.fixture
def redis(redis_url: str) -> Iterator[Client]:
    """Return a client of the real Redis, emptied."""
    client = connect(redis_url)
    client.flushall()
    yield client
    client.close()
