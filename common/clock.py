"""The clocks that machines share: both are Redis's, since those of machines differ.

The steady one is for leases and for what is due: it moves only forward, and setting a machine's
clock moves it by no more than `MOST_S`. It counts Redis's time from one question to the next, and
of a long step that much alone. While nobody asks, for Redis is away or nothing runs, it stands
still, so nobody is late for what nobody could have done; workers that live ask every few seconds.
It starts as Unix time and falls behind with each pause, so it is shown to nobody.
"""

from __future__ import annotations

from common.redis import Client, translated

MOST_S = 6.0
"""Longest step between two questions that counts: each lease is longer, each beat is shorter."""
_KEY = "needle:clock"

STEADY = f"""
local function steady()
  local clock = redis.call('TIME')
  local told = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
  local last = redis.call('HMGET', '{_KEY}', 'told', 'now')
  local step = told - tonumber(last[1] or told)
  local now = tonumber(last[2] or told) + math.min(math.max(step, 0), {MOST_S})
  local form = '%.6f'
  redis.call('HSET', '{_KEY}', 'told', form:format(told), 'now', form:format(now))
  return now
end
"""
"""Lua: a function that returns the steady time in seconds."""
UNIX = """
local function unix()
  local clock = redis.call('TIME')
  return tonumber(clock[1]) + tonumber(clock[2]) / 1000000
end
"""
"""Lua: a function that returns Unix time, by which Redis lets its keys expire."""
_ASK = f"{STEADY} return string.format('%.6f', steady())"


def steady_s(redis: Client) -> float:
    """Return the steady time, in seconds. Raises BrokerUnavailable."""
    with translated():
        return float(redis.eval(_ASK, 0))


def unix_s(redis: Client) -> float:
    """Return Unix time by Redis's clock, in seconds. Raises BrokerUnavailable."""
    with translated():
        return seconds(redis.time())


def seconds(answer: tuple[int, int]) -> float:
    """Return the seconds that Redis's TIME tells, in a pipeline too."""
    return answer[0] + answer[1] / 1e6
