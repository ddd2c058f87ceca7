"""The same locks for machines that share no disk: in Redis, each with a lease.

A lease runs out `LEASE_S` after its holder last renewed it, which a thread does for as long as the
process lives and Redis answers. So the locks of a dead process are free after that time, and those
of one that hangs as well, while it may believe that it holds them: before each write it asks
`Held.check`, which compares the time since the last renewal with the lease, by its own clock.
Redis tells the leases' time by the steady clock (`common/clock.py`): one that is set takes no lock
from anybody who renews it. What cannot be excluded is a process that stops between that question
and the write it was for, for longer than what is left of the lease: one write may then come late.
Its task ends with StoreUnavailable at the next question and is done again.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from common.clock import STEADY
from common.errors import BrokerUnavailable, StoreUnavailable
from common.redis import Client, translated

LEASE_S = 15.0
RENEW_S = 3.0
MARGIN_S = 3.0
"""A write is begun only while so much is left of the lease."""
PATIENCE_S = 20.0
"""Longer than a lease: who waits for a process that has died gets its turn."""
FORGOTTEN_S = 7 * 24 * 3600
"""Redis's own time goes with the clock that is set, by hours perhaps; so this is far more."""
_POLL_S = 0.02
_PREFIX = "needle:lock:"
_LOST = "The lock on the image was lost: this process stood still, or Redis was away; try again."

# A lock is its end and its holder's token. What nobody lets go of is forgotten after a while.
_LOCKS = f"""{STEADY}
local now = steady()
local function holder(key)
  local ends, token = string.match(redis.call('GET', key) or '0 ', '^(%S+) (%S*)$')
  if not ends then return 'one of an earlier version, which Redis ends' end
  return tonumber(ends) > now and token or ''
end
local function hold(key, token, lease)
  local text = string.format('%.6f %s', now + lease, token)
  redis.call('SET', key, text, 'EX', {FORGOTTEN_S})
end
"""
# KEYS: the whole; those that share it; names. ARGV: token, seconds of a lease. Shares end at
# milliseconds, as those of earlier versions, which must neither outlive their worker nor end ours.
_TAKE_SOME = f"""{_LOCKS}
if holder(KEYS[1]) ~= '' then return 0 end
for i = 3, #KEYS do
  if holder(KEYS[i]) ~= '' then return 0 end
end
for i = 3, #KEYS do hold(KEYS[i], ARGV[1], ARGV[2]) end
redis.call('ZADD', KEYS[2], (now + ARGV[2]) * 1000, ARGV[1])
redis.call('EXPIRE', KEYS[2], {FORGOTTEN_S})
return 1
"""
_TAKE_WHOLE = f"""{_LOCKS}
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now * 1000)
if holder(KEYS[1]) ~= '' or redis.call('ZCARD', KEYS[2]) > 0 then return 0 end
hold(KEYS[1], ARGV[1], ARGV[2])
return 1
"""
# What was taken has to be there to the last: else nothing is renewed. ARGV[3]: '1' for the whole.
_RENEW = f"""{_LOCKS}
if ARGV[3] == '1' then
  if holder(KEYS[1]) ~= ARGV[1] then return 0 end
  hold(KEYS[1], ARGV[1], ARGV[2])
  return 1
end
local ends = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not ends or tonumber(ends) <= now * 1000 then return 0 end
for i = 3, #KEYS do
  if holder(KEYS[i]) ~= ARGV[1] then return 0 end
end
for i = 3, #KEYS do hold(KEYS[i], ARGV[1], ARGV[2]) end
redis.call('ZADD', KEYS[2], (now + ARGV[2]) * 1000, ARGV[1])
redis.call('EXPIRE', KEYS[2], {FORGOTTEN_S})
return 1
"""
_LET_GO = f"""{_LOCKS}
if holder(KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('ZREM', KEYS[2], ARGV[1])
for i = 3, #KEYS do
  if holder(KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
"""


@dataclass
class Lease:
    """Locks that are held, as `Held` has them: until when, by the clock of this process."""

    keys: Sequence[str]
    whole: bool
    lease_s: float
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    until: float = 0.0

    def check(self) -> None:
        """See Held."""
        if now() > self.until - MARGIN_S * self.lease_s / LEASE_S:
            raise StoreUnavailable(_LOST)


def now() -> float:
    """Return seconds of a clock that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class RedisLocks:
    """The locks of one process; `lease_s` is for tests."""

    def __init__(self, redis: Client, *, lease_s: float = LEASE_S) -> None:
        self._lease_s = lease_s
        self._take_some = redis.register_script(_TAKE_SOME)
        self._take_whole = redis.register_script(_TAKE_WHOLE)
        self._renew = redis.register_script(_RENEW)
        self._let_go = redis.register_script(_LET_GO)
        self._held: dict[str, Lease] = {}
        self._guard = threading.Lock()
        self._renewing = False

    @contextmanager
    def locked(self, within: str, names: Iterable[str]) -> Iterator[Lease]:
        """Hold the locks of `names` alone, and of what they lie in with others.

        Raises StoreUnavailable where others hold them for long, and BrokerUnavailable.
        """
        own = [f"{_PREFIX}alone:{name}" for name in sorted(set(names))]
        with self._holding(Lease(_keys(within, own), False, self._lease_s)) as lease:
            yield lease

    @contextmanager
    def locked_whole(self, name: str) -> Iterator[Lease]:
        """Hold a name that others lie in alone: nobody holds one that lies in it. See `locked`."""
        with self._holding(Lease(_keys(name), True, self._lease_s)) as lease:
            yield lease

    @contextmanager
    def _holding(self, lease: Lease) -> Iterator[Lease]:
        try:
            self._wait_for(lease)
            yield lease
        finally:
            with self._guard:
                self._held.pop(lease.token, None)
            with suppress(BrokerUnavailable), translated():  # else the lease runs out
                self._let_go(keys=lease.keys, args=[lease.token])

    def _wait_for(self, lease: Lease) -> None:
        take = self._take_whole if lease.whole else self._take_some
        deadline = time.monotonic() + PATIENCE_S
        while True:
            asked = now()
            with translated():
                taken = take(keys=lease.keys, args=[lease.token, self._lease_s])
            if taken:
                break
            if time.monotonic() > deadline:
                raise StoreUnavailable("Others are at work on the image; try again.")
            time.sleep(_POLL_S * random.uniform(0.5, 1.5))  # noqa: S311
        lease.until = asked + self._lease_s
        with self._guard:
            self._held[lease.token] = lease
            if not self._renewing:
                self._renewing = True
                threading.Thread(target=self._keep, name="leases", daemon=True).start()

    def _keep(self) -> None:
        """Renew all that is held, for as long as there is any."""
        pause = threading.Event()
        while True:
            pause.wait(RENEW_S * self._lease_s / LEASE_S)
            with self._guard:
                held = list(self._held.values())
                if not held:
                    self._renewing = False
                    return
            for lease in held:
                with suppress(BrokerUnavailable):  # then it is tried again, or runs out
                    self._prolong(lease)

    def _prolong(self, lease: Lease) -> None:
        asked = now()
        with translated():
            args = [lease.token, self._lease_s, int(lease.whole)]
            kept = self._renew(keys=lease.keys, args=args)
        lease.until = asked + self._lease_s if kept else 0.0


def _keys(within: str, names: Sequence[str] = ()) -> list[str]:
    return [f"{_PREFIX}whole:{within}", f"{_PREFIX}shared:{within}", *names]
