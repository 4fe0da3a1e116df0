-- What refuses a write that changes nothing; nothing where this is a master. A replica may lag behind without end, so
-- no answer of one counts. A master that takes no writes now, for want of disk or of replicas, still tells what it has.
local function refusal(key)
  local answer = redis.pcall('PERSIST', key)
  if type(answer) ~= 'table' or not answer.err then return nil end
  if answer.err:find('MISCONF', 1, true) or answer.err:find('NOREPLICAS', 1, true) then return nil end
  return answer
end
