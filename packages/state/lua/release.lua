-- Ends a lease now.
--
-- ARGV[3]  lease
-- Result   { 'released' }, also when it was over before

if redis.call('ZSCORE', LEASES, ARGV[3]) then lapse(ARGV[3]) end
return { 'released' }
