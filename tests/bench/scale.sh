# Sourced by run.sh: what stays the same when there is much, and what a slow disk or a crash costs.
# shellcheck shell=bash disable=SC2034,SC2154 # its variables are shared with who sources it

FLAT_RUNS=${FLAT_RUNS:-1000000}      # stored runs
FLAT_SLEEPING=${FLAT_SLEEPING:-100000}
FILL_SECONDS_MAX=${FILL_SECONDS_MAX:-300}
OPEN_MB=${OPEN_MB:-10000}            # of the data folder that is opened
TIMER_MS=${TIMER_MS:-300}
SYNC_US=${SYNC_US:-2000}
RECOVERIES=${RECOVERIES:-5}
CAMPAIGNS=${CAMPAIGNS:-1000}
JOB='{call: http, with: {method: get, endpoint: "http://127.0.0.1:9/%"}}'

ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", (b > 0 ? a / b : 0)}'; }

# runs_fill WORKFLOW COUNT: starts that many, 500 in a call; leaves `filled`.
runs_fill() {
  local item="{\"workflow\":\"$1\"}" items i until
  items=$item
  for ((i = 1; i < 500; i++)); do items+=",$item"; done
  filled=0
  until=$(($(now_us) + FILL_SECONDS_MAX * 1000000))
  while [ "$filled" -lt "$2" ] && [ "$(now_us)" -lt "$until" ]; do
    BODY="{\"items\":[$items]}" KEY=$key load "$url/v1/runs/batch" 4 2
    [ "$failed" = 0 ] || { put tutti fill_failed "$failed"; return; }
    filled=$((filled + count * 500))
  done
}

# pages_count: the next scheduler counts the pages that its commits write.
pages_count() {
  cc -O2 -shared -fPIC -o "$out/count_pages.so" "$here/preload/count_pages.c" -ldl
  scheduler_prefix=(env "LD_PRELOAD=$out/count_pages.so" "BENCH_PAGES=$out/pages")
}

# Commits, and pages of branches, leaves and large values, so far.
pages() { od -An -v -tu8 -w32 "$out/pages"; }

# flat_figure PREFIX NAME WORKFLOW CONNECTIONS: rate; CPU, written bytes and pages of the scheduler, which hold on a busy machine, too.
flat_figure() {
  local cpu bytes before after
  cpu=$(cpu_us "${pid[scheduler]}")
  bytes=$(written "${pid[scheduler]}")
  read -ra before < <(pages)
  BODY="{\"workflow\":\"$3\"}" KEY=$key load "$url/v1/runs?wait=30s" "$4"
  read -ra after < <(pages)
  put tutti "$1_$2_c$4_runs_per_s" "$rate"
  put tutti "$1_$2_c$4_p50_ms" "$p50"
  flat[$1_$2_c$4]=$rate
  [ "$count" -gt 0 ] || return 0
  put tutti "$1_$2_c$4_scheduler_cpu_us_per_run" $((($(cpu_us "${pid[scheduler]}") - cpu) / count))
  put tutti "$1_$2_c$4_written_bytes_per_run" $((($(written "${pid[scheduler]}") - bytes) / count))
  put tutti "$1_$2_c$4_pages_per_run" "$(awk -v a="${before[*]}" -v b="${after[*]}" -v n="$count" \
    'BEGIN {split(a, from); split(b, to); printf "%.2f", (to[2] - from[2] + to[3] - from[3] + to[4] - from[4]) / n}')"
  put tutti "$1_$2_c$4_pages_per_commit" "$(awk -v a="${before[*]}" -v b="${after[*]}" \
    'BEGIN {split(a, from); split(b, to); printf "%.1f", (to[2] - from[2] + to[3] - from[3] + to[4] - from[4]) / (to[1] - from[1])}')"
}

# Until the disk has what was written, and the scheduler does nothing: the filling's own end is not what is measured.
settle() {
  local cpu used=1000000 until
  until=$(($(now_us) + 30000000))
  while [ "$used" -gt 10000 ] && [ "$(now_us)" -lt "$until" ]; do
    sync -f "$work/store"
    cpu=$(cpu_us "${pid[scheduler]}")
    sleep 0.5
    used=$(($(cpu_us "${pid[scheduler]}") - cpu))
  done
}

