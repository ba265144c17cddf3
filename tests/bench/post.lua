-- For wrk: posts $BODY, with `Authorization: Bearer $KEY` if $KEY is set; numbers as get.lua.
dofile((os.getenv("BENCH_HERE") or ".") .. "/get.lua")
wrk.method = "POST"
wrk.body = os.getenv("BODY")
wrk.headers["Content-Type"] = "application/json"
local key = os.getenv("KEY")
if key then
  wrk.headers["Authorization"] = "Bearer " .. key
end
