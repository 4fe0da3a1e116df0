-- Forgets hours of keys before a time.
-- KEYS: keys by their oldest hour, then the usage of each. ARGV: the first day that stays whole or in part, its first
--   hour that stays, then the key ids.
local first_day, first_hour = tonumber(ARGV[1]), tonumber(ARGV[2])

local function first_in(text)
  return tonumber((text or ''):match('^%d+') or 0)
end

-- The oldest hour (of all time) that stays of a key.
local function prune(key)
  local oldest
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local day = tonumber(field:match('^%d+'))
    if day < first_day then
      redis.call('HDEL', key, field)
    elseif day == first_day then
      local hours = hours_of(redis.call('HGET', key, field))
      for hour = 0, first_hour - 1 do hours[hour] = nil end
      write_hours(key, field, hours)
    end
    local is_left = day > first_day or (day == first_day and redis.call('HEXISTS', key, field) == 1)
    if is_left and (not oldest or day <= math.floor(oldest / 24)) then
      local hour = day * 24 + first_in(redis.call('HGET', key, field))
      oldest = math.min(oldest or hour, hour)
    end
  end
  return oldest
end

for index = 2, #KEYS do
  local id = ARGV[index + 1]
  local ok, oldest = pcall(prune, KEYS[index])
  if ok and oldest then
    redis.call('ZADD', KEYS[1], string.format('%.0f', oldest), id)
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
return #KEYS - 1
