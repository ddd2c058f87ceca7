"""How many requests one key, or one address, may send: counted by Flask-Limiter, in Redis."""

from __future__ import annotations

import ipaddress
import logging
import math
from collections.abc import Callable

from flask import Flask, Response
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded
from limits.storage import RedisStorage
from redis.exceptions import RedisError

from common.errors import Overloaded
from common.redis import Client
from web import errors

WINDOW_S = 10
"""Shortest window in which requests are counted: who sent too many waits for the rest of it."""
PREFIX = "needle:rate"

# KEYS: the window's count. ARGV: its length in seconds, requests to add. Returns the count.
# A window that has longer to go than its length is one during which Redis's clock was set back: the
# library's own script would leave its caller shut out for as long as that was.
_COUNT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[2])
local left_ms, length_ms = redis.call('PTTL', KEYS[1]), ARGV[1] * 1000
if left_ms < 0 or left_ms > length_ms then redis.call('PEXPIRE', KEYS[1], length_ms) end
return count
"""


class Windows(RedisStorage):
    """Counts in the Redis that is there, over the connections of a client that is given."""

    STORAGE_SCHEME = ["needle"]  # noqa: RUF012 (the library's own form)
    SCRIPT_INCR_EXPIRE = _COUNT.encode()

    def left_s(self, key: str) -> int:
        """Return the seconds until a window is over, by Redis's clock, at least 1."""
        client: Client = self.get_connection()
        left_ms: int = client.pttl(self.prefixed_key(key))
        return max(math.ceil(left_ms / 1000), 1)


def install(
    app: Flask, redis: Client, per_minute: int, who: Callable[[], str], free: Callable[[], bool]
) -> None:
    """Refuse requests beyond the rate with Overloaded; those that are `free` are not counted.

    While Redis is away nothing is counted: the view says 503 itself, if it needs Redis.
    """
    if not per_minute:
        return
    count, seconds = window(per_minute)
    limiter = Limiter(
        who,
        application_limits=[ApplicationLimit(f"{count} per {seconds} second")],
        # A window is a count that Redis lets expire. A moving one goes by this process's clock.
        strategy="fixed-window",
        storage_uri="needle://",
        storage_options={"connection_pool": redis.connection_pool, "key_prefix": PREFIX},
        request_identifier=lambda: "any",  # what has no route is counted, too
        swallow_errors=True,
    )
    limiter.request_filter(free)
    limiter.logger.setLevel(logging.WARNING)
    limiter.logger.addFilter(_is_news)
    limiter.init_app(app)

    @app.errorhandler(RateLimitExceeded)
    def too_many(_: RateLimitExceeded) -> Response:
        wait_s = _wait_s(limiter, seconds)
        return errors.answer(
            Overloaded(f"Too many requests; try again in {wait_s} s.", retry_after_s=wait_s)
        )


def window(per_minute: int) -> tuple[int, int]:
    """Return a number of requests and the seconds for them: the rate, in WINDOW_S or longer."""
    seconds = next(s for s in range(WINDOW_S, 61) if per_minute * s % 60 == 0)
    return per_minute * seconds // 60, seconds


def network(address: str) -> str:
    """Return what one caller has: an IPv4 address, but of IPv6 all 2^64 addresses of a network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((int(ip), 64), strict=False))


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a record says more than that Redis is away, which each request would repeat."""
    return not (record.exc_info and isinstance(record.exc_info[1], RedisError))


def _wait_s(limiter: Limiter, longest_s: int) -> int:
    storage, limit = limiter.storage, limiter.current_limit
    assert isinstance(storage, Windows) and limit is not None
    try:
        return min(storage.left_s(limit.key), longest_s)
    except RedisError:
        return longest_s
