-- Makes the staged copy the state, or declares the state as it is to be the one that goes on, if it still is as it was found and
-- nobody offers more. Sent again it finds its own work done.
--
-- KEYS[8]  staging  hash as `values`; absent when the copy holds no keys
-- KEYS[9]  offers, see offer.lua
-- ARGV[3]  format of the data
-- ARGV[4]  cluster id of the copy
-- ARGV[5]  revision it becomes
-- ARGV[6]  mark of that revision
-- ARGV[7]  number of its keys; -1 keeps the keys and leases that are there
-- ARGV[8]  cluster id found, '' when empty
-- ARGV[9]  revision found
-- ARGV[10] mark found
-- ARGV[11] owner of the copy
-- ARGV[12] revision of the copy, or the one found if that is kept
-- Result   { 'restored' } | { 'moved' }: it is another one by now, more is offered, or the staged copy is not whole

local STAGING, OFFERS = KEYS[8], KEYS[9]
if id == ARGV[4] and whole(revision) == ARGV[5] and mark == ARGV[6] then return { 'restored' } end
if id ~= ARGV[8] or whole(revision) ~= ARGV[9] or mark ~= ARGV[10] then return { 'moved' } end
local is_kept = ARGV[7] == '-1'
if not is_kept and redis.call('HLEN', STAGING) ~= tonumber(ARGV[7]) then return { 'moved' } end
local offers = redis.call('HGETALL', OFFERS)
for i = 1, #offers, 2 do
  local offered, ends = string.match(offers[i + 1], '^(%d+) (%d+)$')
  local difference = tonumber(offered) - tonumber(ARGV[12])
  local is_better = difference > 0 or difference == 0 and offers[i] < ARGV[11]
  if is_better and tonumber(ends) > now then return { 'moved' } end
end

local CHUNK = 1000 -- unpack() has room for about 8000 values
-- The first write is one that can be refused, see moment.lua.
redis.call('HSET', MOMENT, 'format', ARGV[3], 'id', ARGV[4], 'revision', ARGV[5], 'mark', ARGV[6], 'bytes', 0)
redis.call('DEL', CHANGES, WAKE, OFFERS)
redis.call('XADD', WAKE, 'MAXLEN', 1, ARGV[5] .. '-0', 'revision', ARGV[5])
if is_kept then return { 'restored' } end
redis.call('DEL', VALUES, INDEX, LEASES, LEASED)
if tonumber(ARGV[7]) > 0 then
  redis.call('RENAME', STAGING, VALUES)
  redis.call('PERSIST', VALUES)
end
local members = {}
for _, key in ipairs(redis.call('HKEYS', VALUES)) do
  members[#members + 1] = '0'
  members[#members + 1] = key
  if #members >= CHUNK then
    redis.call('ZADD', INDEX, unpack(members))
    members = {}
  end
end
if #members > 0 then redis.call('ZADD', INDEX, unpack(members)) end
return { 'restored' }
