"""The Lua scripts behind Catalogue. Each runs atomically inside Redis.

KEYS: 1 a collection's records, 2 its listing, 3 how many regions it has, 4 who claims images that
are not indexed yet, 5 the paths of each image, a line each. The count is made when it is first
read, and kept from then on.
"""

from __future__ import annotations

_COUNT = """
local function regions(text) return text and cjson.decode(text).regions or 0 end
local function add(number)
  if number ~= 0 and redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('INCRBY', KEYS[3], number)
  end
end
"""

# ARGV: for each image: id, record, time. Only known images are listed.
MARK_INDEXED = (
    _COUNT
    + """
local kept, more = {}, 0
for i = 1, #ARGV, 3 do
  local old = redis.call('HGET', KEYS[1], ARGV[i])
  if old then
    more = more + regions(ARGV[i + 1]) - regions(old)
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    redis.call('ZADD', KEYS[2], 'NX', ARGV[i + 2], ARGV[i])
    redis.call('HDEL', KEYS[4], ARGV[i])
    kept[#kept + 1] = ARGV[i]
  end
end
add(more)
return kept
"""
)

# ARGV: id
REMOVE = (
    _COUNT
    + """
add(-regions(redis.call('HGET', KEYS[1], ARGV[1])))
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
"""
)

# ARGV: id, record as it was, record. Changed meanwhile, it stays.
REPLACE = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
"""

COUNT_REGIONS = (
    _COUNT
    + """
local known = redis.call('GET', KEYS[3])
if known then return tonumber(known) end
local all = redis.call('HVALS', KEYS[1])
if #all == 0 then return 0 end
local sum = 0
for _, text in ipairs(all) do sum = sum + regions(text) end
redis.call('SET', KEYS[3], sum)
return sum
"""
)

_CLAIMS = """
local function unindexed(text)
  local at = cjson.decode(text).indexed_at
  return at == nil or at == cjson.null
end
"""

# ARGV: job id, then for each image: id, record. A record without claims is of an older version.
CLAIM = (
    _CLAIMS
    + """
local job = ARGV[1] .. ';'
for i = 2, #ARGV, 2 do
  local new = redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) == 1
  if unindexed(redis.call('HGET', KEYS[1], ARGV[i])) then
    local claims = redis.call('HGET', KEYS[4], ARGV[i]) or (new and '' or 'somebody;')
    if not string.find(claims, job, 1, true) then
      redis.call('HSET', KEYS[4], ARGV[i], claims .. job)
    end
  end
end
"""
)

# ARGV: job id, then image ids. Returns the ids of images that nobody claims any more.
RELEASE = (
    _CLAIMS
    + """
local job, gone = ARGV[1] .. ';', {}
for i = 2, #ARGV do
  local text = redis.call('HGET', KEYS[1], ARGV[i])
  local claims = redis.call('HGET', KEYS[4], ARGV[i])
  local from, to
  if claims then from, to = string.find(claims, job, 1, true) end
  if text and from and unindexed(text) then
    claims = string.sub(claims, 1, from - 1) .. string.sub(claims, to + 1)
    if claims == '' then
      redis.call('HDEL', KEYS[1], ARGV[i])
      redis.call('HDEL', KEYS[4], ARGV[i])
      redis.call('HDEL', KEYS[5], ARGV[i])
      gone[#gone + 1] = ARGV[i]
    else
      redis.call('HSET', KEYS[4], ARGV[i], claims)
    end
  end
end
return gone
"""
)

# ARGV: the most bytes of an image's paths, then for each image: id, path. One that is known stays
# where it is, so that the first is the one under which the image was posted first.
NOTE_PATHS = """
for i = 2, #ARGV, 2 do
  local kept = redis.call('HGET', KEYS[5], ARGV[i])
  local line = ARGV[i + 1]
  if not kept then
    redis.call('HSET', KEYS[5], ARGV[i], line)
  elseif not string.find('\\n' .. kept .. '\\n', '\\n' .. line .. '\\n', 1, true)
      and #kept + #line < tonumber(ARGV[1]) then
    redis.call('HSET', KEYS[5], ARGV[i], kept .. '\\n' .. line)
  end
end
"""