# flat_figures PREFIX: the figures that must not depend on what is stored.
flat_figures() {
  settle
  flat_figure "$1" step1 step1 1
  flat_figure "$1" step1 step1 64
  flat_figure "$1" step10 jobs10 64
  put tutti "$1_scheduler_resident_mb" "$(memory "${pid[scheduler]}" RssAnon | awk '{printf "%.1f", $1 / 1e6}')"
}

flat_ratios() { # flat_ratios PREFIX: beside the empty store
  local figure
  for figure in step1_c1 step1_c64 step10_c64; do
    put tutti "$1_${figure}_ratio" "$(ratio "${flat[$1_$figure]}" "${flat[empty_$figure]}")"
  done
}

# Again after FLAT_RUNS stored runs, and after FLAT_SLEEPING that sleep for a day.
bench_flat() {
  declare -A flat
  pages_count
  suite_start scheduler gateway
  steps 1 '{set: {result: "result-%"}}' | workflow_put step1
  steps 10 "$JOB" | workflow_put jobs10
  printf '  - sleep: {wait: {days: 1}}\n' | workflow_put sleeper
  worker_start
  BODY='{"workflow":"step1"}' KEY=$key load "$url/v1/runs?wait=30s" 16 1 # warm
  flat_figures empty
  local begun
  begun=$(now_us)
  runs_fill step1 "$FLAT_RUNS"
  put tutti stored_runs "$filled"
  put tutti stored_starts_per_s $((filled * 1000000 / ($(now_us) - begun)))
  flat_figures stored
  flat_ratios stored
  runs_fill sleeper "$FLAT_SLEEPING"
  put tutti sleeping_runs "$filled"
  flat_figures sleeping
  flat_ratios sleeping
  suite_stop
  scheduler_prefix=()
}

# run_mean_ms WORKFLOW: from the start of a run to its end, in the scheduler's own view, of all there were.
run_mean_ms() {
  curl -fs "http://127.0.0.1:${admin_port[scheduler]}/metrics" |
    awk -v w="workflow=\"$1\"" 'index($1, w) && $1 ~ /^tutti_run_duration_seconds_sum/ {sum = $2}
      index($1, w) && $1 ~ /^tutti_run_duration_seconds_count/ {count = $2}
      END {print (count > 0 ? sum * 1000 / count : 0)}'
}

# How much later than they should timers fire, as who waits for the run sees it, while 64 callers
# start runs without a pause.
bench_timers() {
  suite_start scheduler gateway
  steps 1 '{set: {result: "result-%"}}' | workflow_put step1
  printf '  - sleep: {wait: {milliseconds: %d}}\n' "$TIMER_MS" | workflow_put timer
  local kind other
  for kind in idle loaded; do
    other=
    if [ $kind = loaded ]; then
      (BODY='{"workflow":"step1"}' KEY=$key load "$url/v1/runs?wait=30s" 64 $((seconds + 1))) &
      other=$!
    fi
    BODY='{"workflow":"timer"}' KEY=$key load "$url/v1/runs?wait=30s" 32
    put tutti "timer_${kind}_late_p50_ms" "$(awk -v a="$p50" -v b="$TIMER_MS" 'BEGIN {printf "%.3f", a - b}')"
    put tutti "timer_${kind}_late_p99_ms" "$(awk -v a="$p99" -v b="$TIMER_MS" 'BEGIN {printf "%.3f", a - b}')"
    put tutti "timer_${kind}_scheduler_late_mean_ms" "$(run_mean_ms timer | awk -v b="$TIMER_MS" '{printf "%.3f", $1 - b}')"
    [ "$failed" = 0 ] || put tutti "timer_${kind}_failed" "$failed"
    [ -z "$other" ] || wait "$other"
  done
  suite_stop
}

# first_run: waits until a run that is started now has ended; ms since $1.
first_run_ms() {
  until curl -fs -m 5 -o /dev/null -H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
    -d '{"workflow":"step1"}' "$url/v1/runs?wait=5s"; do :; done
  echo $((($(now_us) - $1) / 1000))
}

