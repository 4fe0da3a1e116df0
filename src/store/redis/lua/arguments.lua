-- Reads ARGV one after the other, from the place that the script sets `at` to.
local at

local function next_text()
  at = at + 1
  return ARGV[at - 1]
end

local function next_number()
  return tonumber(next_text())
end
