-- Writes uses of keys and events that no change caused, unless this batch was written, or given up, before.
-- KEYS: the writer's last batch, keys by their oldest hour, keys by last use, events, events by time, told events,
--   names of events, blocks by their least last use, then those that uses and events name by their place.
-- ARGV: number of the batch, ms that a writer is remembered, how many uses and events there are, then
--   uses (key id, places of its usage and of the key, last use or 0, oldest hour, counts, and of each: field, hour, count),
--   events (id, score, name, JSON, how many indexes, their places).
-- Answer: `written` and how many told events there are, then why a use or an event could not be written; or `before`.
at = 5

if tonumber(redis.call('GET', KEYS[1]) or 0) >= tonumber(ARGV[1]) then return { 'before' } end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])

-- A key that is not there, as one that only a policy declares, gets no last use.
local function write_last(key, id, last)
  if last == '0' or redis.call('EXISTS', key) == 0 then return end
  local used = redis.call('HGET', key, 'u')
  if used and tonumber(used) >= tonumber(last) then return end
  redis.call('HSET', key, 'u', last)
  redis.call('ZADD', KEYS[3], last, id)
  -- The first use may be older than the key, by the clock of another machine; each later one is newer.
  if not used then redis.call('ZADD', KEYS[8], 'LT', last, block_of(redis.call('HGET', key, 'a'))) end
end

local function write_use(use)
  for _, count in ipairs(use.counts) do add_count(use.usage, count.field, count.hour, count.count) end
  if #use.counts > 0 then redis.call('ZADD', KEYS[2], 'LT', use.oldest, use.id) end
  write_last(use.key, use.id, use.last)
end

local function next_use()
  local use = { id = next_text(), usage = KEYS[next_number()], key = KEYS[next_number()] }
  use.last, use.oldest, use.counts = next_text(), next_text(), {}
  for index = 1, next_number() do
    use.counts[index] = { field = next_text(), hour = next_number(), count = next_number() }
  end
  return use
end

-- One that is kept already stays as it is.
local function write_event(event)
  if redis.call('HSETNX', KEYS[4], event.id, event.json) == 0 then return end
  redis.call('ZADD', KEYS[5], event.score, event.id)
  redis.call('ZADD', KEYS[6], event.score, event.id)
  redis.call('ZADD', KEYS[7], 0, event.name)
  for _, index in ipairs(event.indexes) do redis.call('ZADD', index, event.score, event.id) end
end

local function next_event()
  local event = { id = next_text(), score = next_text(), name = next_text(), json = next_text(), indexes = {} }
  for index = 1, next_number() do event.indexes[index] = KEYS[next_number()] end
  return event
end

-- What cannot be written, as where a key of Redis has another type, must not hold up the rest for ever.
local problems = {}
local function try(write, item)
  local ok, problem = pcall(write, item)
  if not ok then problems[#problems + 1] = type(problem) == 'table' and problem.err or tostring(problem) end
end

for _ = 1, tonumber(ARGV[3]) do try(write_use, next_use()) end
for _ = 1, tonumber(ARGV[4]) do try(write_event, next_event()) end
return { 'written', tostring(redis.call('ZCARD', KEYS[6])), unpack(problems, 1, math.min(#problems, 10)) }
