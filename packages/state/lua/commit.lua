-- Writes all keys or none.
--
-- KEYS[8]  operation  string: revision and mark this very commit was given, kept for a while; a commit whose answer was lost is sent again
-- ARGV[3]  how long to remember the operation (ms)
-- ARGV[4]  number of expectations, then for each: key, revision (0: absent)
-- ARGV[..] number of writes, then for each: key, lease ('' for none), json ('' deletes)
-- Result   { 'committed', revision, mark } | { 'conflict', key }

local OPERATION = KEYS[8]
local done = redis.call('GET', OPERATION)
if done then return { 'committed', string.match(done, '%d+'), string.match(done, ' (.*)') or '' } end

local at = 5
for _ = 1, tonumber(ARGV[4]) do
  local held = redis.call('HGET', VALUES, ARGV[at])
  local found = held and string.match(held, '^%d+') or '0'
  if found ~= ARGV[at + 1] then return { 'conflict', ARGV[at] } end
  at = at + 2
end

local writes = tonumber(ARGV[at])
local first = at + 1
local last = at + writes * 3
local live = {}
for i = first, last, 3 do
  local lease = ARGV[i + 1]
  if lease ~= '' then
    if live[lease] == nil then live[lease] = redis.call('ZSCORE', LEASES, lease) end
    if not live[lease] then return { 'conflict', ARGV[i] } end
  end
end

local number = redis.call('HINCRBY', MOMENT, 'revision', 1)
local stamp = whole(number) .. ' '
local any_leased = redis.call('HLEN', LEASED) > 0
local lines = {}
for i = first, last, 3 do
  local key, lease, json = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if json == '' then
    if redis.call('HDEL', VALUES, key) == 1 then redis.call('ZREM', INDEX, key) end
  elseif redis.call('HSET', VALUES, key, stamp .. json) == 1 then
    redis.call('ZADD', INDEX, 0, key)
  end
  if lease ~= '' then
    redis.call('HSET', LEASED, key, lease)
  elseif any_leased then
    redis.call('HDEL', LEASED, key)
  end
  lines[#lines + 1] = key .. ' ' .. json
end
record(number, lines)
redis.call('SET', OPERATION, stamp .. mark, 'PX', ARGV[3])
return { 'committed', whole(number), mark }
