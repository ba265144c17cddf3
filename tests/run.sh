#!/usr/bin/env bash
# run.sh [--long]: all tests; ./run test calls it. The last line is the sum of them.
# --long adds chaos, conformance of protocols, refused memory, valgrind, fuzzing, the thread sanitizer and the scenarios' long counts.
# TUTTI_RETRY=1 repeats what failed once, alone, and says that it was unsteady.
# SCENARIOS=NAME... runs only these files of tests/scenario; FUZZ_SECONDS says how long each target runs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
JOBS=${JOBS:-$(nproc)}
LONG=
[ "${1:-}" = --long ] && LONG=1
mkdir -p build

# shellcheck source=tests/node.sh
. tests/node.sh

# build PRESET [TARGET...]
build() {
  local preset=$1 log=build/$1.build.log
  shift
  cmake --preset "$preset" >"$log" 2>&1 && cmake --build --preset "$preset" -j "$JOBS" ${1:+--target "$@"} >>"$log" 2>&1 && return
  grep -E -A20 'FAILED|error:|CMake Error' "$log" | head -n 60 >&2
  return 1
}

# What the programs of a ctest log counted themselves (cmocka), else one for each program: passed, failed, skipped.
ctest_count() {
  awk '
    match($0, /^[0-9]+: /)                       { test = $1 + 0 }
    /\[  PASSED  \] [0-9]+ test/                 { split($0, part, /\[  PASSED  \] /); ok[test] += part[2] + 0 }
    /\[  SKIPPED \] ([^:]*: )?[0-9]+ test\(s\)/ { match($0, /[0-9]+ test\(s\)/); skip += substr($0, RSTART) + 0 }
    /\[  FAILED  \] ([^:]*: )?[0-9]+ test\(s\)/ { match($0, /[0-9]+ test\(s\)/); bad[test] += substr($0, RSTART) + 0 }
    /^ *[0-9]+\/[0-9]+ Test +#[0-9]+:.*Passed/   { match($0, /#[0-9]+/); t = substr($0, RSTART + 1, RLENGTH - 1) + 0; all_ok += ok[t] ? ok[t] : 1 }
    /^ *[0-9]+\/[0-9]+ Test +#[0-9]+:.*\*\*\*/   { match($0, /#[0-9]+/); t = substr($0, RSTART + 1, RLENGTH - 1) + 0
                                                   if (/Skipped/) skip++; else { all_ok += ok[t]; all_bad += bad[t] ? bad[t] : 1 } }
    END                                          { printf "%d %d %d\n", all_ok, all_bad, skip }' "$1"
}

# One more at a time than there are CPUs: many wait for a disk or a clock.
ctest_run() { # ctest_run PRESET [CTEST ARGUMENTS...]
  local preset=$1 log=build/$1.test.log right wrong left skips
  shift
  ctest --preset "$preset" -j "$((JOBS + 1))" --verbose "$@" >"$log" 2>&1
  grep -E '^[0-9]+: .*(\[  FAILED  \]|\[   LINE   \]|ERROR:|runtime error)|\*\*\*' "$log" | head -n 60
  read -r right wrong skips < <(ctest_count "$log")
  left=$wrong
  if [ "$wrong" -gt 0 ] && [ -n "${TUTTI_RETRY:-}" ]; then
    ctest --preset "$preset" --verbose --rerun-failed >"$log.again" 2>&1
    read -r _ left _ < <(ctest_count "$log.again")
    # shellcheck disable=SC2046 # a name each
    unsteady "$wrong" "$left" $(sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) .*/\1/p' "$log.again")
  fi
  add "$preset" $((right + wrong - left)) "$left" "$skips"
}

