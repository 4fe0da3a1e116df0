-- What the lists of keys share: reading arguments, and what a key must stand in. `at` is set by the script that follows.
local at

local function next_text()
  at = at + 1
  return ARGV[at - 1]
end

-- Keys of Redis, as a count and their places in KEYS.
local function next_group()
  local group = {}
  for index = 1, tonumber(next_text()) do group[index] = KEYS[tonumber(next_text())] end
  return group
end

local function next_groups()
  local groups = {}
  for index = 1, tonumber(next_text()) do groups[index] = next_group() end
  return groups
end

local function next_checks()
  local checks = { sets = next_groups(), bits = next_groups(), spans = {} }
  for index = 1, tonumber(next_text()) do
    checks.spans[index] = { is = next_text(), bound = tonumber(next_text()), set = KEYS[tonumber(next_text())] }
  end
  return checks
end

-- The members of a list at whose place `is_kept` holds.
local function kept_of(items, is_kept)
  local kept = {}
  for index, item in ipairs(items) do
    if is_kept(index, item) then kept[#kept + 1] = item end
  end
  return kept
end

local function scores_of(set, items)
  local ids = {}
  for index, item in ipairs(items) do ids[index] = item.id end
  return redis.call('ZMSCORE', set, unpack(ids))
end

-- Members of one set of a group, or of several.
local function in_group(items, sets)
  local is_in = {}
  for _, set in ipairs(sets) do
    for index, score in ipairs(scores_of(set, items)) do is_in[index] = is_in[index] or score ~= false end
  end
  return kept_of(items, function(index) return is_in[index] end)
end

local function in_bitmaps(items, bitmaps)
  return kept_of(items, function(_, item)
    for _, bitmap in ipairs(bitmaps) do
      if redis.call('GETBIT', bitmap, item.arrival) == 1 then return true end
    end
    return false
  end)
end

local SPANS = {
  at_most = function(score, bound) return score ~= nil and score <= bound end,
  below = function(score, bound) return score ~= nil and score < bound end,
  -- Also what has no time at all.
  not_at_most = function(score, bound) return score == nil or score > bound end,
}

local function in_span(items, span)
  local scores = scores_of(span.set, items)
  return kept_of(items, function(index) return SPANS[span.is](tonumber(scores[index] or nil), span.bound) end)
end

-- Those of keys, each with id and arrival, that meet all checks.
local function checked(items, checks)
  for _, bitmaps in ipairs(checks.bits) do items = in_bitmaps(items, bitmaps) end
  for _, sets in ipairs(checks.sets) do
    if #items > 0 then items = in_group(items, sets) end
  end
  for _, span in ipairs(checks.spans) do
    if #items > 0 then items = in_span(items, span) end
  end
  return items
end

local function digits(number)
  return string.format('%.0f', number)
end

-- The answer: where the next slice begins, nothing at the end; then ids and arrivals in turn.
local function slice_of(items, wanted, next_below)
  if #items > wanted then next_below = items[wanted].arrival end
  local answer = { next_below and next_below > 0 and digits(next_below) or '' }
  for index = 1, math.min(#items, wanted) do
    answer[#answer + 1] = items[index].id
    answer[#answer + 1] = digits(items[index].arrival)
  end
  return answer
end
