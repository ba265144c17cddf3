#!/usr/bin/env bash
# demo.sh BIN_DIR: three articles at once, then a kill -9 in the middle of a run; ./run demo calls it.
# With OPENAI_API_KEY, or LLM_BASE_URL for a compatible server, in the environment it uses that
# (LLM_MODEL names the model); else the simulated provider.
set -euo pipefail
BIN=${1:?"usage: demo.sh BIN_DIR"}
HERE=$(cd "$(dirname "$0")" && pwd)
SUITE=0

if [ -t 1 ]; then BOLD=$'\033[1m' DIM=$'\033[2m' PLAIN=$'\033[0m'; else BOLD='' DIM='' PLAIN=''; fi
title() { printf '\n%s== %s%s\n' "$BOLD" "$*" "$PLAIN"; }
say() { printf '%s\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/tutti-demo.XXXXXX")
clean_up() {
  local code=$?
  if [ "$SUITE" -ne 0 ]; then
    kill -TERM "$SUITE" 2>/dev/null || true
    wait "$SUITE" 2>/dev/null || true
  fi
  [ "$code" -eq 0 ] || { printf 'demo: failed; the end of each log:\n' >&2; tail -n 5 "$FOLDER"/data/log/*.log >&2 || true; }
  rm -rf "$FOLDER"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

tutti() { "$BIN/tutti" --data "$FOLDER/data" "$@"; }
show() { node "$HERE/demo_show.mjs" "$@"; }
# endpoint SERVICE MEMBER: what `tutti up` wrote about one of its services.
endpoint() { show endpoint "$1" "$2" <"$FOLDER/data/endpoints.json"; }

# --- what the upstream has counted -------------------------------------------------------------
if [ -n "${OPENAI_API_KEY:-}" ] || [ -n "${LLM_BASE_URL:-}" ]; then
  METRIC=tutti_llm_tries_total
  UPSTREAM="the requests sent to ${LLM_BASE_URL:-api.openai.com}"
  SETTING=()
else
  METRIC=tutti_llm_simulated_total
  UPSTREAM="the answers the simulated provider has made"
  SETTING=(--set 'llm.providers.demo={type: simulated, first_event: 600ms, jitter: 1500ms}')
fi
upstream_calls() { curl -fsS "$(endpoint llm-proxy admin)/metrics" | awk -v name="$METRIC" 'index($0, name) == 1 { sum += $NF } END { print sum + 0 }'; }

# finished_calls RUN: LLM calls that the run has finished, by its history.
finished_calls() { tutti --json logs "$1" | grep -c '"type":"job.completed"' || true; }

# until_true SECONDS COMMAND...: waits for a condition.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

# --- the suite ---------------------------------------------------------------------------------
title "tutti up"
"$BIN/tutti" --data "$FOLDER/data" up --port 0 ${SETTING[@]+"${SETTING[@]}"} >"$FOLDER/up.log" 2>&1 &
SUITE=$!
up_or_gone() { grep -q 'is up' "$FOLDER/up.log" || ! kill -0 "$SUITE" 2>/dev/null; }
until_true 90 up_or_gone || true
grep -q 'is up' "$FOLDER/up.log" || { cat "$FOLDER/up.log" >&2; die "the suite does not start"; }
grep -v Ctrl-C "$FOLDER/up.log"
if [ "$METRIC" = tutti_llm_simulated_total ]; then
  say
  say "${BOLD}The texts below are SIMULATED: made up by the simulated provider, not by a model.${PLAIN}"
  say "Set OPENAI_API_KEY, or LLM_BASE_URL and LLM_MODEL for any compatible server, to use a real one."
fi

title "tutti apply"
tutti apply "$HERE/examples/seo-article.yaml" "$HERE/examples/article-in-steps.yaml"

# --- three articles ----------------------------------------------------------------------------
title "tutti run content/seo-article: one topic, three assistants at once"
cat >"$FOLDER/input.json" <<'JSON'
{
  "topic": "Heat pumps in houses built before 1970",
  "keywords": ["heat pump", "old house", "insulation", "running costs"],
  "assistants": [
    {"name": "engineer", "model": "smart", "prompt": "You are a heating engineer. Be exact, with numbers, without marketing."},
    {"name": "storyteller", "model": "smart", "prompt": "You tell the story of one family and its house. Warm, concrete, short sentences."},
    {"name": "critic", "model": "smart", "prompt": "You are sceptical and fair. Name costs and risks first, then when it pays."}
  ]
}
JSON
RUN=$(tutti run content/seo-article --input "@$FOLDER/input.json")
tutti logs "$RUN" --follow
tutti --json show "$RUN" >"$FOLDER/articles.json"
show articles <"$FOLDER/articles.json"

title "what happened, how long it took and what it cost"
tutti --json logs "$RUN" >"$FOLDER/history"
show history <"$FOLDER/history"
show totals <"$FOLDER/articles.json"

# --- durability --------------------------------------------------------------------------------
title "kill -9 in the middle of a run"
before=$(upstream_calls)
RUN=$(tutti run content/article-in-steps --input '{"topic": "Heat pumps in houses built before 1970"}')
say "five LLM calls, one after the other; until now $UPSTREAM: $before"
two_done() { [ "$(finished_calls "$RUN")" -ge 2 ]; }
until_true 300 two_done || die "the run does not move"
finished=$(finished_calls "$RUN")
pid=$(endpoint scheduler pid)
kill -9 "$pid"
[ "$finished" -lt 5 ] || die "the run was over before it could be disturbed"
say "$finished calls were finished: kill -9 of the scheduler, process $pid"
is_new() { local now; now=$(endpoint scheduler pid) && [ "$now" != "$pid" ] && kill -0 "$now" 2>/dev/null; }
until_true 30 is_new || die "tutti up does not start the scheduler again"
say "\`tutti up\` has started it again: process $(endpoint scheduler pid)"
completed() { [ "$(tutti --json show "$RUN" 2>/dev/null | show status)" = completed ]; }
until_true 300 completed || die "the run does not complete"
tutti --json logs "$RUN" >"$FOLDER/history"
show history <"$FOLDER/history"

after=$(upstream_calls)
calls=$((after - before))
say
say "$UPSTREAM, for this run: $calls"
if [ "$METRIC" = tutti_llm_simulated_total ]; then
  [ "$calls" -eq 5 ] || die "5 calls were expected: a finished one was made again"
  say "${BOLD}The run completed, and no finished call was made again.${PLAIN}"
else
  # A real upstream may refuse a try, which is then repeated; a finished call never is.
  [ "$(finished_calls "$RUN")" -eq 5 ] || die "5 finished calls were expected"
  [ "$calls" -ge 5 ] || die "at least 5 requests were expected"
  if [ "$calls" -eq 5 ]; then
    say "${BOLD}The run completed, and no finished call was made again.${PLAIN}"
  else
    say "${BOLD}The run completed. $((calls - 5)) requests were tries that had failed; every finished call counts once.${PLAIN}"
  fi
fi

title "tutti up: Ctrl-C"
kill -TERM "$SUITE"
code=0
wait "$SUITE" || code=$?
SUITE=0
tail -n 4 "$FOLDER/up.log"
[ "$code" -eq 0 ] || die "the suite ended with $code"
say "${DIM}$FOLDER is gone again.${PLAIN}"
