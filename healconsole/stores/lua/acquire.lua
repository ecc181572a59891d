-- Take a lock, or find that this very owner has it already (its first reply was lost).
-- KEYS: lock, fence. ARGV: owner token, TTL in ms. Returns the fencing number, or false.
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(redis.call('GET', KEYS[2]) or redis.call('INCR', KEYS[2]))
end
if holder then
  return false
end
local fence = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
return fence
