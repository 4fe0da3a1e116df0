-- Events below a place that stand in one index of each group, the newest first. An index holds ids by time, and an
-- event stands in one index of a group at most. The smallest group is walked, of the others membership is asked.
-- KEYS: the events, then the indexes, group after group.
-- ARGV: score and id of the place, least score, events wanted, look-ups that one run may make, indexes in each group.
-- Answer: score and id to go on below (empty at the end), then score, id and JSON of each event.
local CHUNK = 64
local from = tonumber(ARGV[3])
local wanted, budget = tonumber(ARGV[4]), tonumber(ARGV[5])

local function count_of(group)
  local count = 0
  for _, key in ipairs(group) do count = count + redis.call('ZCOUNT', key, ARGV[3], ARGV[1]) end
  return count
end

local groups, smallest, least = {}, 1, math.huge
local next_key = 2
for at = 6, #ARGV do
  local group = {}
  for _ = 1, tonumber(ARGV[at]) do
    group[#group + 1] = KEYS[next_key]
    next_key = next_key + 1
  end
  groups[#groups + 1] = group
  local count = count_of(group)
  if count < least then smallest, least = #groups, count end
end
if least == 0 then return { '', '' } end

local cursors = {}
for _, key in ipairs(groups[smallest]) do
  cursors[#cursors + 1] = { key = key, rank = count_before(key, ARGV[1], ARGV[2]) - 1, found = {}, at = -1 }
end

-- Whether a cursor has an event at hand; its index is read from high to low.
local function is_open(cursor)
  if cursor.at < 1 and cursor.rank >= 0 then
    local first = math.max(0, cursor.rank - CHUNK + 1)
    cursor.found = redis.call('ZRANGE', cursor.key, first, cursor.rank, 'WITHSCORES')
    cursor.rank = first - 1
    cursor.at = #cursor.found - 1
  end
  if cursor.at < 1 then return false end
  cursor.id, cursor.score = cursor.found[cursor.at], cursor.found[cursor.at + 1]
  cursor.time = tonumber(cursor.score)
  return cursor.time >= from
end

local function newest()
  local best
  for at = #cursors, 1, -1 do
    local cursor = cursors[at]
    if not is_open(cursor) then
      table.remove(cursors, at)
    elseif not best or cursor.time > best.time or (cursor.time == best.time and is_before(best.id, cursor.id)) then
      best = cursor
    end
  end
  return best
end

local function is_in(group, id)
  for _, key in ipairs(group) do
    budget = budget - 1
    if redis.call('ZSCORE', key, id) then return true end
  end
  return false
end

local function is_in_all(id)
  for at, group in ipairs(groups) do
    if at ~= smallest and not is_in(group, id) then return false end
  end
  return true
end

local scores, ids = {}, {}
local last = { score = '', id = '' }
while #ids < wanted and budget > 0 do
  local cursor = newest()
  if not cursor then
    last = { score = '', id = '' }
    break
  end
  budget = budget - 1 - #cursors / 8
  cursor.at = cursor.at - 2
  last = { score = cursor.score, id = cursor.id }
  if is_in_all(cursor.id) then
    scores[#scores + 1] = cursor.score
    ids[#ids + 1] = cursor.id
  end
end

local answer = { last.score, last.id }
if #ids == 0 then return answer end
for at, json in ipairs(redis.call('HMGET', KEYS[1], unpack(ids))) do
  answer[#answer + 1] = scores[at]
  answer[#answer + 1] = ids[at]
  answer[#answer + 1] = json or ''
end
return answer
