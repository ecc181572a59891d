-- The stops that are not for the whole fleet, one line each: '<target> <record>', ordered by target.
-- KEYS: halts (a hash: target -> record). Returns the lines, or false if there are none.
local found = redis.call('HGETALL', KEYS[1])
local lines = {}
for i = 1, #found, 2 do
  -- One line each, whoever wrote it: a target without blanks, a record without line breaks.
  lines[#lines + 1] = string.gsub(found[i], '%s', '_') .. ' ' .. string.gsub(found[i + 1], '%c', '?')
end
if #lines == 0 then
  return false
end
table.sort(lines)
return table.concat(lines, '\n')
