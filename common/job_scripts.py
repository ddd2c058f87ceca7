"""The Lua scripts behind JobStore. Each runs atomically inside Redis.

KEYS: 1 the job's hash, 2 its items' hash, 3 the list that wakes waiters when the job ends,
4 the sorted set of ended jobs by the time at which they fade, 5 that of jobs whose webhooks are to
be called, by when. Jobs show Unix time and fade by it, as Redis's keys do; webhooks are due by the
steady clock.
"""

from __future__ import annotations

from common.clock import STEADY, UNIX
from common.job_keys import RECORDS

_FINISH = (
    f"""{STEADY}{UNIX}
local records = '{RECORDS}'
"""
    + """
local function finish(status, ttl)
  local now = unix()
  redis.call('HSET', KEYS[1], 'status', status, 'finished_at', now)
  redis.call('RPUSH', KEYS[3], status)
  for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ttl) end
  local id = string.sub(KEYS[1], #records + 1)
  redis.call('ZADD', KEYS[4], now + ttl, id)
  if redis.call('HEXISTS', KEYS[1], 'webhook') == 1 then
    redis.call('ZADD', KEYS[5], steady(), id)
  end
end
local function open()
  local status = redis.call('HGET', KEYS[1], 'status')
  return status == 'queued' or status == 'started'
end
"""
)

START = f"""{UNIX}
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'queued' then
  redis.call('HSET', KEYS[1], 'status', 'started', 'started_at', unix())
  return 1
end
return status == 'started' and 1 or 0
"""

# ARGV: done, total
MEASURE = (
    _FINISH
    + """
if not open() then return 0 end
redis.call('HSET', KEYS[1], 'done', ARGV[1], 'total', ARGV[2])
return 1
"""
)

# ARGV: ttl, then for each item: index, status, JSON
FINISH_ITEMS = (
    _FINISH
    + """
if not open() then return redis.call('HGET', KEYS[1], 'status') end
local counted = {done = 0, failed = 0}
for i = 2, #ARGV, 3 do
  local was = redis.call('HGET', KEYS[2], ARGV[i])
  if was and cjson.decode(was).status == 'queued' then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
    local kind = ARGV[i + 1] == 'failed' and 'failed' or 'done'
    counted[kind] = counted[kind] + 1
  end
end
local done = redis.call('HINCRBY', KEYS[1], 'done', counted.done)
local failed = redis.call('HINCRBY', KEYS[1], 'failed', counted.failed)
local total = tonumber(redis.call('HGET', KEYS[1], 'total'))
if done + failed >= total then
  local status = 'succeeded'
  if failed > 0 then status = done > 0 and 'partial' or 'failed' end
  finish(status, ARGV[1])
end
return redis.call('HGET', KEYS[1], 'status')
"""
)

# ARGV: index, JSON. Returns whether the job is open.
NOTE_ITEM = (
    _FINISH
    + """
if not open() then return 0 end
local was = redis.call('HGET', KEYS[2], ARGV[1])
if was and cjson.decode(was).status == 'queued' then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
end
return 1
"""
)

# ARGV: status, field, JSON, ttl. Returns the kind of the job that it ended, else nothing.
END = (
    _FINISH
    + """
if not open() then return false end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
if ARGV[1] == 'succeeded' then
  redis.call('HSET', KEYS[1], 'done', redis.call('HGET', KEYS[1], 'total'))
end
finish(ARGV[1], ARGV[4])
return redis.call('HGET', KEYS[1], 'kind')
"""
)
