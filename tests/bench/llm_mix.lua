-- For wrk: calls of models of all kinds, one after the other; numbers as get.lua. Every request differs from those before, but those that are
-- to be served from before: a thousand of each, since caches grow until they are full. $BENCH_RUN makes the keys of several runs differ.
dofile((os.getenv("BENCH_HERE") or ".") .. "/get.lua")

local run = os.getenv("BENCH_RUN") or "0"
local key = os.getenv("KEY")
local count = 0

local function openai(model, more)
  return string.format('{"model":"%s","messages":[{"role":"user","content":"Say something new about %s-%d, please."}]%s}', model, run, count, more or "")
end

local function anthropic(more)
  return string.format('{"model":"plain","max_tokens":64,"system":"Be brief.","messages":[{"role":"user","content":"Hello %s-%d"}]%s}', run, count, more or "")
end

local function gemini()
  return string.format('{"contents":[{"role":"user","parts":[{"text":"Hello %s-%d"}]}],"generationConfig":{"temperature":0.2}}', run, count)
end

local chat = "/v1/chat/completions"
local kinds = {
  function() return chat, openai("plain") end,
  function() return chat, openai("plain", ',"stream":true,"stream_options":{"include_usage":true}') end,
  function() return chat, '{"model":"cached","messages":[{"role":"user","content":"The same as ever."}]}' end,
  function() return chat, string.format('{"model":"cached","messages":[{"role":"user","content":"One of a thousand: %d"}]}', count % 1000) end,
  function() return chat, openai("plain"), { ["Idempotency-Key"] = run .. "-" .. count } end,
  function() return chat, openai("plain", ',"stream":true'), { ["Tutti-Durable"] = "true" } end,
  function() return "/v1/messages", anthropic() end,
  function() return "/v1/messages", anthropic(',"stream":true') end,
  function() return "/v1beta/models/plain:generateContent", gemini() end,
  function() return "/v1beta/models/plain:streamGenerateContent?alt=sse", gemini() end,
  function() return chat, openai("simulated") end,
  function() return "/v1/embeddings", string.format('{"model":"simulated","input":["one of a thousand: %d","twice","twice"]}', count % 1000) end,
  function() return chat, openai("nobody/knows") end, -- is refused
  function() return chat, '{"model":"plain","messages":[' end, -- likewise
}

function request()
  count = count + 1
  local path, body, more = kinds[count % #kinds + 1]()
  local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. key }
  for name, value in pairs(more or {}) do headers[name] = value end
  return wrk.format("POST", path, headers, body)
end