scenarios() { # scenarios BIN_DIR
  local files=() file
  for file in tests/scenario/*.test.mjs; do
    [ -z "${SCENARIOS:-}" ] || [[ " $SCENARIOS " == *" $(basename "$file" .test.mjs) "* ]] && files+=("$file")
  done
  node_tests scenario "$1" "${files[@]}"
}

# What goes wrong with machines, one after the other: disks, memory, networks, clocks; with the table of invariants of each.
chaos() { # chaos BIN_DIR
  CONCURRENCY=1 node_tests chaos "$1" tests/chaos/*.test.mjs
  sed -n 's/^# .#/#/p' build/chaos.log
}

fuzz() {
  local target name
  build fuzz || { broke fuzz; return; }
  for target in build/fuzz/bin/*_fuzz build/fuzz/tests/*_fuzz; do
    [ -x "$target" ] || continue
    name=$(basename "$target")
    mkdir -p "build/corpus/$name"
    if "$target" -max_total_time="${FUZZ_SECONDS:-60}" -artifact_prefix="build/corpus/$name." "build/corpus/$name" "tests/fuzz/corpus/$name" >"build/$name.log" 2>&1; then
      add "$name" 1 0 0
    else
      tail -n 30 "build/$name.log"
      add "$name" 0 1 0
    fi
  done
}

# Memory is refused at each asking of the store, the engine and calls, and at 40 of each input of each parser.
refusals() { # refusals BIN_DIR
  local program
  local -x TMPDIR=/dev/shm LSAN_OPTIONS=suppressions=$PWD/tests/refusal/lsan.supp:print_suppressions=0
  for program in refused_memory refused_engine refused_rpc; do
    if "$1/$program"; then add "$program" 1 0 0; else add "$program" 0 1 0; fi
  done
  for program in "$1"/*_fuzz; do
    if "$program" --refusals 40 "tests/fuzz/corpus/$(basename "$program")" >build/refusals.log; then tail -n 1 build/refusals.log; add "$(basename "$program")" 1 0 0
    else cat build/refusals.log; add "$(basename "$program")" 0 1 0; fi
  done
}

# The descriptions that adapters are held against are large: they come while the compiler works.
mkdir -p build/contract
node_for contract >build/contract.npm.log 2>&1 &
fetching=$!
say "build with the address and undefined-behaviour sanitizers"
if build dev; then
  say "unit tests, fuzz corpora, style"
  ctest_run dev -E '^scenario'
  say "the official schema as an oracle, graphs"
  node_tests oracle build/dev/bin tests/oracle/*.test.mjs
  say "expressions against jq 1.7"
  node_tests expr build/dev/bin tests/expr/*.test.mjs
  say "manifests of adapters against the official descriptions"
  wait "$fetching" || cat build/contract.npm.log >&2
  node_tests contract build/dev/bin tests/contract/*.test.mjs
  say "scenarios: processes over real sockets"
  scenarios build/dev/bin
else
  broke dev
fi
if [ -n "$LONG" ]; then
  say "chaos: disks, memory, networks and clocks fail"
  chaos build/dev/bin
  say "the conformance suite of the Model Context Protocol"
  node_tests mcp build/dev/bin tests/mcp/*.test.mjs
  say "thread sanitizer"
  if build tsan; then ctest_run tsan -R '^unit\.'; scenarios build/tsan/bin; else broke tsan; fi
  say "memory that is refused"
  refusals build/dev/bin
  say "valgrind"
  mapfile -t targets < <(tests/valgrind.sh --targets)
  if build release "${targets[@]}"; then
    if tests/valgrind.sh build/release/bin; then add valgrind 1 0 0; else add valgrind 0 1 0; fi
  else broke release; fi
  say "the model of leases"
  if tests/model/lease.sh --long; then add model 1 0 0; else add model 0 1 0; fi
  say "simulator, ${SIMULATOR_SEEDS:-20000} seeds more"
  if build release simulator; then
    if build/release/bin/simulator --from 10001 --seeds "${SIMULATOR_SEEDS:-20000}" | tail -n 20; then add simulator 1 0 0; else add simulator 0 1 0; fi
  else broke simulator; fi
  say "fuzzing, ${FUZZ_SECONDS:-60} s each"
  fuzz
  say "scenarios and chaos with the release programs"
  if build release tutti tutti-gateway tutti-scheduler tutti-tool-adapter tutti-llm-proxy; then
    scenarios build/release/bin
    chaos build/release/bin
  else broke release; fi
fi

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
