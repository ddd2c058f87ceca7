"""The connection to Redis, and the translation of its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.errors import BrokerUnavailable

CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 1.5
"""A request that Redis leaves waiting is answered with 503 within two seconds."""

# redis-py types every answer as bytes, str or worse, whatever `decode_responses` says.
Client: TypeAlias = Any


def connect(url: str, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> Client:
    """Return a client that answers or fails within seconds; nothing is sent yet.

    No retries here: a request must not hang while Redis is down, and tasks retry as a whole.
    """
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=answer_timeout_s,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=30,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn every Redis error into BrokerUnavailable."""
    try:
        yield
    except redis.RedisError as exc:
        raise BrokerUnavailable("Redis does not answer; try again in a moment.") from exc
