-- Take one token of a fleet bucket, on the clock of Redis, so that hosts need not agree on theirs.
-- KEYS: bucket. ARGV: rate in micro-tokens a second, burst.
-- The value is '<last_refill> <micro-tokens>'; absent = full.
-- Returns 0 if a token was taken, else the seconds until there is one, -1 = never.
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = tonumber(redis.call('TIME')[1])
local full = burst * 1000000
local tokens = full
local value = redis.call('GET', KEYS[1])
if value then
  local at, kept = string.match(value, '^(%d+) (%d+)$')
  if not at then
    return redis.error_reply('CORRUPT the fleet bucket does not match its format')
  end
  tokens = math.min(full, tonumber(kept) + math.max(0, now - tonumber(at)) * rate)
end
if tokens < 1000000 then
  if rate == 0 then
    return -1
  end
  return math.ceil((1000000 - tokens) / rate)
end
tokens = tokens - 1000000
value = string.format('%d %d', now, tokens)
if rate == 0 then
  redis.call('SET', KEYS[1], value)
else
  -- A bucket that is full again needs no key.
  redis.call('SET', KEYS[1], value, 'EX', math.ceil((full - tokens) / rate) + 1)
end
return 0