# The scheduler is killed under load and started again at once, as `tutti up` does.
bench_recovery() {
  suite_start scheduler gateway
  steps 1 '{set: {result: "result-%"}}' | workflow_put step1
  steps 10 "$JOB" | workflow_put jobs10
  worker_start
  local i killed ms worst=0 list='' other
  for ((i = 0; i < RECOVERIES; i++)); do
    (BODY='{"workflow":"jobs10"}' KEY=$key load "$url/v1/runs?wait=10s" 64 4 >/dev/null 2>&1) &
    other=$!
    sleep 2
    killed=$(now_us)
    kill -9 "${pid[scheduler]}"
    wait "${pid[scheduler]}" 2>/dev/null || true
    scheduler_start
    put tutti "recovery_${i}_ready_ms" $((($(now_us) - killed) / 1000))
    ms=$(first_run_ms "$killed")
    list+="$ms"$'\n'
    [ "$ms" -le "$worst" ] || worst=$ms
    wait "$other" || true
  done
  put tutti kill_to_first_run_p50_ms "$(printf '%s' "$list" | sort -n | awk '{a[NR] = $1} END {print a[int((NR + 1) / 2)]}')"
  put tutti kill_to_first_run_max_ms "$worst"
  suite_stop
}

# slow_sync MICROSECONDS: the next schedulers have that disk; below zero one that makes nothing durable.
slow_sync() {
  [ -e "$out/slow_sync.so" ] || cc -O2 -shared -fPIC -o "$out/slow_sync.so" "$here/preload/slow_sync.c" -ldl
  scheduler_prefix=(env "LD_PRELOAD=$out/slow_sync.so" "BENCH_SYNC_US=$1")
}

# A data folder of OPEN_MB, of runs with inputs of 100 KB, opens. Nothing is synced while it is made.
bench_open() {
  local free text size
  free=$(df --output=avail -m "${BENCH_DIR:-/tmp}" | tail -n 1)
  [ "$free" -gt $((OPEN_MB + OPEN_MB / 4)) ] || { put_none tutti "$free MB are free, OPEN_MB is $OPEN_MB"; return 0; }
  slow_sync -1
  suite_start scheduler gateway
  scheduler_prefix=()
  steps 1 '{set: {result: "result-%"}}' | workflow_put step1
  text=$(head -c 75000 /dev/urandom | base64 -w0)
  local until=$(($(now_us) + FILL_SECONDS_MAX * 1000000))
  size=0
  while [ "$size" -lt "$OPEN_MB" ] && [ "$(now_us)" -lt "$until" ]; do
    BODY="{\"workflow\":\"step1\",\"input\":{\"text\":\"$text\"}}" KEY=$key load "$url/v1/runs" 16 2
    [ "$failed" = 0 ] || { put tutti fill_failed "$failed"; break; }
    size=$(($(stat -c %s "$work/store/p0/data.mdb") / 1000000))
  done
  put tutti store_mb "$size"
  kill -9 "${pid[scheduler]}"
  wait "${pid[scheduler]}" 2>/dev/null || true
  scheduler_start
  put tutti open_after_kill_ready_ms "${ready_ms[scheduler]}"
  kill "${pid[scheduler]}"
  wait "${pid[scheduler]}" 2>/dev/null || true
  scheduler_start
  put tutti open_ready_ms "${ready_ms[scheduler]}"
  put tutti open_scheduler_resident_mb "$(memory "${pid[scheduler]}" RssAnon | awk '{printf "%.1f", $1 / 1e6}')"
  suite_stop
}

# A disk that takes SYNC_US longer for whatever makes data durable.
bench_slowdisk() {
  local kind figure
  declare -A flat
  for kind in fast slow; do
    [ $kind = fast ] || slow_sync "$SYNC_US"
    suite_start scheduler gateway
    steps 1 '{set: {result: "result-%"}}' | workflow_put step1
    steps 10 "$JOB" | workflow_put jobs10
    worker_start
    for figure in step1 jobs10; do
      BODY="{\"workflow\":\"$figure\"}" KEY=$key load "$url/v1/runs?wait=30s" 256
      put tutti "${kind}_${figure}_c256_runs_per_s" "$rate"
      put tutti "${kind}_${figure}_c256_p50_ms" "$p50"
      flat[${kind}_$figure]=$rate
    done
    suite_stop
  done
  scheduler_prefix=()
  for figure in step1 jobs10; do
    put tutti "${figure}_c256_fast_to_slow" "$(ratio "${flat[fast_$figure]}" "${flat[slow_$figure]}")"
  done
  put_condition sync_us_more "$SYNC_US"
}

# Bytes that a process has had written to disks.
written() { awk '$1 == "write_bytes:" {print $2}' "/proc/$1/io"; }

