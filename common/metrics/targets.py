"""Where the processes of the service show their metrics: each says so, and Prometheus is told.

A list in Redis, so that workers may come and go on any machine and no file names them.
"""

from __future__ import annotations

import atexit
import ipaddress
import json
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from common.clock import unix_s
from common.errors import BrokerUnavailable
from common.redis import Client, translated

SAID_EVERY_S = 5.0
GONE_AFTER_S = 300.0
"""A process that is silent for so long is no target any more; until then its scrapes fail."""
_KEY = "needle:metrics"
_ROLES = ("web", "index", "search")


class Targets:
    """Adds processes to the list and reads it."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def say(self, role: str, address: str) -> None:
        """Say that a process of that role shows its metrics there."""
        now = unix_s(self._redis)
        # Whoever was killed there left its word, and would be counted beside this one.
        former = [_member(other, address) for other in _ROLES if other != role]
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zrem(_KEY, *former)
            pipe.zadd(_KEY, {_member(role, address): now})
            pipe.zremrangebyscore(_KEY, "-inf", now - GONE_AFTER_S)
            pipe.execute()

    def unsay(self, role: str, address: str) -> None:
        """Take it back: a process that ends in order is no target from then on."""
        with translated():
            self._redis.zrem(_KEY, _member(role, address))

    def keep_saying(self, role: str, address: str) -> Callable[[], None]:
        """Say it every few seconds, in a thread of its own, until the process ends in order.

        Returns what ends it before.
        """
        ended, pid = threading.Event(), os.getpid()

        def run() -> None:
            while not ended.is_set():
                with suppress(BrokerUnavailable):  # said again when Redis is back
                    self.say(role, address)
                ended.wait(SAID_EVERY_S)

        saying = threading.Thread(target=run, name="targets", daemon=True)

        def end() -> None:
            if os.getpid() != pid or ended.is_set():  # a child inherits what is to be done
                return
            ended.set()
            saying.join(SAID_EVERY_S)
            with suppress(BrokerUnavailable):
                self.unsay(role, address)

        saying.start()
        atexit.register(end)
        return end

    def every(self) -> list[dict[str, object]]:
        """Return the list in the form that Prometheus's `http_sd_configs` reads.

        Their label is no `role`: it would take the place of that of what they show.
        """
        least = unix_s(self._redis) - GONE_AFTER_S
        with translated():
            found = self._redis.zrangebyscore(_KEY, least, "+inf")
        told = [json.loads(text) for text in found]
        return [
            {"targets": [one["address"]], "labels": {"process": one["role"]}}
            for one in sorted(told, key=lambda one: (one["role"], one["address"]))
        ]


def _member(role: str, address: str) -> str:
    return json.dumps({"role": role, "address": address})


def address_of(host: str, port: int, redis_url: str) -> str:
    """Return where others reach what listens on a host.

    One that listens everywhere is reached by the address that it has in Redis's network.
    """
    if not _everywhere(host):
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    parts = urlsplit(redis_url)
    if parts.scheme == "unix" or not parts.hostname:
        return f"127.0.0.1:{port}"
    own = _own_address(parts.hostname, parts.port or 6379)
    return f"[{own}]:{port}" if ":" in own else f"{own}:{port}"


def _own_address(host: str, port: int) -> str:
    """Return the address from which this machine speaks to another. Nothing is sent."""
    try:
        family, kind, *_, there = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(there)
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()


def _everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
