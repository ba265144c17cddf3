# Sourced by run.sh: what the tool-adapter costs between the scheduler and a server that takes its time (llm_upstream), as a caller sees it who
# waits for a run of one task: plain `call: http`, a function of an adapter, and one that is marked before it leaves. Client (wrk),
# server and all services share the CPUs of this machine.
# shellcheck shell=bash disable=SC2034,SC2154 # its variables are shared with who sources it

tools_wait_ms=50  # the server answers after this
tools_flight=1000 # transfers at a time, to so many hosts:
tools_hosts=20    # (64 connections to one at most)

tools_server() { # tools_server LATENCY_MS: leaves server_port and pid[server]
  local line
  exec {server_fd}< <(exec "$bin/llm_upstream" 0 "$1" 0 0 0.0.0.0)
  pid[server]=$!
  read -r line <&"$server_fd"
  exec {server_fd}<&-
  server_port=${line#port }
}

tools_suite() { # tools_suite SLOTS [--set PATH=VALUE...]: everything but the llm-proxy
  tool_more=(--set 'tools.egress.private_networks=127.0.0.0/8' --set "tools.slots=$1" "${@:2}")
  suite_start scheduler tool-adapter gateway
}

# tools_figure WORKFLOW CONNECTIONS: what is more than the server's own time is added.
tools_figure() {
  local before
  before=$(cpu_us "${pid[tool-adapter]}")
  BODY="{\"workflow\":\"$1\"}" KEY=$key load "$url/v1/runs?wait=30s" "$2"
  [ "$failed" = 0 ] || put tutti "$1_c$2_failed" "$failed"
  put tutti "$1_c$2_jobs_per_s" "$rate"
  put tutti "$1_c$2_added_p50_ms" "$(tools_minus "$p50" "$tools_wait_ms")"
  put tutti "$1_c$2_added_p99_ms" "$(tools_minus "$p99" "$tools_wait_ms")"
  [ "$count" = 0 ] || put tutti "$1_c$2_adapter_cpu_us_per_job" $((($(cpu_us "${pid[tool-adapter]}") - before) / count))
}

tools_minus() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.1f", a - b}'; }

tools_jobs_figures() {
  local name tries=0
  tools_server "$tools_wait_ms"
  tools_suite 64 --set 'tools.egress.http_hosts=127.0.0.1' --set "tools.adapters_dir=$here/adapters" \
    --set "tools.connections.slow={adapter: slow, config: {base_url: \"http://127.0.0.1:$server_port\"}, allow_private: true}"
  printf '  - s: {call: http, with: {method: post, endpoint: "http://127.0.0.1:%s/", body: {text: rent}}}\n' "$server_port" | workflow_put http
  for name in pay book; do
    until printf '  - s: {call: slow.%s, with: {text: rent}}\n' "$name" | workflow_put "$name" 2>/dev/null; do
      [ $((tries += 1)) -lt 300 ] || { cat "$work/put.json" >&2; return 1; }
      sleep 0.05 # until the tool-adapter has registered it
    done
  done
  BODY='{"workflow":"http"}' KEY=$key load "$url/v1/runs?wait=30s" 64 1 # warm
  for name in http pay book; do tools_figure "$name" 64; done
  tools_figure http 256 # the adapter has 64 places all the same
  suite_stop
}

# Connections to the server that are up, seen from its end.
tools_connections() {
  awk -v port=":$(printf '%04X' "$server_port")" 'index($2, port) && $4 == "01" {n++} END {print n + 0}' /proc/net/tcp
}

# So many plain transfers whose answers let wait; memory of the tool-adapter alone.
tools_flight_figures() {
  local i hosts=() idle up=0 tries=0
  tools_server 600000
  for ((i = 1; i <= tools_hosts; i++)); do hosts+=("127.0.0.$i"); done
  tools_suite "$tools_flight" --set "tools.egress.http_hosts=$(tools_list "${hosts[@]}")"
  workflow_put flight <<YAML
  - all:
      for: {each: x, in: '\${ [range($tools_flight)] }'}
      do:
        - s: {call: http, with: {method: post, endpoint: '\${ "http://127.0.0.\\(\$x % $tools_hosts + 1):$server_port/" }', body: {text: rent}}}
      metadata: {tutti: {parallel: $tools_flight}}
YAML
  idle=$(memory "${pid[tool-adapter]}" VmRSS)
  curl -fsS -o /dev/null -X POST -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '{"workflow":"flight"}' "$url/v1/runs"
  while up=$(tools_connections) && [ "$up" -lt "$tools_flight" ] && [ $((tries += 1)) -lt 300 ]; do sleep 0.1; done
  put tutti flight_transfers "$up"
  put tutti flight_idle_mb "$(tools_mb "$idle")"
  put tutti flight_mb "$(tools_mb "$(memory "${pid[tool-adapter]}" VmRSS)")"
  put tutti flight_peak_mb "$(tools_mb "$(memory "${pid[tool-adapter]}" VmHWM)")"
  suite_stop
}

tools_list() { local IFS=,; echo "$*"; }
tools_mb() { awk -v bytes="$1" 'BEGIN {printf "%.1f", bytes / 1e6}'; }

bench_tools() {
  local name number
  "$bin/tools_bench" >"$out/rows"
  while read -r name number; do put tutti "$name" "$number"; done <"$out/rows"
  tools_jobs_figures
  tools_flight_figures
}
