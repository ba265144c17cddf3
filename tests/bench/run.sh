#!/usr/bin/env bash
# ./run bench [NAME] [--json]: measures, and prints a table. With --json the last line is one
# object: {"tutti": {figure: number}, "<peer>": {the same figures}, "conditions": {...}}; without
# NAME it holds such an object for every bench. A peer that cannot be had is null, and the
# conditions say why.
#
# In the environment: BENCH_SECONDS (of each measurement, 5), BENCH_DIR (where the stores are: the
# disk that is measured, /tmp), BENCH_PEERS=no (only ours), and the sizes at the top of scale.sh.
# flat, open, llm, llm_flat and llm_soak are measured only by their names.
# The functions of the benches are called by their names; regular expressions are sed's.
# shellcheck disable=SC2317,SC1003,SC2001
set -euo pipefail
cd "$(dirname "$0")/../.."

here=$PWD/tests/bench
bin=$PWD/build/release/bin
seconds=${BENCH_SECONDS:-5}
all=(rpc store engine json html pii expr workflow memory tools httpd idle timers recovery slowdisk archive campaigns)
by_name=(flat open llm llm_flat llm_soak) # take minutes and gigabytes
out=$(mktemp -d)

# shellcheck source=tests/bench/suite.sh
. "$here/suite.sh"
# shellcheck source=tests/bench/engine_http.sh
. "$here/engine_http.sh"
# shellcheck source=tests/bench/llm_http.sh
. "$here/llm_http.sh"
# shellcheck source=tests/bench/tools_http.sh
. "$here/tools_http.sh"
# shellcheck source=tests/bench/idle.sh
. "$here/idle.sh"
# shellcheck source=tests/bench/scale.sh
. "$here/scale.sh"

# Under `set -e` a figure that cannot be had ends the bench: it says which.
say_where() { # say_where LINE COMMAND
  echo "bench: ended in ${FUNCNAME[1]} (${BASH_SOURCE[1]##*/}:$1): $2" >&2
}
set -o errtrace
trap 'say_where "$LINENO" "$BASH_COMMAND"' ERR

cleanup() {
  suite_stop
  rm -rf "$out"
}
trap cleanup EXIT

# --- figures --------------------------------------------------------------------------------------

put() { # put WHO FIGURE NUMBER
  printf '%s %s\n' "$2" "$3" >>"$out/who.$1"
  grep -qxF "$2" "$out/order" || echo "$2" >>"$out/order"
}

put_none() { # put_none PEER REASON
  printf '%s' "$2" | tr '\n"\\' "  '" >"$out/none.$1"
}

put_condition() { # put_condition NAME TEXT
  printf '"%s": "%s"\n' "$1" "$(printf '%s' "$2" | tr '\n"\\' "  '")" >>"$out/conditions"
}

begin() {
  rm -f "$out"/*
  : >"$out/order"
  put_condition date "$(date -u +%FT%TZ)"
  put_condition cpu "$(awk -F': ' '/^model name/ {print $2; exit}' /proc/cpuinfo), $(nproc) CPUs"
  put_condition kernel "$(uname -sr)"
  put_condition load_before "$(cut -d' ' -f1-3 /proc/loadavg)"
  put_condition commit "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
  printf '"fdatasync_p50_us": %s\n' "$("$bin/sync_probe" "${BENCH_DIR:-/tmp}")" >>"$out/conditions"
}

people() { # the table
  local who
  printf '\n%-44s' "$1"
  for who in "$out"/who.*; do printf '%14s' "${who##*/who.}"; done
  printf '\n'
  while read -r figure; do
    printf '%-44s' "$figure"
    for who in "$out"/who.*; do
      printf '%14s' "$(awk -v f="$figure" '$1 == f {print $2; found = 1} END {if (!found) print "-"}' "$who")"
    done
    printf '\n'
  done <"$out/order"
  for who in "$out"/none.*; do
    [ -e "$who" ] && printf '%s: none: %s\n' "${who##*/none.}" "$(cat "$who")"
  done
  sed 's/^/  /' "$out/conditions"
}

object() { # the same for programs
  local who comma=
  printf '{'
  for who in "$out"/who.*; do
    printf '%s"%s": {' "$comma" "${who##*/who.}"
    awk '{printf "%s\"%s\": %s", (NR > 1 ? ", " : ""), $1, $2}' "$who"
    printf '}'
    comma=', '
  done
  for who in "$out"/none.*; do
    [ -e "$who" ] || continue
    printf '%s"%s": null' "$comma" "${who##*/none.}"
    printf '"%s": "%s"\n' "${who##*/none.}" "$(cat "$who")" >>"$out/conditions"
  done
  printf ', "conditions": {%s}}' "$(paste -sd, "$out/conditions" | sed 's/,"/, "/g')"
}

