-- Gives up a batch whose answer never came: takes its counts back if it was written, else sees that it never is.
-- KEYS: the writer's last batch, then the usage of keys. ARGV: number of the batch, ms that a writer is remembered, then
--   of each key how many counts, and of each: field, hour, count.
local standing = tonumber(redis.call('GET', KEYS[1]) or 0)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if standing ~= tonumber(ARGV[1]) then return 'unwritten' end
local at = 3
for index = 2, #KEYS do
  local counts = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, counts do
    -- What could not be written cannot be taken back either.
    pcall(add_count, KEYS[index], ARGV[at], tonumber(ARGV[at + 1]), -tonumber(ARGV[at + 2]))
    at = at + 3
  end
end
return 'undone'
