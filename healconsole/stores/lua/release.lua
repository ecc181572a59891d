-- Give up a lock, only while this owner holds it. KEYS: lock, index. ARGV: owner token.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('ZREM', KEYS[2], KEYS[1])
return redis.call('DEL', KEYS[1])