targets() { # builds what a bench needs, quietly
  mkdir -p build
  { cmake --preset release && cmake --build --preset release -j "$(nproc)" --target sync_probe cpu_probe "$@"; } \
    >build/bench.log 2>&1 || { tail -n 30 build/bench.log >&2; exit 1; }
}

wants_peers() { [ "${BENCH_PEERS:-yes}" != no ]; }

# --- the libraries --------------------------------------------------------------------------------

put_rows() { # rows of rpc_bench --json become figures of WHO
  local who=$1
  tr -d '{},"' | awk '/calls_per_s:/ {
      for (i = 1; i < NF; i++) v[$i] = $(i + 1)
      name = v["path:"] "_" v["size_bytes:"] "b_c" v["outstanding:"]
      print name "_calls_per_s", v["calls_per_s:"]
      print name "_p50_us", v["p50_us:"]
      print name "_p99_us", v["p99_us:"]
      print name "_cpu_us_per_call", v["cpu_us_per_call:"]
    }' >"$out/rows"
  while read -r figure number; do put "$who" "$figure" "$number"; done <"$out/rows"
}

bench_rpc() {
  "$bin/rpc_bench" --json --seconds "$seconds" | put_rows tutti
  wants_peers || return 0
  local answer
  answer=$("$here/peers/grpc/run.sh" "$seconds") || answer='{"peer": null, "reason": "it does not run here"}'
  case $answer in
    *'"peer": null'*) put_none grpc "$(sed 's/.*"reason": "\(.*\)"}.*/\1/' <<<"$answer")" ;;
    # Its calls travel one per message whatever the path is called.
    *) sed 's/"path": "[a-z]*"/"path": "alone"/' <<<"$answer" | put_rows grpc ;;
  esac
}

bench_store() {
  "$bin/store_bench" --json --seconds "$seconds" --dir "${BENCH_DIR:-/tmp}" |
    tr -d '{}"' | tr ',:' '  ' | awk '{
      for (i = 1; i < NF; i += 2) v[$i] = $(i + 1)
      name = v["case"] "_c" v["outstanding"]
      print name "_per_s", v["per_second"]
      print name "_p50_us", v["p50_us"]
      print name "_p99_us", v["p99_us"]
      print name "_fdatasync_p50_us", v["fdatasync_p50_us"]
    }' >"$out/rows"
  while read -r figure number; do put tutti "$figure" "$number"; done <"$out/rows"
}

bench_pii() { rates pii_bench; }

# The memory's recall, beside plain loops over the same numbers.
bench_memory() {
  "$bin/memory_bench" "${BENCH_DIR:-/tmp}" >"$out/rows"
  while read -r figure number; do put tutti "$figure" "$number"; done <"$out/rows"
}

bench_json() { rates json_bench; }

bench_html() { # its lines of milliseconds
  "$bin/html_bench" | awk '$NF == "ms" {
      number = $(NF - 1); $NF = ""; $(NF - 1) = ""; gsub(/,/, ""); sub(/ +$/, ""); gsub(/ /, "_")
      print $0 "_ms", number
    }' >"$out/rows"
  while read -r figure number; do put tutti "$figure" "$number"; done <"$out/rows"
}

rates() { # rates PROGRAM: its lines of MB/s
  "$bin/$1" | awk '/MB\/s/ {
      number = $(NF - 1); $NF = ""; $(NF - 1) = ""; sub(/ +$/, ""); gsub(/ /, "_")
      print $0 "_mb_per_s", number
    }' >"$out/rows"
  while read -r figure number; do put tutti "$figure" "$number"; done <"$out/rows"
}

expr_rows() { # expr_rows WHO: the table of expr_bench on standard input
  awk 'NR > 1 {
      compile = $1; eval = $2; $1 = ""; $2 = ""
      gsub(/[^A-Za-z0-9]+/, "_"); gsub(/^_|_$/, "")
      print $0 "_compile_us", compile
      print $0 "_eval_us", eval
    }' >"$out/rows"
  while read -r figure number; do put "$1" "$figure" "$number"; done <"$out/rows"
}

# Beside libjq, on the same programs and input.
bench_expr() {
  "$bin/expr_bench" | expr_rows tutti
  [ "${BENCH_PEERS:-yes}" = yes ] || { put_none libjq "BENCH_PEERS=no"; return; }
  if ! cc -O2 -o "$out/jq_peer" "$here/peers/jq.c" -ljq 2>"$out/jq_peer.log"; then
    put_none libjq "libjq-dev is not installed: $(head -n 1 "$out/jq_peer.log")"
    return
  fi
  "$bin/expr_bench" --programs | "$out/jq_peer" | expr_rows libjq
  put_condition libjq "$(dpkg-query -W -f '${Version}' libjq-dev 2>/dev/null || echo unknown)"
}

bench_workflow() {
  "$bin/workflow_bench" >"$out/workflow"
  put_condition definition "$(head -n 1 "$out/workflow")"
  while read -r number figure; do put tutti "${figure}_ms" "$number"; done < <(tail -n +2 "$out/workflow")
}

