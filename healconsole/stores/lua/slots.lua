-- A counting semaphore with leases, on the clock of Redis: at most so many owners of a group at once.
-- KEYS: slots (a sorted set: owner token -> end in ms), fence.
-- ARGV: 'look'. Returns '<owners> <ms until the first ends>'.
-- ARGV: 'take', owner token, TTL in ms, most owners. Returns a fencing number of its own, or false.
-- Taken again by its owner (the first reply was lost) it is prolonged, under a new number.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[1] == 'look' then
  local first = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%d', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local taken = redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%d', now), '+inf')
  return string.format('%d %d', taken, first[2] and first[2] - now or 0)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now))
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
  return false
end
redis.call('ZADD', KEYS[1], string.format('%d', now + ARGV[3]), ARGV[2])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%d', last[2]))
-- See acquire.lua.
local fence = math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[2], string.format('%d', fence))
return fence
