-- Prolong a lock, only while this owner holds it. KEYS: lock. ARGV: owner token, TTL in ms.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
