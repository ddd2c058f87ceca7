"""The service in containers, once for all tests; whatever was made for it goes with it."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from needle import Needle
from tests.containers.engine import (
    Engine,
    Missing,
    OwnEngine,
    answers,
    environment,
    find_compose,
)
from tests.containers.service import Service


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """Return a folder that goes with the tests. A socket's path must be short."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidies up as Ctrl-C does
    with tempfile.TemporaryDirectory(prefix="needle-containers-", dir="/var/tmp") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def engine(scratch: Path) -> Iterator[Engine]:
    """Return this machine's Docker engine, or one that runs for these tests."""
    own = OwnEngine(scratch / "docker")
    try:
        (scratch / "compose").mkdir()
        compose = find_compose(scratch / "compose")
        there = answers(None)
        if not there:
            (scratch / "docker").mkdir()
            own.start()
    except FileNotFoundError:
        pytest.exit("needle: there is no Docker here (on Debian: apt-get install docker.io).", 1)
    except Missing as missing:
        pytest.exit(f"needle: {missing}", 1)
    yield Engine(environment(None if there else own.address), compose)
    own.stop()


@pytest.fixture(scope="session")
def service(engine: Engine, scratch: Path) -> Iterator[Service]:
    """Return the service: built, started, healthy."""
    running = Service(engine, scratch)
    try:
        running.prepare()
        for name in running.stood_in:
            print(f"{name}: no registry is reached; something stands for it")
        for name, size in running.sizes_mb().items():
            print(f"{name}: {size} MB")
        print(f"everything is healthy after {running.start():.0f} s")
        yield running
    except Missing as missing:
        pytest.exit(f"needle: {missing}", 1)
    finally:
        running.remove()


@pytest.fixture
def needle(service: Service) -> Iterator[Needle]:
    """Return a client of the service."""
    with Needle(service.url, key=service.key, patience_s=60) as client:
        yield client
