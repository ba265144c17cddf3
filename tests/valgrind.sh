#!/usr/bin/env bash
# valgrind.sh BIN_DIR: the unit programs of the layers that do tricks with pointers and bytes, under valgrind:
# it sees memory that is read before it is written, which the sanitizers do not. A line for each; 1 if one has faults.
# BIN_DIR holds programs without sanitizers. `valgrind.sh --targets` says which.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
SECONDS_MAX=600 # each

# Forty lists of programs would tell no more: what allocates by itself, what reads bytes of others, what lies on a disk.
programs() {
  local file layer
  for layer in base json store yaml expr loop; do
    for file in tests/unit/"$layer"/*_test.c; do
      printf 'unit_%s_%s\n' "$layer" "$(basename "$file" .c)"
    done
  done | grep -vxF -e unit_store_crash_test -e unit_json_suite_test -e unit_base_clock_test # they take time and touch nothing else
  printf '%s\n' unit_rpc_frame_test unit_rpc_wire_test unit_rpc_wire_pack_test unit_rpc_token_test
}

under_valgrind() { # under_valgrind NAME PROGRAM [ARGUMENT...]
  local name=$1 log=build/valgrind/$1.log
  shift
  timeout "$SECONDS_MAX" valgrind --quiet --error-exitcode=99 --track-origins=yes --leak-check=full --errors-for-leak-kinds=definite \
    --suppressions=tests/support/valgrind.supp --child-silent-after-fork=yes "$@" >"$log" 2>&1
  local code=$?
  [ $code -eq 0 ] && { printf 'ok: %s\n' "$name"; return; }
  printf 'ERROR: %s: %s\n' "$name" "$code"
  grep -E '^==|LINE|FAILED' "$log" | head -n 40
  return 1
}

if [ "${1:-}" = --targets ]; then
  programs
  exit
fi
bin=${1:?usage: valgrind.sh BIN_DIR}
mkdir -p build/valgrind
wrong=0
for program in $(programs); do
  under_valgrind "$program" "$bin/$program" || wrong=1
done
exit $wrong
