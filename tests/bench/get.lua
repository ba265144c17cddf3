-- For wrk: one line of numbers at the end: requests a second, p50 and p99 in ms, requests, failures, bytes (also of
-- answers that had not come to their end).
function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    "result %.1f %.3f %.3f %d %d %d\n",
    summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000,
    latency:percentile(99) / 1000,
    summary.requests,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    summary.bytes
  ))
end
