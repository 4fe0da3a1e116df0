-- How much several keys of one kind hold together. KEYS: sets of what keys were told of, or hashes of the use of keys.
-- ARGV: `told` or `usage`. Answer: the sum.
local refused = refusal(KEYS[1])
if refused then return refused end

-- As usage.lua writes it, each count of an hour has one colon.
local function counts_of(key)
  local count = 0
  local fields = redis.call('HGETALL', key)
  for at = 2, #fields, 2 do
    local _, found = fields[at]:gsub(':', '')
    count = count + found
  end
  return count
end

local sum = 0
for _, key in ipairs(KEYS) do
  if ARGV[1] == 'told' then
    sum = sum + redis.call('SCARD', key)
  else
    sum = sum + counts_of(key)
  end
end
return sum
