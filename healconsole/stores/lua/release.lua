-- Give up a lock, only while this owner holds it. KEYS: lock. ARGV: owner token.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
