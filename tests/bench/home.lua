-- Home timelines of random users over REST: one token a line in the file that is named.
local tokens, next_token = {}, 0

function init(args)
  for line in io.lines(args[1]) do tokens[#tokens + 1] = line end
end

function request()
  next_token = next_token % #tokens + 1
  return wrk.format("GET", "/api/v1/home_timeline?user_id=me&page_size=20",
    {["authorization"] = "Bearer " .. tokens[next_token]})
end
