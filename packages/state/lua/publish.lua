-- Sets the newest value of topics until it expires.
--
-- KEYS[8]  topics      hash: topic -> json
-- KEYS[9]  topic-ends  sorted set: topic -> when it expires (ms of Redis's clock)
-- ARGV[3]  time to live (ms)
-- ARGV[4...] topic, json, ...
-- Result   { 'published' }

local TOPICS, ENDS = KEYS[8], KEYS[9]
local ends = whole(now + tonumber(ARGV[3]))
for i = 4, #ARGV, 2 do
  redis.call('HSET', TOPICS, ARGV[i], ARGV[i + 1])
  redis.call('ZADD', ENDS, ends, ARGV[i])
end
for _, topic in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', whole(now))) do
  redis.call('ZREM', ENDS, topic)
  redis.call('HDEL', TOPICS, topic)
end
return { 'published' }
