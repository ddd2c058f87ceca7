"""How many requests one key, or one address, may send: a bucket in Redis that drains steadily."""

from __future__ import annotations

import math

from common.clock import UNIX
from common.errors import Overloaded
from common.redis import Client, translated

BURST_S = 10
"""So many seconds' worth of requests may come at once."""

# KEYS: the bucket. ARGV: seconds between two requests, burst in seconds. Returns the wait.
# GCRA: the bucket holds the time at which it will be empty. That is Unix time: the steady clock
# stands still where no worker lives, and whoever asked seldom would be refused. A clock that is set
# does little here: forward it empties the bucket, and back it leaves it full, not fuller.
_COUNT = f"""{UNIX}
local now, burst = unix(), tonumber(ARGV[2])
local held = tonumber(redis.call('GET', KEYS[1]) or 0)
local empty = math.min(math.max(held, now), now + burst + ARGV[1])
local wait = empty - now - burst
if wait <= 0 then empty = empty + ARGV[1] end
if wait <= 0 or empty < held then
  redis.call('SET', KEYS[1], string.format('%.6f', empty), 'EX', math.ceil(burst + ARGV[1]) + 60)
end
return tostring(math.max(wait, 0))
"""


class Rates:
    """Counts requests."""

    def __init__(self, redis: Client, per_minute: int) -> None:
        self._redis = redis
        self._apart_s = 60 / per_minute if per_minute else 0.0

    def count(self, who: str) -> None:
        """Count a request. Raises Overloaded when there were too many, or BrokerUnavailable."""
        args = [f"{self._apart_s:.6f}", BURST_S]
        with translated():
            wait_s = float(self._redis.eval(_COUNT, 1, f"needle:rate:{who}", *args))
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            raise Overloaded(f"Too many requests; try again in {seconds} s.", retry_after_s=seconds)
