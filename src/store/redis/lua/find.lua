-- Fields of hashes, read in one step with the stamp.
-- KEYS: the stamp, then a hash for each field. ARGV: the fields.
-- Answer: the stamp, then each value or nothing.
local refused = refusal(KEYS[1])
if refused then return refused end
local answer = { redis.call('GET', KEYS[1]) or '' }
for index = 1, #ARGV do answer[index + 1] = redis.call('HGET', KEYS[index + 1], ARGV[index]) end
return answer
