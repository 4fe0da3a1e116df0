-- Reads, in one step. KEYS: those that the reads name by their place.
-- ARGV: for each read command, place, count of arguments and these. Answer: that of each read.
local refused = refusal(KEYS[1])
if refused then return refused end

local answers = {}
local at = 1
while at <= #ARGV do
  local first, last = at + 3, at + 2 + tonumber(ARGV[at + 2])
  answers[#answers + 1] = redis.call(ARGV[at], KEYS[tonumber(ARGV[at + 1])], unpack(ARGV, first, last))
  at = last + 1
end
return answers
