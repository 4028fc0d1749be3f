-- Sends the calls of a file in random order: one a line, `method path token body`, between tabs.
-- A call with a token and a body is a mutation of ours: each gets an idempotency key of its own.
local KEY = "@KEY-00000000@"
local heads, tails, sent = {}, {}, 0

function init(args)
  math.randomseed(tonumber(args[2]))
  sent = math.random(1, 9) * 1e7
  for line in io.lines(args[1]) do
    local method, path, token, body = line:match("^(.-)\t(.-)\t(.-)\t(.*)$")
    local headers = {}
    if token ~= "" then headers["authorization"] = "Bearer " .. token end
    if body == "" then body = nil else headers["content-type"] = "application/json" end
    if body and token ~= "" then headers["idempotency-key"] = args[2] .. KEY end
    local call = wrk.format(method, path, headers, body)
    local from, to = call:find(KEY, 1, true)
    heads[#heads + 1] = from and call:sub(1, from - 1) or call
    tails[#heads] = from and call:sub(to + 1) or false
  end
end

function request()
  local n = math.random(#heads)
  if not tails[n] then return heads[n] end
  sent = sent + 1
  return heads[n] .. string.format("%014d", sent) .. tails[n]
end
