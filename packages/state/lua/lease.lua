-- Begins a lease. Sent again with the same id it begins the same one.
--
-- ARGV[3]  lease
-- ARGV[4]  time to live (ms)
-- Result   { 'leased' }

redis.call('ZADD', LEASES, whole(now + tonumber(ARGV[4])), ARGV[3])
return { 'leased' }
