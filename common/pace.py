"""How long a search takes at present, as workers measure it, and so how long one would wait."""

from __future__ import annotations

from common.errors import Overloaded
from common.queue import SEARCH
from common.redis import Client, translated

AT_ONCE, UNSAID = "searches_at_once", 4
"""What a search worker's beacon calls them, and how many one runs that does not say so: it starts,
or is of an earlier version."""
_KEY = "needle:pace:search"
_KEPT_S = 600
_WEIGHT = 0.2
"""What the latest search counts in the mean."""

# KEYS: the mean. ARGV: seconds, weight, kept_s.
_NOTE = """
local mean = tonumber(redis.call('GET', KEYS[1])) or tonumber(ARGV[1])
mean = mean + ARGV[2] * (ARGV[1] - mean)
redis.call('SET', KEYS[1], string.format('%.4f', mean), 'EX', ARGV[3])
"""


class Pace:
    """The mean time of the latest searches; forgotten after ten minutes without one."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def note(self, seconds: float) -> None:
        """Count a search that took so long."""
        with translated():
            self._redis.eval(_NOTE, 1, _KEY, f"{seconds:.4f}", _WEIGHT, _KEPT_S)

    def wait_s(self, threads: int) -> float:
        """Return how long a search that came now would wait for one of so many threads."""
        with translated():
            mean = float(self._redis.get(_KEY) or 0)
            return mean * int(self._redis.llen(SEARCH)) / max(1, threads)

    def check(self, threads: int, most_s: float) -> None:
        """Raise Overloaded where a search would wait longer than that."""
        wait_s = self.wait_s(threads)
        if wait_s > most_s:
            seconds = max(1, round(wait_s - most_s))
            raise Overloaded(
                f"A search would wait {wait_s:.0f} s for its turn, {most_s:g} s at most is "
                f"promised; try again in {seconds} s.",
                retry_after_s=seconds,
            )
