-- All entries below a prefix, or what has changed since an earlier view of it.
--
-- ARGV[3]  prefix
-- ARGV[4]  revision of the earlier view, -1 for none
-- Result   { 'same', revision } | { 'changes', revision, lines "<revision> <key> <json>" }
--          | { 'all', revision, lines "<revision> <json>", keys }: two texts, a line per entry in both

local CHUNK = 1000 -- unpack() has room for about 8000 values
local prefix, from = ARGV[3], tonumber(ARGV[4])

if from == revision then return { 'same', whole(revision) } end
if from >= 0 then
  local lines = since(from, revision, prefix)
  if lines then return { 'changes', whole(revision), table.concat(lines, '\n') } end
end

local keys, texts = {}, {}
if prefix == '' then
  local all = redis.call('HGETALL', VALUES)
  for i = 1, #all, 2 do
    keys[#keys + 1] = all[i]
    texts[#texts + 1] = all[i + 1]
  end
else
  -- Keys are ASCII, so every key with the prefix sorts before the prefix followed by the highest byte.
  keys = redis.call('ZRANGEBYLEX', INDEX, '[' .. prefix, '[' .. prefix .. '\255')
  for i = 1, #keys, CHUNK do
    for _, text in ipairs(redis.call('HMGET', VALUES, unpack(keys, i, math.min(i + CHUNK - 1, #keys)))) do
      texts[#texts + 1] = text
    end
  end
end
return { 'all', whole(revision), table.concat(texts, '\n'), table.concat(keys, '\n') }
