-- What was committed since a stamp, read in one step with the stamp that stands now.
-- KEYS: the stamp, the stream of changes, the instances.
-- ARGV: the stamp seen last, the entry to read from (empty: none), this instance (empty: not told now), for how long
--   an instance counts as alive (ms).
-- Answer: the stamp, how many instances are alive or nothing, entries or nothing where they cannot be read.
local ENTRIES_AT_ONCE = 16
local FIELDS_MAX = 4000

local refused = refusal(KEYS[1])
if refused then return refused end
local stamp = redis.call('GET', KEYS[1]) or ''

-- A Redis that takes no writes now, as one without memory, still tells what changed.
local function count_instances(instance, alive_ms)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  redis.pcall('ZADD', KEYS[3], string.format('%.0f', now), instance)
  redis.pcall('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now - alive_ms))
  redis.pcall('PEXPIRE', KEYS[3], string.format('%.0f', 2 * alive_ms))
  local counted = redis.pcall('ZCARD', KEYS[3])
  return type(counted) == 'number' and string.format('%.0f', counted)
end

local function read_entries(first)
  local entries, fields, from = {}, 0, first
  repeat
    local some = redis.pcall('XRANGE', KEYS[2], from, '+', 'COUNT', ENTRIES_AT_ONCE)
    if some.err then return false end
    for _, entry in ipairs(some) do
      entries[#entries + 1] = entry
      fields = fields + #entry[2]
    end
    if #some > 0 then from = '(' .. some[#some][1] end
  until #some < ENTRIES_AT_ONCE or fields >= FIELDS_MAX
  return entries
end

local alive = false
if ARGV[3] ~= '' then alive = count_instances(ARGV[3], tonumber(ARGV[4])) end
local entries = {}
if stamp ~= ARGV[1] and ARGV[2] ~= '' then entries = read_entries(ARGV[2]) end
return { stamp, alive, entries }
