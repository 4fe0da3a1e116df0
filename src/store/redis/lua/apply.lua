-- Conditions, then operations on records, then the news of them: all of it or nothing.
-- KEYS: the stamp, the stream of changes, then those that conditions and operations name by their place.
-- ARGV: channel, random part of a new stamp, entries kept in the stream, then three counted lists:
--   conditions (command, place, '1' and the answer or '0' and nothing, count and arguments),
--   operations (command, place, count and arguments), changes (kind, name).
-- Answer: {'failed', index from 0} or {'applied', the new stamp or nothing}.
at = 4

-- Each commit looks at the stamp, and so does each look-up: by another form of it a newer layout shuts this one out.
local standing = redis.call('GET', KEYS[1]) or ''
if standing ~= '' and not standing:find('^%d+:%x+$') then
  return { err = 'LAYOUT the records in Redis are those of a newer version, or of another program' }
end

-- Where a command with its arguments stands: key, first and last place in ARGV.
local function next_command()
  local command = { name = next_text(), key = KEYS[next_number()] }
  local count
  if command.name:sub(1, 1) == '?' then
    command.name = command.name:sub(2)
    command.is_some = next_text() == '1'
    command.is = next_text()
  end
  count = next_number()
  command.first, command.last = at, at + count - 1
  at = at + count
  return command
end

local function run(command)
  return redis.call(command.name, command.key, unpack(ARGV, command.first, command.last))
end

for index = 1, next_number() do
  local condition = next_command()
  local answer = run(condition)
  local is_met = answer == false
  if condition.is_some then is_met = answer ~= false and tostring(answer) == condition.is end
  if not is_met then return { 'failed', tostring(index - 1) } end
end

-- A script that fails half-way leaves what it wrote: so a key of another type is found before the first write.
local TYPES = {
  HSET = 'hash', HDEL = 'hash', HINCRBY = 'hash', HSETNX = 'hash',
  ZADD = 'zset', ZREM = 'zset', ZINCRBY = 'zset', ZREMRANGEBYRANK = 'zset', ZREMRANGEBYSCORE = 'zset',
  SADD = 'set', SREM = 'set', INCR = 'string', INCRBY = 'string', SETBIT = 'string', XADD = 'stream',
}

local function has_type(name, key)
  local wanted = TYPES[name]
  if not wanted then return true end
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == wanted
end

local WRONG_TYPE = { err = 'WRONGTYPE a key of records holds another kind of value' }

-- So is a user who may not run all of it. Before Redis 7 a script cannot ask.
local allowed = {}
local function may_run(name, key)
  if redis.acl_check_cmd and not allowed[name] then allowed[name] = redis.acl_check_cmd(name, key) end
  return not redis.acl_check_cmd or allowed[name]
end

local FORBIDDEN = { err = 'NOPERM the user of the store may not run all that a commit needs' }

local ops = {}
for index = 1, next_number() do
  ops[index] = next_command()
  if not has_type(ops[index].name, ops[index].key) then return WRONG_TYPE end
  if not may_run(ops[index].name, ops[index].key) then return FORBIDDEN end
end

local changes = next_number()
local number = 0
if changes > 0 then
  if not has_type('XADD', KEYS[2]) then return WRONG_TYPE end
  if not (may_run('SET', KEYS[1]) and may_run('XADD', KEYS[2]) and may_run('PUBLISH', ARGV[1])) then
    return FORBIDDEN
  end
  number = tonumber(standing:match('^%d+') or 0)
  -- The stream may be ahead where only the stamp was lost.
  local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  if newest then number = math.max(number, tonumber(newest[1]:match('^%d+'))) end
end

for index = 1, #ops do run(ops[index]) end
if changes == 0 then return { 'applied', '' } end

local PER_ENTRY = 1000
local last = at + 2 * changes - 1
local stamp
while at <= last do
  local ending = math.min(at + 2 * PER_ENTRY - 1, last)
  number = number + 1
  stamp = string.format('%.0f:', number) .. ARGV[2]
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], string.format('%.0f-0', number),
    'stamp', stamp, unpack(ARGV, at, ending))
  at = ending + 1
end
redis.call('SET', KEYS[1], stamp)
redis.call('PUBLISH', ARGV[1], stamp)
return { 'applied', stamp }
