-- Begins every script: checks whose state this is and ends the leases that are over, by the clock of Redis.
--
-- KEYS[1] moment   hash: format, id (of the cluster), revision, bytes (held by `changes`)
-- KEYS[2] values   hash: key -> "<revision> <json>"
-- KEYS[3] index    sorted set of the keys, all with score 0: finds a prefix
-- KEYS[4] leases   sorted set: lease -> when it ends (ms of Redis's clock)
-- KEYS[5] leased   hash: key -> lease it lives by
-- KEYS[6] changes  stream, one entry per revision with the id "<revision>-0": lines "<key> <json>", deleted without json
-- KEYS[7] wake     stream of one entry, the same ids and no content: what watchers block on
-- KEYS[8...]       of the verb
-- ARGV[1] cluster id the caller knows, '' for none (open only)
-- ARGV[2] revision the caller knows
-- ARGV[3...]       of the verb
-- Result           { 'foreign', id, revision } when this is not the state the caller knows; nothing is changed then
--
-- Redis does not undo a script that fails in the middle. It refuses (OOM, READONLY, MISCONF, NOREPLICAS) only the first
-- write, so the first write of every script is one that can be refused. The exception is a lapse: it frees memory, and its
-- first write is allowed without any.

local MOMENT, VALUES, INDEX, LEASES, LEASED, CHANGES, WAKE = unpack(KEYS, 1, 7)
local CHANGES_KEPT = @changesKept@
local CHANGES_KEPT_BYTES = @changesKeptBytes@
local LAPSES_AT_ONCE = 100

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function fetch_moment()
  local found = redis.call('HMGET', MOMENT, 'id', 'revision')
  return found[1] or '', tonumber(found[2] or '0')
end

-- Lua would write large numbers as 1e+15.
local function whole(number)
  return string.format('%.0f', number)
end

local function record(number, lines)
  local text = table.concat(lines, '\n')
  redis.call('XADD', CHANGES, whole(number) .. '-0', 'lines', text)
  local bytes = redis.call('HINCRBY', MOMENT, 'bytes', #text)
  local length = redis.call('XLEN', CHANGES)
  while length > 1 and (length > CHANGES_KEPT or bytes > CHANGES_KEPT_BYTES) do
    local oldest = redis.call('XRANGE', CHANGES, '-', '+', 'COUNT', 1)[1]
    redis.call('XDEL', CHANGES, oldest[1])
    bytes = redis.call('HINCRBY', MOMENT, 'bytes', -#oldest[2][2])
    length = length - 1
  end
  redis.call('XADD', WAKE, 'MAXLEN', 1, whole(number) .. '-0', 'revision', whole(number))
end

local function lapse(lease)
  redis.call('ZREM', LEASES, lease)
  local held = redis.call('HGETALL', LEASED)
  local lines = {}
  for i = 1, #held, 2 do
    if held[i + 1] == lease then
      redis.call('HDEL', LEASED, held[i])
      redis.call('HDEL', VALUES, held[i])
      redis.call('ZREM', INDEX, held[i])
      lines[#lines + 1] = held[i] .. ' '
    end
  end
  table.sort(lines)
  local number = redis.call('HINCRBY', MOMENT, 'revision', 1)
  record(number, lines)
  return number
end

-- Lines "<revision> <key> <json>" of what changed below a prefix after a revision; nil where the stream no longer has it.
local function since(from, revision, prefix)
  local lines = {}
  if from == revision then return lines end
  local first = redis.call('XRANGE', CHANGES, '-', '+', 'COUNT', 1)[1]
  if from > revision or not first or tonumber(string.match(first[1], '^%d+')) > from + 1 then return nil end
  for _, entry in ipairs(redis.call('XRANGE', CHANGES, whole(from + 1) .. '-0', '+')) do
    local number = string.match(entry[1], '^%d+')
    for line in string.gmatch(entry[2][2], '[^\n]+') do
      if string.sub(line, 1, #prefix) == prefix then lines[#lines + 1] = number .. ' ' .. line end
    end
  end
  return lines
end

local id, revision = fetch_moment()
if ARGV[1] ~= '' and (id ~= ARGV[1] or revision < tonumber(ARGV[2])) then
  return { 'foreign', id, whole(revision) }
end
for _, lease in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', whole(now), 'LIMIT', 0, LAPSES_AT_ONCE)) do
  revision = lapse(lease)
end
