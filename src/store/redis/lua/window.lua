-- The calendar, and a counter as text, for the scripts of limits. The arithmetic is that of core/take.ts, operation by
-- operation: both sides compute with the same doubles. limit-codec.ts writes and reads the same texts.

local DAY_MS = 86400000
local NEVER_MS = 8000000000000000
local SLOTS = { [0] = '0', '1', '2', '3', '4', '5', '6' }
local LENGTHS_MS = { [0] = 1000, [1] = 60000, [2] = 3600000, [3] = DAY_MS, [5] = DAY_MS }

-- The first day of the month that a day lies in; days are counted from 1970-01-01. Years begin in March here, so that
-- a leap day is the last of its year, and 400 of them (an era) are always 146097 days.
local function month_start(day)
  local floor = math.floor
  local shifted = day + 719468
  local of_era = shifted - floor(shifted / 146097) * 146097
  local year = floor(
    (of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365
  )
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local month = floor((5 * of_year + 2) / 153)
  return day - (of_year - floor((153 * month + 2) / 5))
end

-- Start and end of the window that a moment lies in, epoch ms.
local function window_at(slot, now)
  local length = LENGTHS_MS[slot]
  if length then
    local start = math.floor(now / length) * length
    return start, start + length
  end
  local first = month_start(math.floor(now / DAY_MS))
  return first * DAY_MS, month_start(first + 31) * DAY_MS
end

-- Redis' clock, epoch ms.
local function clock_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- A number that comes back as the same double, whatever its size. Whole ones are written in two halves that fit into
-- an integer of any machine, because the other way is several times slower.
local function exact(number)
  local high = math.floor(number / 1e9)
  local low = number - high * 1e9
  if high > 9e6 or low ~= math.floor(low) then
    return string.format('%.17g', number)
  end
  if high == 0 then
    return string.format('%d', low)
  end
  return string.format('%d%09d', high, low)
end

-- What a garbled counter held is unknown, and the answer to that is none of allow and refuse.
local function check(holds)
  if not holds then
    error('GARBLED a counter holds something else', 0)
  end
end

-- A counter's text is numbers: slot, start and count of each window, then level, time, length and end of the bucket,
-- where it has one. Answers the list of them, and the place of the last that belongs to a window.
local function read_state(text)
  if text == '' then
    return {}, 0
  end
  local state = cjson.decode('[' .. text .. ']')
  local size = #state
  check(size > 0 and size % 3 < 2)
  for at = 1, size do
    local number = state[at]
    check(type(number) == 'number' and number >= 0 and number < math.huge)
  end
  local last = size % 3 == 1 and size - 4 or size
  for at = 1, last, 3 do
    check(SLOTS[state[at]] and state[at + 1] < NEVER_MS)
  end
  check(last == size or state[size - 1] > 0)
  return state, last
end

local function write_window(parts, slot, start, count)
  local size = #parts
  parts[size + 1], parts[size + 2], parts[size + 3] = SLOTS[slot], exact(start), exact(count)
end

local function write_bucket(parts, level, at, length, ends)
  local size = #parts
  parts[size + 1], parts[size + 2] = exact(level), exact(at)
  parts[size + 3], parts[size + 4] = exact(length), exact(ends)
end
