-- Keeps counters that are not there. KEYS: counters. ARGV: for each its text, and for how long it is kept, ms.
for place, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[place * 2 - 1], 'PX', ARGV[place * 2], 'NX')
end
return 'restored'
