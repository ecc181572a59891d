-- Prolong a lock, only while this owner holds it. KEYS: lock, index. ARGV: owner token, TTL in ms.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
redis.call('ZADD', KEYS[2], string.format('%d', ends), KEYS[1])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
