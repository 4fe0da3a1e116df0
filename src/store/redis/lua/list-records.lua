-- A page of records in the order of their names.
-- KEYS: names, records. ARGV: where the page begins and where the list ends (as ZRANGEBYLEX has it), how many.
-- Answer: names, and the record of each.
local refused = refusal(KEYS[1])
if refused then return refused end

local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
if #names == 0 then return { {}, {} } end
return { names, redis.call('HMGET', KEYS[2], unpack(names)) }
