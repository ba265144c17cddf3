#!/usr/bin/env bash
# findings.sh [--update] [FOLDER] [CODE...]: one table of cases per code of docs/reference/diagnostics.md.
#
# V11.cases holds definitions, each with what `tutti validate` (in FOLDER, build/dev/bin) says of it: place, severity,
# code, words, fix and JSON pointer, to the letter.
#
#     === fine: what is right about it           says nothing
#     === wrong: what is wrong with it           says what stands behind >>>, and the code of the file is among it
#
# A case that begins with neither `document` nor a comment has the first line $head. Each file has something fine and
# at least three wrong ones; every code of the page has a file, every code in the sources stands on the page, and the
# other way round; whatever the reader may say is said in a case (texts.pl). --update writes what is said now into the
# files: read it before you believe it.
set -uo pipefail
export LC_ALL=C # one order everywhere
cd "$(dirname "$0")/../.." || exit

update=false
[ "${1:-}" = --update ] && { update=true; shift; }
bin=${1:-build/dev/bin}
[ $# -gt 0 ] && shift
here=tests/findings
page=docs/reference/diagnostics.md
head="document: { dsl: '1.0.3', namespace: n, name: w, version: '1.0.0' }"
wrong_min=3
files_max=16 # of one `tutti validate`
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

report() { echo "ERROR: $*" | tee -a "$work/findings"; }

# split FILE CODE: $work/CODE.NNN.yaml for each case, and $work/CODE.cases with a line each: number, line in FILE,
# kind, words; what is expected of it in $work/CODE.NNN.want.
split() {
  awk -v out="$work/$2" -v head="$head" '
    function flush(    i) {
      if (!number) return
      while (count > 0 && text[count] == "") count--
      if (text[1] !~ /^(document|#)/) print head >file
      for (i = 1; i <= count; i++) print text[i] >file
      close(file)
    }
    /^=== / {
      flush()
      number++; count = 0; said = 0
      file = sprintf("%s.%03d.yaml", out, number)
      kind = $2; sub(/:$/, "", kind)
      words = $0; sub(/^=== [a-z]*: */, "", words)
      print number "\t" FNR "\t" kind "\t" words >(out ".cases")
      want = sprintf("%s.%03d.want", out, number)
      printf "" >want
      next
    }
    /^>>> / { said = 1 }
    said && NF { print >want; next }
    said { next }
    number { text[++count] = $0 }
    END { flush() }' "$1"
}

# What is said of the files of a code, in the form in which it stands in the table: $work/CODE.NNN.said.
say() {
  local code=$1 file
  printf '%s\n' "$work/$code".*.yaml | xargs -n $files_max "$bin/tutti" validate --json >"$work/$code.json" 2>"$work/$code.stderr"
  [ -s "$work/$code.stderr" ] && { report "$here/$code.cases: $(cat "$work/$code.stderr")"; return 1; }
  while IFS=$'\t' read -r file text; do
    printf '%b' "$text" >"${file%.yaml}.said"
  done < <(jq -r '[.file, (.diagnostics | map(
    ">>> \(.line):\(.column) \(.severity) \(.code): \(.detail)\n"
    + (if .hint == "" then "" else "    fix: \(.hint)\n" end)
    + "    at: \(if .pointer == "" then "the whole" else .pointer end)\n") | join("") | gsub("\\\\"; "\\\\"))] | join("\t") | gsub("\n"; "\\n")' "$work/$code.json")
}

# The same in the form for people: file:line:column first.
check_text() {
  local code=$1
  printf '%s\n' "$work/$code".*.yaml | xargs -n $files_max "$bin/tutti" validate | grep -aE "^$work/$code.[0-9]+.yaml:[0-9]+:[0-9]+: (error|warning) V" >"$work/$code.text"
  jq -r '.file as $file | .diagnostics[] | "\($file):\(.line):\(.column): \(.severity) \(.code): \(.detail)" | split("\n")[0]' "$work/$code.json" |
    diff "$work/$code.text" - >"$work/diff" || report "$here/$code.cases: validate prints other places than it has in --json: $(head -3 "$work/diff")"
}

check_case() { # check_case FILE CODE NUMBER LINE KIND WORDS
  local file=$1 code=$2 name line=$4 kind=$5 words=$6
  name=$work/$code.$(printf '%03d' "$3")
  case $kind in
    fine) [ ! -s "$name.said" ] || $update || { report "$file:$line: $words: is not fine"; cat "$name.said"; return; } ;;
    wrong) grep -qE "^>>> .* (error|warning) $code: " "$name.said" || { report "$file:$line: $words: $code is not said of it"; cat "$name.said"; } ;;
    *) report "$file:$line: a case is fine or wrong, not '$kind'"; return ;;
  esac
  $update || diff -u --label expected --label said "$name.want" "$name.said" >"$work/diff" && return
  report "$file:$line: $words"
  sed 1,2d "$work/diff"
}

rewrite() { # rewrite FILE CODE
  awk -v out="$work/$2" '
    function flush(    file, line) {
      if (!number) return
      while (count > 0 && text[count] == "") count--
      for (i = 1; i <= count; i++) print text[i]
      file = sprintf("%s.%03d.said", out, number)
      while ((getline line < file) > 0) print line
      print ""
    }
    /^=== / { flush(); number++; count = 0; said = 0; print; next }
    /^>>> / { said = 1 }
    !number { print; next }
    !said { text[++count] = $0 }
    END { flush() }' "$1" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$work/rewritten"
  cat "$work/rewritten" >"$1"
}

# check_table CODE: counts what was looked at in $total.
total=0
check_table() {
  local code=$1 file=$here/$1.cases number line kind words
  split "$file" "$code"
  say "$code" || return
  check_text "$code"
  while IFS=$'\t' read -r number line kind words; do
    check_case "$file" "$code" "$number" "$line" "$kind" "$words"
    total=$((total + 1))
  done <"$work/$code.cases"
  grep -q $'\tfine\t' "$work/$code.cases" || report "$file: nothing in it is fine"
  [ "$(grep -c $'\twrong\t' "$work/$code.cases")" -ge $wrong_min ] || report "$file: less than $wrong_min cases are wrong"
  $update && rewrite "$file" "$code"
}

check_codes() {
  grep -oE '^\| V[0-9]{2}' $page | tr -d '| ' | sort >"$work/page"
  grep -rhoE '"V[0-9]{2}"' common services --include='*.[ch]' | tr -d '"' | sort -u >"$work/sources"
  find $here -name 'V*.cases' | sed 's|.*/||; s|\.cases||' | sort >"$work/tables"
  [ -s "$work/sources" ] || report "no code was found in the sources"
  for code in $(uniq -d "$work/page"); do report "$page: $code stands there twice"; done
  for code in $(comm -23 "$work/sources" "$work/page"); do report "$page: $code is in the sources and not there"; done
  for code in $(comm -13 "$work/sources" "$work/page"); do report "$page: $code is in no source"; done
  for code in $(comm -13 "$work/tables" "$work/page"); do report "$here: $code has no table"; done
  for code in $(comm -23 "$work/tables" "$work/page"); do report "$here/$code.cases: no code of $page"; done
}

if [ $# -eq 0 ]; then
  check_codes
  perl $here/texts.pl >"$work/texts"
  while read -r line; do report "$line"; done <"$work/texts"
  mapfile -t codes <"$work/tables"
else
  codes=("$@")
fi
for code in "${codes[@]}"; do check_table "$code"; done
printf '[  PASSED  ] %d test(s)\n' "$total"
[ ! -s "$work/findings" ]
