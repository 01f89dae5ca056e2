-- Begins every script: checks whose state this is and ends the leases that are over, by the clock of Redis.
--
-- KEYS[1] moment   hash: format, id (of the cluster), revision, mark (of that revision), bytes (held by `changes`)
-- KEYS[2] values   hash: key -> "<revision> <json>"
-- KEYS[3] index    sorted set of the keys, all with score 0: finds a prefix
-- KEYS[4] leases   sorted set: lease -> when it ends (ms of Redis's clock)
-- KEYS[5] leased   hash: key -> lease it lives by
-- KEYS[6] changes  stream, one entry per revision with the id "<revision>-0": lines "<key> <json>", deleted without json; mark
-- KEYS[7] wake     stream of one entry, the same ids and no content: what watchers block on
-- KEYS[8...]       of the verb
-- ARGV[1] cluster id the caller knows, '' for none
-- ARGV[2] revision the caller knows, and after a space its mark if that is known, too
-- ARGV[3...]       of the verb
-- Result           { 'foreign', kind, id, revision, mark } when this is not the state the caller knows; nothing is changed then.
--                  kind is 'empty', 'behind' (the same cluster at an earlier revision), 'split' (the same cluster, but what the
--                  caller knows never happened there) or 'other' (another cluster)
--
-- A mark tells two revisions of the same number apart: a master that lost writes gives their numbers to others. It is made of
-- the mark before it, the clock and the size of what was written, so two histories never agree again once they have parted.
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
  local found = redis.call('HMGET', MOMENT, 'id', 'revision', 'mark')
  return found[1] or '', tonumber(found[2] or '0'), found[3] or ''
end

-- Lua would write large numbers as 1e+15.
local function whole(number)
  return string.format('%.0f', number)
end

local id, revision, mark = fetch_moment()

local function record(number, lines)
  local text = table.concat(lines, '\n')
  mark = string.sub(redis.sha1hex(mark .. ' ' .. clock[1] .. ' ' .. clock[2] .. ' ' .. #text), 1, 16)
  redis.call('XADD', CHANGES, whole(number) .. '-0', 'lines', text, 'mark', mark)
  redis.call('HSET', MOMENT, 'mark', mark)
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

-- What this state is to somebody who knows that one; 'known' when it is the same one or a later moment of it.
local function kind_for(known_id, known)
  local number, known_mark = string.match(known, '^(%d+) ?(.*)$')
  number = tonumber(number)
  if id == '' then return 'empty' end
  if id ~= known_id then return 'other' end
  if revision < number then return 'behind' end
  if known_mark == '' then return 'known' end
  local found = mark
  if number < revision then
    local entry = redis.call('XRANGE', CHANGES, whole(number) .. '-0', whole(number) .. '-0')[1]
    -- No longer kept: it is too long ago to tell, or the state was restored since.
    found = entry and entry[2][4] or known_mark
  end
  return found == known_mark and 'known' or 'split'
end

if ARGV[1] ~= '' then
  local kind = kind_for(ARGV[1], ARGV[2])
  if kind ~= 'known' then return { 'foreign', kind, id, whole(revision), mark } end
  for _, lease in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', whole(now), 'LIMIT', 0, LAPSES_AT_ONCE)) do
    revision = lapse(lease)
  end
end
