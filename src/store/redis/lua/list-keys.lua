-- A slice of a list of keys, the newest first.
-- KEYS: all keys by arrival, then those that arguments name by their place.
-- ARGV: the arrival below which it begins (or inf), how many are wanted, how many may be looked at, sets to walk (a
--   group) and bitmaps to walk (groups) of which one is empty, then checks: groups of sets, groups of bitmaps, and
--   times (`at_most`, `below` or `not_at_most`, bound, place).
-- Answer: the arrival below which the next slice begins, or nothing at the end; then ids and arrivals in turn.
local refused = refusal(KEYS[1])
if refused then return refused end

at = 4
local below, wanted, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
-- A window is whole words of 32 bits.
local WINDOW_BYTES = 4096
local WORDS_MAX = 4096

-- The newest of several sets together: a set of which more may follow holds back what is older than its last.
local function walk_sets(sets)
  local items, horizon = {}, nil
  local each = math.ceil(budget / #sets)
  for _, set in ipairs(sets) do
    local found = redis.call('ZREVRANGEBYSCORE', set, '(' .. ARGV[1], '-inf', 'WITHSCORES', 'LIMIT', 0, each)
    for index = 1, #found, 2 do
      items[#items + 1] = { id = found[index], arrival = tonumber(found[index + 1]) }
    end
    if #found == 2 * each then horizon = math.max(horizon or 0, tonumber(found[#found])) end
  end
  if #sets == 1 then return items, horizon end
  table.sort(items, function(one, other) return one.arrival > other.arrival end)
  return kept_of(items, function(_, item) return not horizon or item.arrival >= horizon end), horizon
end

-- A window of bitmaps from a byte to another, reversed, so that the newest come first.
local function window_of(bitmaps, first, last)
  local texts = {}
  for index, bitmap in ipairs(bitmaps) do
    local text = redis.call('GETRANGE', bitmap, first, last)
    texts[index] = (text .. string.rep('\0', last - first + 1 - #text)):reverse()
  end
  return texts
end

local function word_of(texts, word)
  local bits = 0
  for _, text in ipairs(texts) do bits = bit.bor(bits, (struct.unpack('<I4', text, word * 4 + 1))) end
  return bits
end

-- The word of the nearest byte with a bit in it.
local function next_word(texts, word)
  local nearest
  for _, text in ipairs(texts) do
    local found = text:find('[^%z]', word * 4 + 1)
    if found and (not nearest or found < nearest) then nearest = found end
  end
  return nearest and math.floor((nearest - 1) / 4)
end

-- The arrivals of a word, whose last is `newest`.
local function add_arrivals(arrivals, bits, newest)
  for offset = 0, 31 do
    local arrival = newest - offset
    if bit.band(bits, bit.lshift(1, offset)) ~= 0 and arrival < below then arrivals[#arrivals + 1] = arrival end
  end
end

-- Arrivals whose bit is set in each group, up to that of the byte `last`; where to go on, and how many words that took.
local function walk_window(groups, first, last, arrivals)
  local windows = {}
  for index, bitmaps in ipairs(groups) do windows[index] = window_of(bitmaps, first, last) end
  local words = 0
  local word = next_word(windows[1], 0)
  while word do
    local bits = -1
    for _, texts in ipairs(windows) do bits = bit.band(bits, word_of(texts, word)) end
    local newest = (last - word * 4) * 8 + 7
    if bits ~= 0 then add_arrivals(arrivals, bits, newest) end
    words = words + #windows
    if #arrivals >= budget then return newest - 31, words end
    word = next_word(windows[1], word + 1)
  end
  return first * 8, words + 64
end

local function add_found(items, first, last, is_wanted)
  local found = redis.call('ZREVRANGEBYSCORE', KEYS[1], digits(last), digits(first), 'WITHSCORES')
  for index = 1, #found, 2 do
    local arrival = tonumber(found[index + 1])
    if is_wanted[arrival] then items[#items + 1] = { id = found[index], arrival = arrival } end
  end
end

-- The keys of arrivals: those that lie close together by one read.
local function keys_at(arrivals)
  local items, is_wanted = {}, {}
  for _, arrival in ipairs(arrivals) do is_wanted[arrival] = true end
  local newest, oldest = arrivals[1], arrivals[#arrivals]
  if #arrivals > 0 and newest - oldest < 4 * #arrivals then
    add_found(items, oldest, newest, is_wanted)
  else
    for _, arrival in ipairs(arrivals) do add_found(items, arrival, arrival, is_wanted) end
  end
  return items
end

local function longest_of(bitmaps)
  local longest = 0
  for _, bitmap in ipairs(bitmaps) do longest = math.max(longest, redis.call('STRLEN', bitmap)) end
  return longest
end

local function walk_bits(groups)
  local ending = math.min(math.ceil(below / 32) * 4, math.ceil(longest_of(groups[1]) / 4) * 4)
  local arrivals, words, next_below = {}, 0, ending * 8
  while ending > 0 and #arrivals < budget and words < WORDS_MAX do
    local first = math.max(0, ending - WINDOW_BYTES)
    local more
    next_below, more = walk_window(groups, first, ending - 1, arrivals)
    words = words + more
    ending = next_below / 8
  end
  return keys_at(arrivals), next_below
end

local sets, bitmaps = next_group(), next_groups()
local items, next_below
if #sets > 0 then
  items, next_below = walk_sets(sets)
else
  items, next_below = walk_bits(bitmaps)
end
return slice_of(checked(items, next_checks()), wanted, next_below)
