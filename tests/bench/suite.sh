# Sourced by the benches: a suite of its own in a temporary folder, and what its processes use.
# Wants $bin (folder of the programs). Leaves $work, $url, $key, $sched_url, pid[NAME] and admin_port[NAME].
# shellcheck shell=bash disable=SC2034,SC2154 # its variables are shared with who sources it

declare -A pid ready_ms admin_port
scheduler_prefix=() # a command that starts the scheduler: env NAME=VALUE
scheduler_more=()   # what it is told beside the rest: --set PATH=VALUE
tool_more=()        # likewise the tool-adapter
work=
url=

now_us() { echo $((${EPOCHREALTIME/./})); }

# Microseconds of CPU that processes have used.
cpu_us() { "$bin/cpu_probe" "$@"; }

# memory PID FIELD: bytes of RssAnon, RssFile, VmHWM ...
memory() { awk -v field="$2:" '$1 == field {print $2 * 1024}' "/proc/$1/status"; }

free_port() { # of those that nobody uses now
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

is_ready() { # is_ready PORT, without starting a process
  local line
  exec {ready_fd}<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&"$ready_fd"
  read -r line <&"$ready_fd"
  exec {ready_fd}>&-
  [[ $line == *" 200 "* ]]
} 2>/dev/null

# service_start NAME PROGRAM SECTION [--set PATH=VALUE...]: starts it and waits until it is ready.
service_start() {
  local name=$1 program=$2 section=$3 port start
  shift 3
  port=$(free_port)
  admin_port[$name]=$port
  start=$(now_us)
  local prefix=()
  [ "$name" != scheduler ] || prefix=(${scheduler_prefix[@]+"${scheduler_prefix[@]}"})
  ${prefix[@]+"${prefix[@]}"} "$bin/$program" --set "$section.admin.port=$port" "$@" >"$work/$name.log" 2>&1 &
  pid[$name]=$!
  until is_ready "$port"; do
    kill -0 "${pid[$name]}" 2>/dev/null || { cat "$work/$name.log" >&2; return 1; }
    [ $(($(now_us) - start)) -lt 30000000 ] || { echo "$name is not ready after 30 s" >&2; return 1; }
  done
  # shellcheck disable=SC2034 # read by idle.sh
  ready_ms[$name]=$((($(now_us) - start) / 1000))
}

scheduler_start() { # on the store that is there; again after a kill
  service_start scheduler tutti-scheduler scheduler \
    --set "scheduler.listen=$sched_url" --set "scheduler.hint_listen=abstract://$socket.h" \
    --set "scheduler.store.path=$work/store" --set "auth.bootstrap_key_file=$work/admin.key" \
    ${scheduler_more[@]+"${scheduler_more[@]}"}
}

# suite_start [NAME...]: all four services, or those named; the scheduler comes first.
suite_start() {
  local wanted=" ${*:-scheduler gateway tool-adapter llm-proxy} "
  work=$(mktemp -d "${BENCH_DIR:-/tmp}/tutti-bench.XXXXXX")
  socket=tutti-bench-$$-$RANDOM
  sched_url=abstract://$socket.s
  mkdir "$work/store"
  local port
  port=$(free_port)
  url=http://127.0.0.1:$port
  scheduler_start
  key=$(cat "$work/admin.key")
  if [[ $wanted == *" llm-proxy "* ]]; then
    service_start llm-proxy tutti-llm-proxy llm --set "llm.scheduler=$sched_url" \
      --set "llm.listen=abstract://$socket.l" --set 'llm.providers.demo={type: simulated}' \
      --set 'llm.routes.smart={targets: [{model: demo/smart}]}'
  fi
  if [[ $wanted == *" tool-adapter "* ]]; then
    service_start tool-adapter tutti-tool-adapter tools --set "tools.scheduler=$sched_url" \
      ${tool_more[@]+"${tool_more[@]}"}
  fi
  service_start gateway tutti-gateway gateway --set "gateway.port=$port" \
    --set "gateway.scheduler=$sched_url" --set "gateway.scheduler_hints=abstract://$socket.h" \
    --set "gateway.llm=abstract://$socket.l"
}

# suite_halt: ends all processes, callers first; what they wrote stays.
suite_halt() {
  local name
  for name in "${!pid[@]}"; do
    [ "$name" = scheduler ] || kill "${pid[$name]}" 2>/dev/null || true
  done
  for name in "${!pid[@]}"; do
    [ "$name" = scheduler ] || wait "${pid[$name]}" 2>/dev/null || true
  done
  if [ -n "${pid[scheduler]:-}" ]; then
    kill "${pid[scheduler]}" 2>/dev/null || true
    wait "${pid[scheduler]}" 2>/dev/null || true
  fi
  pid=()
}

suite_stop() {
  suite_halt
  [ -z "$work" ] || rm -rf "$work"
  work=
}

# workflow_put NAME: registers the tasks that come on standard input.
workflow_put() {
  {
    printf 'document: {dsl: "1.0.3", namespace: default, name: %s, version: "1.0.0"}\ndo:\n' "$1"
    cat
  } | curl -sS --fail-with-body -o "$work/put.json" -X PUT -H "Authorization: Bearer $key" \
    -H 'Content-Type: application/yaml' --data-binary @- "$url/v1/workflows/$1" ||
    { cat "$work/put.json" >&2; return 1; }
}
