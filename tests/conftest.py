"""Fixtures that every suite shares: the real Redis, and where the development photos are."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from common.redis import Client, connect
from machine.stack.redis_server import find_binary

REPO = Path(__file__).resolve().parent.parent

# A shell starts what runs behind it (`make test &`, nohup) deaf to Ctrl-C, and every process that
# it starts in turn: tests that press Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Threads of torch's that wait by spinning take the cores from what is tested beside.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep in one process what shares a service: the tests of a file, and all of the page.

    Files are begun in the order of their folders, so the slow ones (browser, contracts, end_to_end)
    come first, and short ones fill the end.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            shared = "tests/browser/"
            return shared if nodeid.startswith(shared) else super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say why tests were skipped: one line a reason, not one a test."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} skipped: {reason}")


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


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a real Redis for the session."""
    with running_redis(tmp_path_factory.mktemp("redis"), {}) as url:
        yield url


@contextmanager
def running_redis(folder: Path, env: Mapping[str, str]) -> Iterator[str]:
    """Run a real Redis with its socket in a folder, and with more in its environment."""
    path = folder / "redis.sock"
    binary = find_binary(os.environ)
    command = [str(binary.path), "--port", "0", "--unixsocket", str(path), "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **env})
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
