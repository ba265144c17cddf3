-- For wrk: as post.lua, with the headers of $HEADERS ("name: value", one a line).
dofile((os.getenv("BENCH_HERE") or ".") .. "/post.lua")
for name, value in (os.getenv("HEADERS") or ""):gmatch("([^:\n]+): ([^\n]+)") do
  wrk.headers[name] = value
end
