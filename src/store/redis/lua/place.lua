-- Places in a sorted set: a score, and a member among those of that score.

-- Whether a text comes before another by its bytes, as Redis orders members; Lua's own `<` goes by the locale.
local function is_before(one, other)
  for at = 1, math.min(#one, #other) do
    local left, right = one:byte(at), other:byte(at)
    if left ~= right then return left < right end
  end
  return #one < #other
end

-- How many members stand before a place; `score` is the text of a number. Many members may have one score.
local function count_before(key, score, member)
  local low = redis.call('ZCOUNT', key, '-inf', '(' .. score)
  local high = redis.call('ZCOUNT', key, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(redis.call('ZRANGE', key, middle, middle)[1], member) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end
