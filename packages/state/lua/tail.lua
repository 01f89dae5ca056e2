-- The newest entries of a log.
--
-- KEYS[8]  log, see append.lua
-- ARGV[3]  only entries after this seq
-- ARGV[4]  at most so many
-- Result   { 'entries', newest seq, newest json, ... }

local result = { 'entries' }
local start = whole(tonumber(ARGV[3]) + 1) .. '-0'
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[8], '+', start, 'COUNT', ARGV[4])) do
  result[#result + 1] = string.match(entry[1], '^%d+')
  result[#result + 1] = entry[2][2]
end
return result
