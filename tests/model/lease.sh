#!/usr/bin/env bash
# lease.sh [--long]: has spin search all that lease.pml can do, and each of its defects, which must be found by the property that is named
# here. Without --long one fault, the safety properties and one defect: 2 s. Ends with 77 where there is no spin.
set -euo pipefail
cd "$(dirname "$0")"
command -v spin >/dev/null || { echo 'skipped: no spin'; exit 77; }
DEPTH=200000
LONG=${1:-}
level=-O0 # one that takes longer to compile pays in a long search only
[ -n "$LONG" ] && level=-O2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0

# build safety|liveness OPTIONS...: the program `pan` that searches the model so. A claim of liveness ends a search where it is fulfilled,
# so the other properties are searched without.
build() {
  local claim=(-DNOCLAIM)
  [ "$1" = liveness ] && claim=()
  shift
  (cd "$work" && rm -f pan ./*.trail && spin -a "$@" "$OLDPWD/lease.pml" >spin.log && gcc "$level" -w -DMEMLIM=6000 -DCOLLAPSE "${claim[@]}" -o pan pan.c) || {
    cat "$work/spin.log"
    exit 1
  }
}

# search safety|liveness: one line that says how it ended: "errors: 0", or the first property that does not hold.
search() {
  local how=()
  [ "$1" = liveness ] && how=(-a -f)
  (cd "$work" && ./pan "${how[@]}" -E -m$DEPTH >pan.log 2>&1) || true
  if grep -qE 'max search depth|reached -DMEMLIM|Search not completed' "$work/pan.log" && ! grep -q '^pan:1:' "$work/pan.log"; then
    echo 'the search was cut short'
  elif ! sed -nE 's/^pan:1: (.*) \(at depth .*/\1/p' "$work/pan.log" | grep .; then
    grep -o 'errors: [0-9]*' "$work/pan.log" || echo 'no search'
  fi
}

states() { awk '/states, stored/ { print $1; exit }' "$work/pan.log"; }

# holds safety|liveness OPTIONS...
holds() {
  local found kind=$1
  shift
  build "$kind" "$@"
  found=$(search "$kind")
  if [ "$found" = 'errors: 0' ]; then printf 'ok: %s, %s: %s states\n' "$kind" "$*" "$(states)"; return; fi
  printf 'ERROR: %s, %s: %s\n' "$kind" "$*" "$found"
  if [ -e "$work/lease.pml.trail" ]; then (cd "$work" && spin -t -p -g "$@" "$OLDPWD/lease.pml" | tail -n 60); fi
  wrong=1
}

# caught DEFECT safety|liveness WORDS: with the defect, the property with these words does not hold.
caught() {
  local found
  build "$2" -DFAULTS=1 "-DDEFECT_$1"
  found=$(search "$2")
  case $found in
    *"$3"*) printf 'caught: %s\n' "$1" ;;
    *)
      printf 'ERROR: %s was not caught: %s\n' "$1" "$found"
      wrong=1
      ;;
  esac
}

holds safety -DFAULTS=1
caught NO_FENCE safety '.number==number'
if [ "$LONG" = --long ]; then
  holds liveness -DFAULTS=1
  caught FAILURE_AFTER_LEASE safety is_counted
  caught LEASE_BEFORE_COMMIT safety holder
  caught ANSWER_BEFORE_COMMIT safety '.place=='
  caught COMPLETED_AGAIN safety 'completions<=1'
  caught LEASE_FORGOTTEN safety holder
  caught NO_EXPIRY liveness 'acceptance cycle'
  holds liveness -DFAULTS=2
  holds safety -DFAULTS=3
  holds safety -DFAULTS=1 -DJOBS=2
fi
exit $wrong
