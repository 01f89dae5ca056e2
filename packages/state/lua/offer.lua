-- Looks at a state that is not the known one, and offers a copy of the known one while it is empty or went back.
--
-- KEYS[8]  offers   hash: owner -> "<revision of its copy> <when the offer ends (ms)>"
-- ARGV[3]  cluster id the caller knows
-- ARGV[4]  revision and mark the caller knows
-- ARGV[5]  owner of the copy
-- ARGV[6]  revision of its copy, -1 to offer none
-- ARGV[7]  how long the offer lasts (ms)
-- Result   { kind as of moment.lua or 'known', id, revision, mark, owner, revision of its copy, ... }; owners whose offer lasts

local OFFERS = KEYS[8]
local kind = kind_for(ARGV[3], ARGV[4])
if ARGV[6] ~= '-1' and (kind == 'empty' or kind == 'behind') then
  redis.call('HSET', OFFERS, ARGV[5], ARGV[6] .. ' ' .. whole(now + tonumber(ARGV[7])))
  redis.call('PEXPIRE', OFFERS, ARGV[7])
end
local result = { kind, id, whole(revision), mark }
local offers = redis.call('HGETALL', OFFERS)
for i = 1, #offers, 2 do
  local offered, ends = string.match(offers[i + 1], '^(%d+) (%d+)$')
  if tonumber(ends) > now then
    result[#result + 1] = offers[i]
    result[#result + 1] = offered
  end
end
return result
