-- Tries every kind of write the other scripts make, so that a user without the right to one of them is told now and never in
-- the middle of a commit. Gives an empty state its id.
--
-- KEYS[8]  probe    scratch key
-- ARGV[3]  format of the data
-- ARGV[4]  id of the cluster if there is none yet
-- Result   { 'open', id, revision, format } or { 'foreign', id, revision }

local PROBE = KEYS[8]
redis.call('DEL', PROBE)
redis.call('HSET', PROBE, 'a', '1')
redis.call('HGET', PROBE, 'a')
redis.call('HLEN', PROBE)
redis.call('HDEL', PROBE, 'a')
redis.call('HINCRBY', PROBE, 'a', 1)
redis.call('DEL', PROBE)
redis.call('ZADD', PROBE, 1, 'a')
redis.call('ZSCORE', PROBE, 'a')
redis.call('ZRANGEBYLEX', PROBE, '-', '+')
redis.call('ZREM', PROBE, 'a')
redis.call('DEL', PROBE)
redis.call('XADD', PROBE, 'MAXLEN', 1, '1-0', 'a', '1')
redis.call('XREVRANGE', PROBE, '+', '-', 'COUNT', 1)
redis.call('XDEL', PROBE, '1-0')
redis.call('DEL', PROBE)
redis.call('SET', PROBE, '1', 'PX', 1)
redis.call('DEL', PROBE)

if id == '' then
  -- Something took the moment away and left the rest, such as an eviction: nobody knows what else is gone.
  if redis.call('EXISTS', VALUES, CHANGES, INDEX) > 0 then return { 'foreign', '', '0' } end
  redis.call('HSET', MOMENT, 'format', ARGV[3], 'id', ARGV[4], 'revision', 0, 'bytes', 0)
  id = ARGV[4]
end
return { 'open', id, whole(revision), redis.call('HGET', MOMENT, 'format') or '' }
