-- What refuses a write that changes nothing; nothing where this is a master. A replica may lag behind without end, so
-- no answer of one counts. A master that takes no writes now, for want of disk, of memory or of replicas, still tells
-- what it has. The key may be one that is read: its value and its end must stay as they are.
local CODES = { 'MISCONF', 'NOREPLICAS', 'OOM' }

local function write_nothing(key)
  if redis.call('EXISTS', key) == 1 then return redis.pcall('SET', key, '', 'NX') end
  return redis.pcall('PERSIST', key)
end

local function refusal(key)
  local answer = write_nothing(key)
  if type(answer) ~= 'table' or not answer.err then return nil end
  for _, code in ipairs(CODES) do
    if answer.err:find(code, 1, true) then return nil end
  end
  return answer
end
