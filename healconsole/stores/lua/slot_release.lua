-- Give up a slot, only if this owner holds it. KEYS: slots. ARGV: owner token.
return redis.call('ZREM', KEYS[1], ARGV[1])