# The same server under the same client: wrk, over loopback, on the same CPUs.
httpd_measure() { # httpd_measure WHO PORT
  local connections numbers
  for connections in 1 64 256; do
    numbers=$(wrk -t1 -c"$connections" -d"${seconds}s" -s "$here/get.lua" "http://127.0.0.1:$2/")
    read -r _ rate p50 p99 _ failed _ <<<"$(grep '^result' <<<"$numbers")"
    [ "$failed" = 0 ] || put "$1" "c${connections}_failed" "$failed"
    put "$1" "c${connections}_requests_per_s" "$rate"
    put "$1" "c${connections}_p50_ms" "$p50"
    put "$1" "c${connections}_p99_ms" "$p99"
  done
}

bench_httpd() {
  local server line port
  exec {serve_fd}< <(exec "$bin/httpd_bench" serve 0 1)
  server=$!
  read -r line <&"$serve_fd"
  httpd_measure tutti "${line#port }"
  kill "$server"
  exec {serve_fd}<&-
  wants_peers || return 0
  command -v nginx >/dev/null || { put_none nginx "nginx is not installed"; return 0; }
  port=$(free_port)
  mkdir -p "$out/nginx"
  cat >"$out/nginx.conf" <<CONF
daemon off; worker_processes 1; pid $out/nginx.pid; error_log stderr crit;
events { worker_connections 2048; }
http { access_log off; keepalive_requests 1000000000;
  client_body_temp_path $out/nginx; proxy_temp_path $out/nginx; fastcgi_temp_path $out/nginx;
  uwsgi_temp_path $out/nginx; scgi_temp_path $out/nginx;
  server { listen 127.0.0.1:$port; location / { default_type application/json;
    return 200 '{"id":"01KAN3M5T8V0000000000000G5","status":"running"}'; } } }
CONF
  nginx -c "$out/nginx.conf" &
  server=$!
  until curl -fs -o /dev/null "http://127.0.0.1:$port/"; do
    kill -0 "$server" 2>/dev/null || { put_none nginx "it does not start here"; return 0; }
    sleep 0.05
  done
  httpd_measure nginx "$port"
  kill "$server"
  wait "$server" 2>/dev/null || true
}

# --- main -----------------------------------------------------------------------------------------

declare -A programs=(
  [rpc]=rpc_bench [store]=store_bench [json]=json_bench [html]=html_bench [pii]=pii_bench [memory]=memory_bench [expr]=expr_bench [workflow]=workflow_bench [httpd]=httpd_bench
  [engine]="jobs_worker journal_size tutti-gateway tutti-scheduler tutti-llm-proxy"
  [llm]="llm_upstream tutti-gateway tutti-scheduler tutti-llm-proxy"
  [llm_flat]="llm_upstream tutti-gateway tutti-scheduler tutti-llm-proxy"
  [llm_soak]="llm_upstream tutti-gateway tutti-scheduler tutti-llm-proxy"
  [flat]="jobs_worker tutti-gateway tutti-scheduler" [timers]="tutti-gateway tutti-scheduler"
  [recovery]="jobs_worker tutti-gateway tutti-scheduler" [open]="tutti-gateway tutti-scheduler"
  [campaigns]="jobs_worker tutti-gateway tutti-scheduler tutti-tool-adapter tutti-llm-proxy"
  [slowdisk]="jobs_worker tutti-gateway tutti-scheduler"
  [archive]="jobs_worker tutti-gateway tutti-scheduler"
  [tools]="tools_bench llm_upstream tutti-gateway tutti-scheduler tutti-tool-adapter"
  [idle]="tutti-gateway tutti-scheduler tutti-tool-adapter tutti-llm-proxy"
)

is_json=false
chosen=()
for argument; do
  case $argument in
    --json) is_json=true ;;
    -h | --help)
      sed -n '2,/^set /{/^# The functions/,$d;s/^# \{0,1\}//;p}' "$here/run.sh"
      echo "There are: ${all[*]} ${by_name[*]}"
      exit 0
      ;;
    *)
      [ -n "${programs[$argument]:-}" ] || {
        echo "bench: unknown name '$argument'; there are: ${all[*]} ${by_name[*]}" >&2
        exit 64
      }
      chosen+=("$argument")
      ;;
  esac
done
[ ${#chosen[@]} -gt 0 ] || chosen=("${all[@]}")

objects=
for name in "${chosen[@]}"; do
  # shellcheck disable=SC2086 # a list of words
  targets ${programs[$name]}
  begin
  "bench_$name"
  put_condition load_after "$(cut -d' ' -f1-3 /proc/loadavg)"
  people "$name"
  if [ ${#chosen[@]} -eq 1 ]; then objects=$(object); else objects+="${objects:+, }\"$name\": $(object)"; fi
done
[ ${#chosen[@]} -eq 1 ] || objects="{$objects}"
$is_json && printf '%s\n' "$objects"
exit 0
