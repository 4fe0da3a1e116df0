-- Takes all counters, all or nothing.
-- KEYS: counters. ARGV: the latest moment by Redis' clock to do anything, or ''; the moment to judge by, or '' for
-- Redis' clock; then for each counter a list: cost, slot and limit of each window, and size, limit and length of the
-- bucket where there is one.
-- Answers 'taken', 'refused' or 'late', Redis' clock, and each counter as it stood before, joined by ';'.

-- A clock that is set back by less opens no window again. A caller's clock has nothing to do with that of expiry.
local MARGIN_MS, CALLERS_MARGIN_MS = 60000, DAY_MS
local KEPT_MAX_MS = 3155760000000

-- The place of a window in a state whose windows end at `last`.
local function find(state, last, slot)
  for at = 1, last, 3 do
    if state[at] == slot then
      return at
    end
  end
end

-- Writes the windows of the figures, which end at `figured`, with the cost in them. Answers when the last of them ends,
-- or nil when the cost does not fit.
local function charge_windows(parts, state, last, figures, figured, now)
  local cost, ends = figures[1], 0
  for at = 2, figured, 2 do
    local slot = figures[at]
    local start, stop = window_at(slot, now)
    local held = find(state, last, slot)
    local count = 0
    if held then
      local held_start = state[held + 1]
      if held_start > start then
        start, stop = window_at(slot, held_start)
        check(start == held_start)
      end
      count = held_start == start and state[held + 2] or 0
    end
    if not (count + cost <= figures[at + 1]) then
      return nil
    end
    write_window(parts, slot, start, count + cost)
    ends = math.max(ends, stop)
  end
  return ends
end

-- Writes the windows that other figures have left, and answers when the last of all ends.
local function keep_windows(parts, state, last, ends)
  local given = #parts
  for at = 1, last, 3 do
    local slot = SLOTS[state[at]]
    local is_given = false
    for other = 1, given, 3 do
      is_given = is_given or parts[other] == slot
    end
    if not is_given then
      write_window(parts, state[at], state[at + 1], state[at + 2])
      local _, stop = window_at(state[at], state[at + 1])
      ends = math.max(ends, stop)
    end
  end
  return ends
end

-- Writes the bucket with one request more in it. Answers when it is empty, or nil when the request does not fit.
local function charge_bucket(parts, state, last, figures, now)
  local size, limit, length = unpack(figures, #figures - 2)
  local at, level = now, 0
  if last < #state then
    local held_level, held_at, held_length = unpack(state, last + 1)
    at = math.max(now, held_at)
    level = math.ceil((held_level * length) / held_length) - (at - held_at) * limit
    if level < 0 then
      level = 0
    end
  end
  if not (level + length <= size * length) then
    return nil
  end
  level = level + length
  local ends = at + math.ceil(level / math.max(limit, 1))
  write_bucket(parts, level, at, length, ends)
  return ends
end

-- A counter's text with the cost in it, and when it says nothing more; nil when the cost does not fit.
local function charge(text, figures, now)
  local state, last = read_state(text)
  local has_bucket = #figures % 2 == 0
  local parts = {}
  local figured = has_bucket and #figures - 3 or #figures
  local ends = charge_windows(parts, state, last, figures, figured, now)
  if not ends then
    return nil
  end
  ends = keep_windows(parts, state, last, ends)
  local bucket_ends = 0
  if has_bucket then
    bucket_ends = charge_bucket(parts, state, last, figures, now)
    if not bucket_ends then
      return nil
    end
  elseif last < #state then
    write_bucket(parts, unpack(state, last + 1))
    bucket_ends = state[#state]
  end
  return table.concat(parts, ','), math.max(ends, bucket_ends)
end

local clock = clock_ms()
if ARGV[1] ~= '' and clock > tonumber(ARGV[1]) then
  return 'late;' .. exact(clock)
end
local now, margin = clock, MARGIN_MS
if ARGV[2] ~= '' then
  now, margin = tonumber(ARGV[2]), CALLERS_MARGIN_MS
end

local is_refused = false
local reply, charged, ends = { 'taken', exact(clock) }, {}, {}
for index, key in ipairs(KEYS) do
  -- Of a counter that is given twice, the second finds what the first left.
  local before = charged[key] or redis.call('GET', key) or ''
  reply[index + 2] = before
  if is_refused then
    read_state(before)
  else
    charged[key], ends[key] = charge(before, cjson.decode(ARGV[index + 2]), now)
    is_refused = charged[key] == nil
  end
end
if is_refused then
  reply[1] = 'refused'
  return table.concat(reply, ';')
end

for key, text in pairs(charged) do
  if text ~= '' then
    local kept = math.min(math.max(ends[key] - now, 0) + margin, KEPT_MAX_MS)
    redis.call('SET', key, text, 'PX', exact(kept))
  end
end
return table.concat(reply, ';')
