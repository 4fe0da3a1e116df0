-- Members of a sorted set after a place and below a score, in their order: member and score of each.
-- ARGV: score and member of the place, the score below which they stand, how many.
local rank = count_before(KEYS[1], ARGV[1], ARGV[2])
local highest = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[3]) - 1
local score = redis.call('ZSCORE', KEYS[1], ARGV[2])
if score and tonumber(score) == tonumber(ARGV[1]) then rank = rank + 1 end
if rank > highest then return {} end
return redis.call('ZRANGE', KEYS[1], rank, math.min(highest, rank + ARGV[4] - 1), 'WITHSCORES')
