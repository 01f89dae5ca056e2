-- What a copy of the state has to take over to be as this moment is. Keys under a lease are none of it: they end with who holds
-- them.
--
-- ARGV[3]  revision of the copy, -1 for none
-- ARGV[4]  'moment' for the moment alone: the caller takes all values in the same transaction
-- Result   { 'changes', revision, mark, lines "<revision> <key> <json>", leased key, ... }
--          | { 'all', revision, mark, '', leased key, ... }: all values are needed

local lines = ARGV[4] ~= 'moment' and tonumber(ARGV[3]) >= 0 and since(tonumber(ARGV[3]), revision, '')
local result = { lines and 'changes' or 'all', whole(revision), mark, lines and table.concat(lines, '\n') or '' }
for _, key in ipairs(redis.call('HKEYS', LEASED)) do
  result[#result + 1] = key
end
return result
