"""Requests that have begun to make a job: taken down first, so that one whose process dies in the
middle leaves no job without tasks, and no image that nobody will index.

`worker/abandoned.py` takes back what they left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from common.clock import STEADY, steady_s
from common.errors import BrokerUnavailable
from common.redis import Client, translated

ABANDONED_S = 120.0
"""A request that has not said for so long that it goes on was left by a process that died."""
SAID_EVERY_S = 10.0
_UNDER_WAY = "needle:beginnings"
_LEFT = "needle:beginnings:left"
_HELD_UP = "The request was held up for so long that it was given up; send it again."
GoesOn = Callable[[], None]
"""Says that a request goes on. Raises BrokerUnavailable where it was given up for abandoned."""

# KEYS: those under way, those that were left. ARGV: for how long they said nothing.
_LEAVE = f"""{STEADY}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', steady() - ARGV[1])) do
  redis.call('ZREM', KEYS[1], name)
  redis.call('SADD', KEYS[2], name)
end
return redis.call('SMEMBERS', KEYS[2])
"""


@dataclass(frozen=True)
class Beginning:
    """A request that has begun to make this job, for that collection."""

    job_id: str
    collection: str

    @property
    def name(self) -> str:
        """What it is called in Redis."""
        return f"{self.job_id} {self.collection}"


class Beginnings:
    """The requests under way, as every process sees them."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._leave = redis.register_script(_LEAVE)

    @contextmanager
    def of(self, job_id: str, collection: str) -> Iterator[GoesOn]:
        """Take a request down until this is left, with all done or all taken back.

        What it yields is to be called now and then, and before anything is handed to workers.
        Raises BrokerUnavailable; then what was done may be taken back later, and is to be reported
        as not done.
        """
        name, said = Beginning(job_id, collection).name, time.monotonic()
        with translated():
            self._redis.zadd(_UNDER_WAY, {name: steady_s(self._redis)})

        def goes_on() -> None:
            nonlocal said
            if time.monotonic() - said < SAID_EVERY_S:
                return
            said = time.monotonic()
            with translated():
                # It counts what has changed: nothing where the request is no longer there.
                there = self._redis.zadd(
                    _UNDER_WAY, {name: steady_s(self._redis)}, xx=True, ch=True
                )
            if not there:
                raise BrokerUnavailable(_HELD_UP)

        try:
            yield goes_on
        except BrokerUnavailable:
            raise  # nobody could tidy up: it stays
        except BaseException:
            with suppress(BrokerUnavailable), translated():
                self._redis.zrem(_UNDER_WAY, name)
            raise
        with translated():
            there = self._redis.zrem(_UNDER_WAY, name)
        if not there:
            raise BrokerUnavailable(_HELD_UP)

    def left(self, *, after_s: float = ABANDONED_S) -> list[Beginning]:
        """Return the requests that have said nothing for that long; none of them goes on."""
        with translated():
            names = self._leave(keys=[_UNDER_WAY, _LEFT], args=[after_s])
        return [Beginning(*name.split(" ", 1)) for name in names]

    def settle(self, beginning: Beginning) -> None:
        """Forget a request that was left: nothing of it is half done any more."""
        with translated():
            self._redis.srem(_LEFT, beginning.name)
