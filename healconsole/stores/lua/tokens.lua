-- Look at a fleet bucket, take a token, or give one back, on the clock of Redis, so that hosts need
-- not agree on theirs.
-- KEYS: bucket. ARGV: rate in micro-tokens a second, burst, micro-tokens to take (0: look; < 0: give back).
-- The value is '<last_refill> <micro-tokens>', last_refill in seconds with six decimals; absent = full.
-- Returns the micro-tokens that were there: they were taken if there were as many as that.
local rate, burst, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local seconds, micros = tonumber(time[1]), tonumber(time[2])
local full = burst * 1000000
local tokens = full
local value = redis.call('GET', KEYS[1])
if value then
  local at, part, kept = string.match(value, '^(%d+)%.(%d%d%d%d%d%d) (%d+)$')
  if not at or #at > 11 or #kept > 12 then
    return redis.error_reply('CORRUPT the fleet bucket does not match its format')
  end
  tokens = math.min(full, tonumber(kept))
  -- In parts: seconds times the rate stays within the whole numbers that a double holds.
  local whole, rest = seconds - tonumber(at), micros - tonumber(part)
  if whole > 0 or (whole == 0 and rest > 0) then
    if rate > 0 and whole > math.ceil((full - tokens) / rate) then
      tokens = full
    else
      tokens = math.min(full, math.floor(tokens + whole * rate + rest * rate / 1000000))
    end
  end
end
if want == 0 or tokens < want then
  return tokens
end
local left = math.min(full, tokens - want)
value = string.format('%d.%06d %d', seconds, micros, left)
if rate == 0 then
  redis.call('SET', KEYS[1], value)
else
  -- A bucket that is full again needs no key.
  redis.call('SET', KEYS[1], value, 'EX', string.format('%d', math.ceil((full - left) / rate) + 1))
end
return tokens
