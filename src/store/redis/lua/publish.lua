-- KEYS: the channel, whose tag says where it is published. ARGV: the message.
return redis.call('PUBLISH', KEYS[1], ARGV[1])
