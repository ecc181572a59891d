-- Put a record in place of the one that an operator was shown, or take it away.
-- KEYS: a string, or a hash. ARGV: field ('' = the key is a string), what is expected there
-- ('' = nothing), what is to be there ('' = nothing). Returns 1, or 0 if there is something else.
local hash = ARGV[1] ~= ''
local found = hash and redis.call('HGET', KEYS[1], ARGV[1]) or not hash and redis.call('GET', KEYS[1])
if (found or '') ~= ARGV[2] then
  return 0
end
if ARGV[3] == '' then
  if hash then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('DEL', KEYS[1]) end
elseif hash then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[3])
end
return 1
