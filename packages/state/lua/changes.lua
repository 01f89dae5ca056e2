-- What has changed below a prefix after a revision.
--
-- ARGV[3]  prefix
-- ARGV[4]  revision
-- Result   { 'changes', revision, mark, ms until the next lease ends (-1: none), lines "<revision> <key> <json>" }
--          | { 'gap', revision, mark, ms }: some of it is no longer known

local next_end = redis.call('ZRANGE', LEASES, 0, 0, 'WITHSCORES')[2]
local wait = next_end and whole(math.max(0, tonumber(next_end) - now)) or '-1'
local lines = since(tonumber(ARGV[4]), revision, ARGV[3])
if not lines then return { 'gap', whole(revision), mark, wait } end
return { 'changes', whole(revision), mark, wait, table.concat(lines, '\n') }
