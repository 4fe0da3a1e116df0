-- Some of the names on a server that match a pattern. KEYS: one that lies there. ARGV: cursor, pattern, how many to look at.
-- Answer: the next cursor, `0` at the end, and names.
local refused = refusal(KEYS[1])
if refused then return refused end
return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
