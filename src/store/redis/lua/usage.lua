-- The use of a key: a hash of `<day> <reason>` (the reason is empty for what was allowed) to the counts of the day's
-- hours, as `0:7 23:1`. A field for each hour would take about eight times as much.

local function hours_of(text)
  local hours = {}
  for hour, count in (text or ''):gmatch('(%d+):(%d+)') do hours[tonumber(hour)] = tonumber(count) end
  return hours
end

local function write_hours(key, field, hours)
  local parts = {}
  for hour = 0, 23 do
    if (hours[hour] or 0) > 0 then parts[#parts + 1] = string.format('%d:%.0f', hour, hours[hour]) end
  end
  if #parts == 0 then
    redis.call('HDEL', key, field)
  else
    redis.call('HSET', key, field, table.concat(parts, ' '))
  end
end

-- Adds to the count of an hour (0 to 23); one that is taken back leaves no less than nothing.
local function add_count(key, field, hour, count)
  local hours = hours_of(redis.call('HGET', key, field))
  hours[hour] = math.max(0, (hours[hour] or 0) + count)
  write_hours(key, field, hours)
end
