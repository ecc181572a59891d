-- Take a lock, or find that this very owner has it already (its first reply was lost).
-- KEYS: lock, fence, index (a sorted set: lock -> end of its lease in ms). ARGV: owner token, TTL in ms. Returns the fencing number, or false.
-- A fencing number is at least the time in microseconds: so it goes on rising when Redis has forgotten the last
-- one (flushed, restarted without persistence, a replica that was behind), as long as no clock of a
-- Redis is set back behind the last number that it gave.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return false
end
local fence = tonumber(redis.call('GET', KEYS[2]) or 0)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('(%d', now))
redis.call('ZADD', KEYS[3], string.format('%d', now + ARGV[2]), KEYS[1])
if holder and fence > 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return fence
end
fence = math.max(fence + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[2], string.format('%d', fence))
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return fence
