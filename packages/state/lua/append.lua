-- Appends to a log and forgets its oldest entries.
--
-- KEYS[8]  log        stream; the ids "<seq>-0" number its entries
-- KEYS[9]  operation  string: this very append was done; kept for a while, as an append whose answer was lost is sent again
-- ARGV[3]  how long to remember the operation (ms)
-- ARGV[4]  entries to keep
-- ARGV[5...] entries, json
-- Result   { 'appended' }

local LOG, OPERATION = KEYS[8], KEYS[9]
if not redis.call('SET', OPERATION, '1', 'PX', ARGV[3], 'NX') then return { 'appended' } end
local newest = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)[1]
local seq = newest and tonumber(string.match(newest[1], '^%d+')) or 0
for i = 5, #ARGV do
  seq = seq + 1
  redis.call('XADD', LOG, 'MAXLEN', ARGV[4], whole(seq) .. '-0', 'entry', ARGV[i])
end
return { 'appended' }
