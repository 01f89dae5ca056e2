-- The newest unexpired values of the topics with a prefix.
--
-- KEYS[8]  topics, see publish.lua
-- KEYS[9]  topic-ends
-- ARGV[3]  prefix
-- Result   { 'topics', topic, json, ... }

local TOPICS, ENDS = KEYS[8], KEYS[9]
local prefix = ARGV[3]
local result = { 'topics' }
for _, topic in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '(' .. whole(now), '+inf')) do
  if string.sub(topic, 1, #prefix) == prefix then
    result[#result + 1] = topic
    result[#result + 1] = redis.call('HGET', TOPICS, topic) or 'null'
  end
end
return result
