# Sourced by run.sh: what the suite costs when it has nothing to do, and what sleeping runs cost.
# "resident" is RssAnon: memory that is a process's own. Mapped pages (RssFile: programs, libraries
# and the store, which the kernel takes back when it wants) stand beside it.
# shellcheck shell=bash disable=SC2034,SC2154 # its variables are shared with who sources it

IDLE_SECONDS=${IDLE_SECONDS:-30}
SLEEPING_RUNS=${SLEEPING_RUNS:-100000}

bench_idle() {
  suite_start
  local name
  declare -A before
  local names=(gateway scheduler tool-adapter llm-proxy)
  for name in "${names[@]}"; do
    put tutti "${name}_ready_ms" "${ready_ms[$name]}"
    before[$name]=$(cpu_us "${pid[$name]}")
  done
  sleep "$IDLE_SECONDS"
  local used
  for name in "${names[@]}"; do
    used=$(($(cpu_us "${pid[$name]}") - before[$name]))
    put tutti "${name}_cpu_percent" "$(awk -v u="$used" -v s="$IDLE_SECONDS" 'BEGIN {printf "%.3f", u / s / 1e4}')"
    put tutti "${name}_resident_mb" "$(memory "${pid[$name]}" RssAnon | awk '{printf "%.1f", $1 / 1e6}')"
    put tutti "${name}_mapped_mb" "$(memory "${pid[$name]}" RssFile | awk '{printf "%.1f", $1 / 1e6}')"
  done

  # Runs that sleep for an hour.
  printf '  - sleep: {wait: {hours: 1}}\n' | workflow_put sleeper
  local started=0 begun
  begun=$(now_us)
  while [ "$started" -lt "$SLEEPING_RUNS" ]; do
    BODY='{"workflow":"sleeper"}' KEY=$key load "$url/v1/runs" 64 2
    [ "$failed" = 0 ] || { put tutti sleeping_failed "$failed"; break; }
    started=$((started + count))
  done
  put tutti sleeping_runs "$started"
  put tutti sleeping_starts_per_s $((started * 1000000 / ($(now_us) - begun)))
  sleep 5
  put tutti sleeping_scheduler_resident_mb "$(memory "${pid[scheduler]}" RssAnon | awk '{printf "%.1f", $1 / 1e6}')"
  put tutti sleeping_scheduler_mapped_mb "$(memory "${pid[scheduler]}" RssFile | awk '{printf "%.1f", $1 / 1e6}')"
  put tutti sleeping_gateway_resident_mb "$(memory "${pid[gateway]}" RssAnon | awk '{printf "%.1f", $1 / 1e6}')"
  put tutti sleeping_store_bytes_per_run "$(stat -c %s "$work"/store/*/data.mdb | awk -v n="$started" '{sum += $1} END {printf "%.0f", sum / n}')"
  before[scheduler]=$(cpu_us "${pid[scheduler]}")
  sleep 5
  used=$(($(cpu_us "${pid[scheduler]}") - before[scheduler]))
  put tutti sleeping_scheduler_cpu_percent "$(awk -v u="$used" 'BEGIN {printf "%.3f", u / 5 / 1e4}')"
  suite_stop
}
