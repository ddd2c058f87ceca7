"""The Redis server of an embedded service: where it is found and how it is configured."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stack.errors import StackError
from stack.process import Child, Command

START_TIMEOUT_S = 60.0
_PAUSE_S = 0.05
_BEACONS = "needle:worker:*"
"""The keys of `common.beacons`."""
_PORTS = range(20_000, 30_000)
"""Below the range that outgoing connections take their own ports from: a client that keeps
knocking while Redis is down can then never be given Redis's port."""


@dataclass(frozen=True)
class RedisServer:
    """A configured server: how to start it, and the URL at which it will answer."""

    command: Command
    url: str


def prepare(data_dir: Path, env: Mapping[str, str]) -> RedisServer:
    """Write the configuration into `data_dir` and return the server, not yet started.

    It listens on a free port of the loopback address and asks for a password made for this run,
    so that no other user of the machine can read queues and jobs. Every write goes to an
    append-only file, and nothing is evicted: queued tasks survive `kill -9`.
    Raises StackError when no `redis-server` is found.
    """
    binary = find_binary(env)
    port, password = _free_port(), secrets.token_urlsafe(24)
    store = data_dir / "redis"
    store.mkdir(parents=True, exist_ok=True)
    config = data_dir / "redis.conf"
    with open(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(_config(store, port, password))
    command = Command("redis", (str(binary), str(config)), env, data_dir)
    return RedisServer(command, f"redis://:{password}@127.0.0.1:{port}/0")


def find_binary(env: Mapping[str, str]) -> Path:
    """Return the `redis-server` beside this Python, else the one on the PATH."""
    beside = Path(sys.executable).parent / "redis-server"
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("redis-server", path=env.get("PATH"))
    if found is None:
        raise StackError(
            "There is no redis-server on this machine: install Redis 6 or later so that it is on "
            "the PATH, or name a running one with NEEDLE_REDIS_URL."
        )
    return Path(found)


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
        for key in client.scan_iter(_BEACONS):
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
