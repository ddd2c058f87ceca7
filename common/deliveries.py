"""Deliveries: what workers have taken from the queues and not finished, each held by a lease.

kombu keeps a delivery in the hash `unacked` and, in the sorted set `unacked_index`, the time at
which it was taken. Here that is the time at which a worker last said that it is at it, by the
steady clock (`common/clock.py`). A delivery of which nothing was said for `LEASE_S` goes back to
its queue. Each has a name of its own, so that whoever was cut off and ends later touches nothing of
the next one.

Between taking a message and saying so a worker may die. So Redis moves it to a list of those that
are on their way; what stays there is put back as well.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Collection
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual

from common.clock import STEADY
from common.redis import Client, translated

LEASE_S = 20.0
"""How long a delivery stays with a worker that says nothing."""
LOOK_S = 4.0
"""How often each worker looks for leases that have ended."""
LET_GO = 0.0
"""The time of a delivery that waits for nothing: it goes back at the next look."""
ON_ITS_WAY_S = 10.0
"""How long a message may be on its way to a worker."""
DELIVERIES, TIMES = "unacked", "unacked_index"
ON_THEIR_WAY, SEEN = "needle:leases:way:", "needle:leases:seen:"
"""Beginnings of keys, a queue's name follows: the messages that are on their way, oldest last, and
when each was first seen to be."""

_NOW = f"""{STEADY}
local now = steady()
"""
_TAKE = f"""{_NOW}
redis.call('LREM', KEYS[3], 1, ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
"""
_RENEW = f"""{_NOW}
local gone = {{}}
for _, name in ipairs(ARGV) do
  if redis.call('ZSCORE', KEYS[1], name) then
    redis.call('ZADD', KEYS[1], 'XX', now, name)
  else
    gone[#gone + 1] = name
  end
end
return gone
"""
_ENDED = f"""{_NOW}
local ended = {{}}
local rows = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1], 'WITHSCORES')
for row = 1, #rows, 2 do
  local name, score = rows[row], rows[row + 1]
  ended[#ended + 1] = {{name, score, redis.call('HGET', KEYS[1], name) or ''}}
end
return ended
"""
_PUT_BACK = """
if redis.call('ZSCORE', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[3] ~= '' then redis.call('RPUSH', KEYS[3], ARGV[3]) end
return 1
"""
_STRAYED = f"""{_NOW}
local seen, strayed = {{}}, 0
for _, message in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local digest = redis.sha1hex(message)
  local first = tonumber(redis.call('HGET', KEYS[2], digest) or now)
  if first > now - ARGV[1] then
    seen[#seen + 1] = digest
    seen[#seen + 1] = first
  else
    redis.call('LREM', KEYS[1], 1, message)
    redis.call('RPUSH', KEYS[3], message)
    strayed = strayed + 1
  end
end
redis.call('DEL', KEYS[2])
if #seen > 0 then redis.call('HSET', KEYS[2], unpack(seen)) end
return strayed
"""


def renew(client: Client, names: Collection[str]) -> list[str]:
    """Say that these deliveries are worked on; return those that are no longer there.

    Raises BrokerUnavailable.
    """
    if not names:
        return []
    with translated():
        gone: list[str] = client.eval(_RENEW, 1, TIMES, *names)
    return gone


def release_those_of_the_dead(client: Client) -> int:
    """Let what a process of this host took that is no more be delivered again at once; count it.

    For a worker that starts: its predecessor's tasks need not wait for their leases to end. Raises
    BrokerUnavailable.
    """
    with translated():
        dead = [name for name in client.hkeys(DELIVERIES) if _is_of_the_dead(name)]
        if dead:
            client.zadd(TIMES, dict.fromkeys(dead, LET_GO), xx=True)
    return len(dead)


def new_name(tag: str) -> str:
    """Return a name for a delivery to this process of the message that has the tag."""
    return "|".join((tag, socket.gethostname(), str(os.getpid()), uuid.uuid4().hex[:8]))


def _is_of_the_dead(name: str) -> bool:
    """Tell whether a process of this host took it that is no more: not before this one began."""
    _, host, pid, _ = name.split("|") if name.count("|") == 3 else ("", "", "", "")
    if host != socket.gethostname():
        return False
    if int(pid) == os.getpid():
        return True  # a container's processes have the same ids each time
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def put_back_ended(client: Client) -> int:
    """Put every delivery whose lease has ended back to its queue, as the next; count them.

    Raises redis-py's errors: its caller is kombu.
    """
    ended = client.eval(_ENDED, 2, DELIVERIES, TIMES, LEASE_S)
    return sum(_put_back(client, *map(_text, row)) for row in ended)


def put_back_strayed(client: Client, queue: str) -> int:
    """Put messages of a queue back that have been on their way for too long; count them."""
    keys = (ON_THEIR_WAY + queue, SEEN + queue, queue)
    return int(client.eval(_STRAYED, len(keys), *keys, ON_ITS_WAY_S))


def _put_back(client: Client, name: str, said: str, delivery: str) -> int:
    """Put one back, unless its lease was renewed since it was found ended at the time `said`."""
    message, queue = "", "none"
    if delivery:  # else its worker ended it meanwhile
        content, _, queue = json.loads(delivery)
        message = json.dumps(content)
    keys = (DELIVERIES, TIMES, queue)
    return int(client.eval(_PUT_BACK, len(keys), *keys, name, said, message))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


class Leases(redis.QoS):
    """What a consumer has taken, by names and times as the leases want them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._next_look = 0.0

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note that a message was taken, under a name that no other delivery of it has."""
        name = message.delivery_tag = new_name(delivery_tag)
        info = message.delivery_info
        text = json.dumps([message._raw, info["exchange"], info["routing_key"]])
        with self.channel.conn_or_acquire() as client:
            keys = (DELIVERIES, TIMES, ON_THEIR_WAY + info["routing_key"])
            client.eval(_TAKE, len(keys), *keys, name, text, self.channel.taken)
        virtual.QoS.append(self, message, name)  # type: ignore[no-untyped-call]

    def restore_visible(self, *_: object, **__: object) -> None:
        """Put back what has ended; kombu asks for it far more often than there is need."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_S
        with self.channel.conn_or_acquire() as client:
            put_back_ended(client)
            for queue in self.channel.active_queues:
                put_back_strayed(client, queue)


class Channel(redis.Channel):
    """kombu's channel, with leases. It reads one queue: Redis moves from one list at a time."""

    QoS = Leases
    taken = b""
    """The message that was read last, as Redis has it."""
    _asked = ""
    _in_poll: Any
    _brpop_sent_at: Any

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Ask for a message, which Redis moves to those on their way."""
        if not self.active_queues:
            return
        (self._asked,) = self.active_queues
        connection = self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        lists = (self._asked, ON_THEIR_WAY + self._asked)
        connection.send_command("BLMOVE", *lists, "RIGHT", "LEFT", timeout or self.brpop_timeout)

    def _brpop_read(self, **options: Any) -> bool:
        """Read the answer and hand the message on. Raises Empty where none came."""
        connection = self.client.connection
        try:
            self.taken = self.client.parse_response(connection, "BLMOVE", **options)
        except self.connection_errors:
            connection.disconnect()  # the next time it connects again
            raise
        finally:
            self._in_poll = None
        if self.taken is None:
            raise Empty
        self.connection._deliver(json.loads(self.taken), self._asked)
        return True


class Transport(redis.Transport):
    """kombu's transport, with leases."""

    Channel = Channel


def hold_by_leases() -> None:
    """Have every connection of this process to Redis queues use leases."""
    # A name of our own in the address would do as well, but TLS and sockets go by kombu's.
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
