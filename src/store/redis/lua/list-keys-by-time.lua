-- A slice of the keys whose time is before a bound, the newest first: only blocks that may hold one are looked at.
-- KEYS: all keys by arrival, keys by a time, blocks by their least time, then those that arguments name by their place.
-- ARGV: the arrival below which it begins (or inf), how many are wanted, how many may be looked at, the end of the times
--   (as ZCOUNT has it), then checks as in list-keys.
-- Answer: as in list-keys.
local refused = refusal(KEYS[1])
if refused then return refused end

at = 5
local below, wanted, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local is_open = ARGV[4]:sub(1, 1) == '('
local bound = tonumber(is_open and ARGV[4]:sub(2) or ARGV[4])

local function blocks_below()
  local blocks = {}
  for _, text in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[4])) do
    local block = tonumber(text)
    if block * BLOCK < below then blocks[#blocks + 1] = block end
  end
  table.sort(blocks, function(one, other) return one > other end)
  return blocks
end

-- Times move on, so a block may hold less than it did: what is known of it is set right, where Redis takes writes.
local function set_least(block, least)
  if least then
    redis.pcall('ZADD', KEYS[3], least, digits(block))
  else
    redis.pcall('ZREM', KEYS[3], digits(block))
  end
end

local function keys_of(block)
  local first, ending = block * BLOCK, (block + 1) * BLOCK
  local found = redis.call('ZREVRANGEBYSCORE', KEYS[1], '(' .. digits(math.min(ending, below)), digits(first), 'WITHSCORES')
  local items = {}
  for index = 1, #found, 2 do
    items[#items + 1] = { id = found[index], arrival = tonumber(found[index + 1]) }
  end
  if #items == 0 then
    if below >= ending then set_least(block) end
    return items, 0
  end
  local scores = scores_of(KEYS[2], items)
  local least
  local kept = kept_of(items, function(index)
    local score = tonumber(scores[index] or nil)
    if not score then return false end
    least = math.min(least or score, score)
    return score < bound or (score == bound and not is_open)
  end)
  if below >= ending then set_least(block, least) end
  return kept, #items
end

local checks = next_checks()
local found, looked, next_below = {}, 0, nil
for _, block in ipairs(blocks_below()) do
  if looked >= budget or #found > wanted then break end
  local items, count = keys_of(block)
  for _, item in ipairs(checked(items, checks)) do found[#found + 1] = item end
  looked = looked + count + 1
  next_below = block * BLOCK
end
if looked < budget and #found <= wanted then next_below = nil end
return slice_of(found, wanted, next_below)
