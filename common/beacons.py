"""Beacons: what each live worker says of itself. They fade when its process dies."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Mapping
from typing import Any

from common.errors import BrokerUnavailable
from common.redis import Client, translated

BEAT_S = 3
FADE_S = 12
_LATEST = "needle:models"


def beacon_key(role: str = "*", host: str = "*", pid: int | str = "*") -> str:
    """Return the key of a process's beacon, a pattern of many where something is left out."""
    return f"needle:worker:{role}:{host}:{pid}"


class Beacons:
    """Lights and reads beacons."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def light(self, role: str, models: Mapping[str, Any]) -> None:
        """Say every few seconds, for as long as this process lives, that its models are loaded."""
        key = beacon_key(role, socket.gethostname(), os.getpid())
        text = json.dumps({"role": role, "models": models})
        with translated():
            self._redis.hset(_LATEST, role, json.dumps(models))
        threading.Thread(target=self._beat, args=(key, text), name="beacon", daemon=True).start()

    def _beat(self, key: str, text: str) -> None:
        stop = threading.Event()
        while True:
            try:
                with translated():
                    self._redis.set(key, text, ex=FADE_S)
            except BrokerUnavailable:
                pass  # Redis is away; the beacon fades, as it should, and is lit again later
            stop.wait(BEAT_S)

    def count(self, role: str) -> int:
        """Return how many processes of that role are ready."""
        with translated():
            return sum(1 for _ in self._redis.scan_iter(beacon_key(role), count=1000))

    def models(self) -> dict[str, Any] | None:
        """Return what the worker started last said of its models, None if none ever started.

        An index worker's word comes first: a search worker loads no detector.
        """
        with translated():
            texts = self._redis.hmget(_LATEST, ["index", "search"])
        return next((json.loads(text) for text in texts if text), None)
