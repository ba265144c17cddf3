#!/usr/bin/env bash
# lint.sh [--deep] [FILE...]: format, style rules, secrets in the tree, shellcheck, docs, clang-tidy; all
# files without FILE. Shows the name of each step and its findings; fails if there is one. --deep
# also runs clang's static analyzer, which takes long and does not know that an empty view is not
# looked at: its findings are for people to judge.
set -uo pipefail
export LC_ALL=C # one order everywhere
cd "$(dirname "$0")/../.." || exit

# What must never be committed, as extended regular expressions; one name and pattern a line.
secret_patterns=$(
  cat <<'PATTERNS'
private-key        -----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----
aws-access-key     (^|[^A-Z0-9])(AKIA|ASIA)[A-Z0-9]{16}([^A-Z0-9]|$)
github-token       gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60}
gitlab-token       glpat-[A-Za-z0-9_-]{20}
slack-token        xox[abeoprs]-[A-Za-z0-9-]{10}|hooks\.slack\.com/services/T[A-Z0-9]{8}
llm-key            (^|[^A-Za-z0-9])sk-[A-Za-z0-9_-]{20}
google-key         AIza[A-Za-z0-9_-]{35}
tutti-key          tutti_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}
url-password       [a-z]://[A-Za-z0-9._-]+:[^@/ "'$<{%]{12,}@
PATTERNS
)

failed=0
step() { printf '== %s\n' "$*"; }
finding() { failed=1; }

# secrets_in FILE...: prints file:line: kind, never the secret; true if there is one.
secrets_in() {
  local kind pattern hits found=1
  while read -r kind pattern; do
    hits=$(grep -nIE -- "$pattern" /dev/null "$@" | cut -d: -f1,2)
    [ -n "$hits" ] || continue
    while IFS= read -r hit; do printf '%s: %s\n' "$hit" "$kind"; done <<<"$hits"
    found=0
  done <<<"$secret_patterns"
  return $found
}

# A scan that finds nothing proves nothing: each pattern must find a sample planted for it. Samples
# are put together here, so that this file does not hold them.
secrets_self_test() {
  local folder kind missing=0 digits=0123456789
  folder=$(mktemp -d)
  local d36="${digits}${digits}${digits}abcdef" d43="${digits}${digits}${digits}${digits}abc"
  printf -- '-----BEGIN %s KEY-----\n' 'RSA PRIVATE' >"$folder/private-key"
  printf 'id = AK%s\n' 'IAIOSFODNN7EXAMPLE' >"$folder/aws-access-key"
  printf 'token: gh%s_%s\n' p "$d36" >"$folder/github-token"
  printf 'token: gl%s-%s%s\n' pat "$digits" "$digits" >"$folder/gitlab-token"
  printf 'token: xo%s-%s\n' xb "$digits" >"$folder/slack-token"
  printf 'key: s%s-%s%s\n' k "$digits" "$digits" >"$folder/llm-key"
  printf 'key: AI%s%s%s%sabcde\n' za "$digits" "$digits" "$digits" >"$folder/google-key"
  printf 'key: tut%s_%sab_%s\n' ti "$digits" "$d43" >"$folder/tutti-key"
  printf 'url: amqp:/%s\n' '/user:correcthorse@host' >"$folder/url-password"
  printf 'nothing to see: task-%s, sk-short, %s\n' "$digits" "$d43" >"$folder/harmless"
  while read -r kind _; do
    secrets_in "$folder/$kind" | grep -q ": $kind\$" || { echo "secrets: the pattern $kind finds nothing"; missing=1; }
  done <<<"$secret_patterns"
  secrets_in "$folder/harmless" && { echo "secrets: something harmless was found"; missing=1; }
  rm -rf "$folder"
  return $missing
}

program() { # program NAME: the one of version 14
  command -v "$1-14" || { "$1" --version | grep -q 'version 14' && command -v "$1"; } ||
    { echo "lint: $1 14 is not installed" >&2; return 1; }
}

checks='-clang-analyzer-*'
[ "${1:-}" = --deep ] && { checks=''; shift; }
if [ $# -gt 0 ]; then
  files=("$@")
else
  mapfile -t files < <(git ls-files)
fi
sources=() scripts=() compiled=()
for file in "${files[@]}"; do
  case $file in
    *.c) sources+=("$file"); compiled+=("$file") ;;
    *.h) sources+=("$file") ;;
    *.sh) scripts+=("$file") ;;
    *) head -c 64 -- "$file" | head -n 1 | grep -aqE '^#!.*\b(ba)?sh\b' && scripts+=("$file") ;;
  esac
done

step format
if [ ${#sources[@]} -gt 0 ]; then
  format=$(program clang-format) || exit 70
  printf '%s\0' "${sources[@]}" | xargs -0 "$format" --dry-run -Werror || finding
fi

step style
tests/style/style_test.sh || finding

step secrets
secrets_self_test || finding
secrets_in "${files[@]}" && finding

step shellcheck
if [ ${#scripts[@]} -gt 0 ]; then
  # SC2016: programs of other languages stand in single quotes, and their $ are not ours.
  shellcheck --exclude=SC2016 "${scripts[@]}" || finding
fi

step docs
# The programs say what their pages must say.
mkdir -p build
{ cmake --preset dev && cmake --build --preset dev --target tutti tutti-gateway tutti-scheduler tutti-tool-adapter \
  tutti-llm-proxy; } >build/lint.log 2>&1 || { cat build/lint.log; exit 70; }
tests/docs/docs.sh build/dev/bin || finding

step clang-tidy
if [ ${#compiled[@]} -gt 0 ]; then
  tidy=$(program clang-tidy) || exit 70
  mkdir -p build
  # The generated headers are all that must be built.
  { cmake --preset dev && cmake --build --preset dev --target proto test_proto; } >build/lint.log 2>&1 ||
    { cat build/lint.log; exit 70; }
  # A file that this configuration does not compile (a program without main.c) is not checked.
  mapfile -t known < <(sed -n 's|^ *"file": "\(.*\)",\{0,1\}$|\1|p' build/dev/compile_commands.json | sort -u)
  printf '%s\n' "${compiled[@]/#/$PWD/}" | sort -u | comm -12 - <(printf '%s\n' "${known[@]}") |
    xargs -d '\n' -r -n 8 -P "$(nproc)" "$tidy" -p build/dev --quiet --checks="$checks" \
      --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-double-promotion \
      --extra-arg=-Wno-string-concatenation >build/lint-tidy.log 2>&1
  # A finding in a header comes once per file that includes it; how it got there is in the log.
  grep -E '^/.*: (error|warning): ' build/lint-tidy.log | sed "s|^$PWD/||" | sort -u >build/lint-tidy.txt
  if [ -s build/lint-tidy.txt ]; then
    cat build/lint-tidy.txt
    echo "the paths to these are in build/lint-tidy.log"
    finding
  fi
fi

exit $failed