# What the archive costs: the same without it and with it on the same disk, in turns. CPU and bytes per run hold on a busy machine,
# too; rates do not.
bench_archive() {
  local round kind figure connections folder name cpu bytes
  declare -A best
  for round in 1 2; do
    for kind in without with; do
      scheduler_more=()
      folder=$(mktemp -d "${BENCH_DIR:-/tmp}/tutti-archive.XXXXXX")
      [ $kind = without ] || scheduler_more=(--set "scheduler.archive.path=$folder")
      suite_start scheduler gateway
      steps 1 '{set: {result: "result-%"}}' | workflow_put step1
      steps 10 "$JOB" | workflow_put jobs10
      worker_start
      for figure in step1_1 step1_64 step1_256 jobs10_64 jobs10_256; do
        connections=${figure#*_}
        name=${kind}_${figure%_*}_c$connections
        cpu=$(cpu_us "${pid[scheduler]}")
        bytes=$(written "${pid[scheduler]}")
        BODY="{\"workflow\":\"${figure%_*}\"}" KEY=$key load "$url/v1/runs?wait=30s" "$connections"
        put tutti "${name}_runs_per_s_$round" "$rate"
        [ "$count" -gt 0 ] || continue
        put tutti "${name}_scheduler_cpu_us_per_run_$round" $((($(cpu_us "${pid[scheduler]}") - cpu) / count))
        put tutti "${name}_bytes_written_per_run_$round" $((($(written "${pid[scheduler]}") - bytes) / count))
        best[${kind}_$figure]=$(awk -v a="${best[${kind}_$figure]:-0}" -v b="$rate" 'BEGIN {print (b > a ? b : a)}')
      done
      suite_stop
      rm -rf "$folder"
    done
  done
  scheduler_more=()
  for figure in step1_1 step1_64 step1_256 jobs10_64 jobs10_256; do
    put tutti "${figure%_*}_c${figure#*_}_without_to_with" "$(ratio "${best[without_$figure]}" "${best[with_$figure]}")"
  done
}

# CAMPAIGNS runs of the marketing campaign at once, none of whose jobs anybody does.
bench_campaigns() {
  local i name sum=0 resident item items until=$(($(now_us) + 15000000))
  suite_start
  "$bin/jobs_worker" "$sched_url" tests/language/samples/functions.yaml >"$work/worker.log" 2>&1 &
  pid[worker]=$!
  until curl -fsS -o "$work/put.json" -X PUT -H "Authorization: Bearer $key" -H 'Content-Type: application/yaml' \
    --data-binary @compose/examples/marketing-campaign.yaml "$url/v1/workflows/campaign" 2>"$work/put.err"; do
    [ "$(now_us)" -lt "$until" ] || { put_none tutti "the campaign is refused: $(cat "$work/put.err" "$work/worker.log")"; suite_stop; return 0; }
    sleep 0.2 # the functions are still being registered
  done
  item='{"workflow":"marketing/campaign","input":{"campaign":"Spring Wheels","brief":"New wheels for spring","audience":"commuters"'
  item+=',"brand_voice":"calm","competitors":["https://rival.test"],"repo":"acme/campaigns","base_sha":"abc","review_channel":"C1"'
  item+=',"channels":["email","blog"],"mailing_list":"list@acme.test","blog_repo":"acme/blog"}}'
  items=$item
  for ((i = 1; i < 100; i++)); do items+=",$item"; done
  for ((i = 0; i < CAMPAIGNS; i += 100)); do
    curl -fsS -o "$work/started.json" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
      -d "{\"items\":[$items]}" "$url/v1/runs/batch"
  done
  sleep 2
  for name in scheduler gateway tool-adapter llm-proxy; do
    resident=$(memory "${pid[$name]}" RssAnon)
    sum=$((sum + resident))
    put tutti "campaigns_${name}_resident_mb" "$(awk -v b="$resident" 'BEGIN {printf "%.1f", b / 1e6}')"
  done
  put tutti campaigns "$CAMPAIGNS"
  put_condition campaigns_queue "$(curl -fsS -H "Authorization: Bearer $key" "$url/v1/queues/tools.nobody" | head -c 200)"
  put tutti campaigns_resident_mb "$(awk -v b="$sum" 'BEGIN {printf "%.1f", b / 1e6}')"
  suite_stop
}
