-- Sets counts of the use of keys. KEYS: keys by their oldest hour, then the usage of each key.
-- ARGV: for each key its id, its oldest hour, how many counts, and of each: field, hour of the day, count.
local at = 1

local function next_text()
  at = at + 1
  return ARGV[at - 1]
end

for place = 2, #KEYS do
  local id, oldest = next_text(), next_text()
  local fields = {}
  for _ = 1, tonumber(next_text()) do
    local field, hour, count = next_text(), tonumber(next_text()), tonumber(next_text())
    fields[field] = fields[field] or hours_of(redis.call('HGET', KEYS[place], field))
    fields[field][hour] = count
  end
  for field, hours in pairs(fields) do write_hours(KEYS[place], field, hours) end
  redis.call('ZADD', KEYS[1], 'LT', oldest, id)
end
return 'restored'
