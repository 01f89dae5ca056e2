-- All entries below a prefix, or what has changed since an earlier view of it.
--
-- ARGV[3]  prefix
-- ARGV[4]  revision of the earlier view, -1 for none
-- ARGV[5]  'moment' for the moment alone: the caller takes all values in the same transaction
-- Result   { 'same', revision, mark } | { 'changes', revision, mark, lines "<revision> <key> <json>" }
--          | { 'all', revision, mark, key, "<revision> <json>", ... } | { 'large', revision, mark } | { 'moment', revision, mark }

-- Values that pass through Lua cost several times as much as a plain HGETALL, and Redis serves nobody else meanwhile: a read of
-- many is worth a second round trip, unless HGETALL would mostly send other keys.
local LARGE = 1000
local LARGE_PART = 1 / 4
local CHUNK = 1000 -- unpack() has room for about 8000 values
local prefix, from = ARGV[3], tonumber(ARGV[4])

if ARGV[5] == 'moment' then return { 'moment', whole(revision), mark } end
if from == revision then return { 'same', whole(revision), mark } end
if from >= 0 then
  local lines = since(from, revision, prefix)
  if lines then return { 'changes', whole(revision), mark, table.concat(lines, '\n') } end
end

-- Keys are ASCII, so every key with the prefix sorts before the prefix followed by the highest byte.
local first, last = '[' .. prefix, '[' .. prefix .. '\255'
local count = redis.call('ZLEXCOUNT', INDEX, first, last)
if count > LARGE and count > redis.call('ZCARD', INDEX) * LARGE_PART then return { 'large', whole(revision), mark } end
local keys = redis.call('ZRANGEBYLEX', INDEX, first, last)
local result = { 'all', whole(revision), mark }
for at = 1, #keys, CHUNK do
  for i, value in ipairs(redis.call('HMGET', VALUES, unpack(keys, at, math.min(at + CHUNK - 1, #keys)))) do
    result[#result + 1] = keys[at + i - 1]
    result[#result + 1] = value
  end
end
return result
