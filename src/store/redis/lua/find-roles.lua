-- The roles of a workspace, read in one step with the stamp.
-- KEYS: the stamp, the names of all roles in their order, all roles. ARGV: first name, the one after the last.
-- Answer: the stamp, then name and role in turn.
local refused = refusal(KEYS[1])
if refused then return refused end
local answer = { redis.call('GET', KEYS[1]) or '' }
for _, name in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], '[' .. ARGV[1], '(' .. ARGV[2])) do
  answer[#answer + 1] = name
  answer[#answer + 1] = redis.call('HGET', KEYS[3], name)
end
return answer
