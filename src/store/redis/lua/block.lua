-- Arrivals go by blocks of so many, as records-layout.ts has it; of each the least time of its keys is kept, or less.
local BLOCK = 512

local function block_of(arrival)
  return math.floor(arrival / BLOCK)
end

