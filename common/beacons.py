"""Beacons: what each live worker says of itself. They fade when its process dies."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.clock import STEADY, UNIX
from common.errors import BrokerUnavailable
from common.redis import Client, translated

BEAT_S = 3
FADE_S = 12
FORGET_S = 3600
_LATEST = "needle:models"
LIT = "needle:beacons"
"""The keys of beacons by the Unix time of their last beat, so that none has to be looked for."""

# KEYS: a beacon, the list. ARGV: what it says, fade_s, forget_s. The steady clock is asked so that
# it goes: each live worker does this every few seconds.
_BEAT = f"""{STEADY}{UNIX}
steady()
local now = unix()
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('ZADD', KEYS[2], now, KEYS[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])
"""


def beacon_key(role: str = "*", host: str = "*", pid: int | str = "*") -> str:
    """Return the key of a process's beacon, a pattern of many where something is left out."""
    return f"needle:worker:{role}:{host}:{pid}"


@dataclass(frozen=True)
class Beacon:
    """What a worker says of itself: its role, and its models with what it does with them."""

    role: str
    models: dict[str, Any]


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
                    self._redis.eval(_BEAT, 2, key, LIT, text, FADE_S, FORGET_S)
            except BrokerUnavailable:
                pass  # Redis is away; the beacon fades, as it should, and is lit again later
            stop.wait(BEAT_S)

    def live(self) -> list[Beacon]:
        """Return what every worker that lives says of itself."""
        with translated():
            keys = self._redis.zrange(LIT, 0, -1)
            texts = self._redis.mget(keys) if keys else []
        return [Beacon(**json.loads(text)) for text in texts if text]

    def models(self, role: str = "index") -> dict[str, Any] | None:
        """Return the models that the workers of a role have, None if none ever started.

        Those that live are asked first, then those of the other role (a search worker loads no
        detector). Only where nobody lives the last word counts that was said.
        """
        said = {beacon.role: beacon.models for beacon in self.live()}
        if not said:
            with translated():
                texts: dict[str, str] = self._redis.hgetall(_LATEST)
            said = {name: json.loads(text) for name, text in texts.items()}
        return said.get(role) or next(iter(said.values()), None)
