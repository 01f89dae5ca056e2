-- Puts a part of a copy beside a state that is to be replaced by it.
--
-- KEYS[8]  staging  hash as `values`, of one owner; expires if it is never finished
-- ARGV[3]  how long it is kept (ms)
-- ARGV[4]  'first' begins anew
-- ARGV[5...] key, "<revision> <json>", ...
-- Result   { 'staged' }

if ARGV[4] == 'first' then redis.call('DEL', KEYS[8]) end
for i = 5, #ARGV, 2 do
  redis.call('HSET', KEYS[8], ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[8], ARGV[3])
return { 'staged' }
