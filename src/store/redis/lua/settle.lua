-- Corrects what was charged.
-- KEYS: counters. ARGV: the moment of the charge; the cost that it is to be; the moment to judge by, or '' for Redis'
-- clock; then for each counter the cost that was charged, and what its bucket drains in a millisecond, or 0 to take a
-- whole request out of it, however much of that request has drained.
-- Answers Redis' clock.

local clock = clock_ms()
local taken_at, to = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = ARGV[3] == '' and clock or tonumber(ARGV[3])

local function settle(text, from, drain)
  local state, last = read_state(text)
  local parts = {}
  for at = 1, last, 3 do
    local slot, start, count = unpack(state, at, at + 2)
    if window_at(slot, taken_at) == start then
      count = math.max(0, count + to - from)
    end
    write_window(parts, slot, start, count)
  end
  if last < #state then
    local level, at, length, ends = unpack(state, last + 1)
    if not (to > 0) then
      local back = math.max(0, length - drain * math.max(0, now - taken_at))
      level = math.max(0, level - back)
    end
    write_bucket(parts, level, at, length, ends)
  end
  return table.concat(parts, ',')
end

local settled = {}
for index, key in ipairs(KEYS) do
  local text = settled[key] or redis.call('GET', key)
  if text then
    local from, drain = tonumber(ARGV[2 + index * 2]), tonumber(ARGV[3 + index * 2])
    settled[key] = settle(text, from, drain)
  end
end
for key, text in pairs(settled) do
  redis.call('SET', key, text, 'KEEPTTL')
end
return exact(clock)
