-- Extends a lease that is not yet over.
--
-- ARGV[3]  lease
-- ARGV[4]  time to live (ms)
-- Result   { 'kept' } | { 'over' }

-- Removed first: a Redis that is out of memory refuses ZADD, but not after a write that frees some. Leases must not end because
-- memory did.
if redis.call('ZREM', LEASES, ARGV[3]) == 0 then return { 'over' } end
redis.call('ZADD', LEASES, whole(now + tonumber(ARGV[4])), ARGV[3])
return { 'kept' }
