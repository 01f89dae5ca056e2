-- Tries every kind of write the other scripts make, so that a user without the right to one of them is told now and never in
-- the middle of a commit. Gives an empty state its id, if there is one to give.
--
-- KEYS[8]  probe    scratch key
-- ARGV[3]  format of the data
-- ARGV[4]  id of the cluster if there is none yet, '' to leave an empty state empty
-- Result   { 'open', id, revision, mark, format }; the id is '' when the state is empty and was left so

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
redis.call('HSET', PROBE, 'a', '1')
redis.call('HKEYS', PROBE)
redis.call('PEXPIRE', PROBE, 1000)
redis.call('PERSIST', PROBE)
redis.call('RENAME', PROBE, PROBE)
redis.call('DEL', PROBE)
redis.call('SET', PROBE, '1', 'PX', 1)
redis.call('DEL', PROBE)

if id == '' and ARGV[4] ~= '' then
  -- Something took the moment away and left the rest, such as an eviction: nobody knows what else is gone.
  if redis.call('EXISTS', VALUES, CHANGES, INDEX) > 0 then return { 'foreign', 'empty', '', '0', '' } end
  id, mark = ARGV[4], 'new'
  redis.call('HSET', MOMENT, 'format', ARGV[3], 'id', id, 'revision', 0, 'mark', mark, 'bytes', 0)
end
return { 'open', id, whole(revision), mark, redis.call('HGET', MOMENT, 'format') or '' }
