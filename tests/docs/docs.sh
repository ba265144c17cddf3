#!/usr/bin/env bash
# docs.sh [--update] [FOLDER]: the documentation says what the code does. Compares pages with their
# source: configuration and command line with the programs in FOLDER (build/dev/bin), operations and
# the roadmap with openapi.yaml, metrics and problem codes with the code; checks the workflows of
# examples; and follows the links.
# --update writes the generated parts instead. Prints one line per finding, fails if there is one.
set -uo pipefail
export LC_ALL=C # one order everywhere
cd "$(dirname "$0")/../.." || exit

update=false
[ "${1:-}" = --update ] && { update=true; shift; }
bin=${1:-build/dev/bin}
contract=services/gateway/openapi.yaml
services=(gateway scheduler tool-adapter llm-proxy)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT


report() { echo "$*" | tee -a "$work/findings"; } # a file: parts of pipelines report, too

# generated PAGE NAME: the lines on standard input are what stands between the markers
# `<!-- generated: NAME -->` and `<!-- end -->` of PAGE.
generated() {
  local page=$1 name=$2 fresh=$work/fresh now=$work/now
  cat >"$fresh"
  grep -qxF "<!-- generated: $name -->" "$page" || { report "$page: no part '$name'"; return; }
  if $update; then
    awk -v begin="<!-- generated: $name -->" -v fresh="$fresh" '
      !skip { print }
      $0 == begin { skip = 1; print ""; while ((getline line < fresh) > 0) print line; print "" }
      skip && $0 == "<!-- end -->" { skip = 0; print }' "$page" >"$work/page"
    cat "$work/page" >"$page"
    return
  fi
  awk -v begin="<!-- generated: $name -->" '
    $0 == "<!-- end -->" { on = 0 } on && NF { print } $0 == begin { on = 1 }' "$page" >"$now"
  grep -v '^$' "$fresh" | diff -u "$now" - >"$work/diff" && return
  report "$page: '$name' is not what the code says; run tests/docs/docs.sh --update"
  sed -n '3,20p' "$work/diff"
}

# --- the programs ---------------------------------------------------------------------------------

options_of() { "$bin/tutti-$1" --help | grep '^| `'; }

check_configuration() {
  local service
  for service in "${services[@]}"; do
    [ -x "$bin/tutti-$service" ] || { echo "skipped: configuration ($bin/tutti-$service is not built)"; return; }
    options_of "$service" | sort -u >"$work/$service.options"
  done
  for service in "${services[@]}"; do cat "$work/$service.options"; done | sort | uniq -c |
    awk -v all="${#services[@]}" '$1 == all { sub(/^ *[0-9]+ /, ""); print }' >"$work/common"
  {
    echo '| option | kind | default | a change needs | |'
    echo '|---|---|---|---|---|'
    cat "$work/common"
  } | generated docs/configuration.md common
  for service in "${services[@]}"; do
    {
      echo '| option | kind | default | a change needs | |'
      echo '|---|---|---|---|---|'
      options_of "$service" | grep -vxFf "$work/common"
    } | generated docs/configuration.md "$service"
  done
}

check_command_line() {
  local tutti=$bin/tutti command
  [ -x "$tutti" ] || { echo "skipped: command line ($tutti is not built)"; return; }
  {
    echo '```'
    "$tutti" --help
    echo '```'
    "$tutti" --help | awk '/^  [a-z]+ / && !flags { print $1 } /^global flags/ { flags = 1 }' |
      while read -r command; do
        printf '### %s\n```\n' "$command"
        "$tutti" "$command" --help
        echo '```'
      done
  } | generated docs/reference/cli.md commands
}

# --- the contract ---------------------------------------------------------------------------------

# One line per operation: `built` or `later`, method, path, role, body limit, wait, summary.
operations() {
  awk '
    function flush() {
      if (method) print later ? "later" : "built", method, path, role, body, wait, summary
      method = ""
    }
    function value(text, key) {
      if (!match(text, key ": *[^,}]*")) return ""
      text = substr(text, RSTART + length(key) + 1, RLENGTH - length(key) - 1)
      gsub(/^ +| +$/, "", text)
      return text
    }
    BEGIN { OFS = "\t" }
    /^components:/ { flush(); exit }
    /^  \/[^ ]*:$/ { flush(); path = $1; sub(/:$/, "", path) }
    /^    (get|put|post|patch|delete):/ {
      flush()
      method = toupper($1); sub(/:.*/, "", method)
      role = value($0, "x-tutti-role"); body = wait = "-"; summary = ""
      later = /x-tutti-later: true/
    }
    /^      x-tutti-role:/ { role = $2 }
    /^      x-tutti-body:/ { body = $2 }
    /^      x-tutti-wait:/ { wait = $2 }
    /^      x-tutti-later: true/ { later = 1 }
    /^      summary:/ {
      summary = $0; sub(/^ *summary: */, "", summary)
      if (summary ~ /^\047.*\047$/) { summary = substr(summary, 2, length(summary) - 2); gsub(/\047\047/, "\047", summary) } # quoted, as YAML wants it
    }
    ' "$contract"
}

# The actions of a built-in adapter on its page: what they do, how they are repeated and undone.
check_adapters() {
  local tutti=$bin/tutti page name
  [ -x "$tutti" ] || { echo "skipped: adapters ($tutti is not built)"; return; }
  "$tutti" adapter list --json >"$work/adapters.json"
  jq -r '.items[].function | sub("\\..*"; "")' "$work/adapters.json" | sort -u | while read -r name; do
    [ -e "docs/adapters/$name.md" ] || report "docs/adapters: there is no page of the adapter '$name'"
    grep -qF "($name.md)" docs/adapters/README.md || report "docs/adapters/README.md: the adapter '$name' is missing"
  done
  for page in docs/adapters/*.md; do
    name=$(basename "$page" .md)
    [ "$name" = README ] && continue
    {
      echo '| action | does | effect | after an unknown outcome | undone by |'
      echo '|---|---|---|---|---|'
      jq -r --arg name "$name." '
        {natural: "repeated", key: "repeated with its key", lookup: "looked for, then repeated", compare: "compared, then repeated",
         none: "not repeated", varies: "as the call says"} as $repeats
        | .items[] | select(.function | startswith($name))
        | "| `\(.function | ltrimstr($name) | sub(":.*"; ""))` | \(.summary) | \(.effect) | \($repeats[.idempotency // ""] // "") | "
          + (if .undone_by != [] then .undone_by | unique | map("`\(.)`") | join(", ") elif .irreversible then "nothing: \(.irreversible)" else "" end)
          + " |"' "$work/adapters.json"
    } | generated "$page" actions
  done
}

check_operations() {
  {
    echo '| operation | role | largest body | may wait | |'
    echo '|---|---|---|---|---|'
    operations | awk -F '\t' '$1 == "built" {
      print "| `" $2 " " $3 "` | " $4 " | " $5 " | " $6 " | " $7 " |" }'
  } | generated docs/reference/http-api.md operations
}

check_roadmap() {
  operations | awk -F '\t' '$1 == "later" { print $2, $3 }' | sort >"$work/later"
  grep -oE '`(GET|PUT|POST|PATCH|DELETE) /[^`]*`' docs/roadmap.md | tr -d '`' | sort >"$work/planned"
  [ -s "$work/later" ] || report "$contract: no path is marked x-tutti-later"
  while read -r operation; do
    report "docs/roadmap.md: $operation answers 501 and is not listed"
  done < <(sort -u "$work/planned" | comm -23 "$work/later" -)
  while read -r operation; do
    report "docs/roadmap.md: $operation is listed and is not marked x-tutti-later"
  done < <(sort -u "$work/planned" | comm -13 "$work/later" -)
}

# --- tables in the code ---------------------------------------------------------------------------

check_metrics() {
  grep -rhoE '"(tutti|process)_[a-z_]+[a-z]"' common services --include='*.c' | tr -d '"' |
    sort -u >"$work/measured"
  grep -oE '^\| `(tutti|process)_[a-z_]+`' docs/reference/metrics.md | tr -d '|` ' | sort -u >"$work/described"
  [ -s "$work/measured" ] || report "no metric was found in the code"
  while read -r name; do
    report "docs/reference/metrics.md: $name is not described"
  done < <(comm -23 "$work/measured" "$work/described")
  while read -r name; do
    report "docs/reference/metrics.md: there is no metric $name in the code"
  done < <(comm -13 "$work/measured" "$work/described")
}

# Code, HTTP status and "may be repeated" of each problem.
check_errors() {
  sed -n 's/^ *{"\([a-z_]*\)", *"[^"]*", *\([0-9]*\), *\(true\|false\)},.*/\1 \2 \3/p' \
    services/gateway/api/problem.c | sort >"$work/problems"
  awk -F ' *[|] *' '/^\| `[a-z_]+` \| [0-9]/ {
    gsub(/`/, "", $2); print $2, $3, $4 == "yes" ? "true" : "false" }' docs/reference/errors.md |
    sort >"$work/explained"
  [ -s "$work/problems" ] || report "services/gateway/api/problem.c: no problem was found"
  while read -r problem; do
    report "docs/reference/errors.md: '$problem' (code, status, repeat) is missing or differs"
  done < <(comm -23 "$work/problems" "$work/explained")
  while read -r problem; do
    report "docs/reference/errors.md: '$problem' is not in services/gateway/api/problem.c"
  done < <(comm -13 "$work/problems" "$work/explained")
}

# Rules of the language that code and tests name: "(A17)", "(E8)".
check_rules() {
  grep -rhoE '[( ][AEK][0-9]{1,2}[),:.]' common services tests/unit --include='*.[ch]' | tr -d '(),:. ' |
    sort -u >"$work/followed"
  grep -oE '^\| [A-Z][0-9]+ ' docs/reference/language-rules.md | tr -d '| ' | sort -u >"$work/rules"
  while read -r rule; do
    report "docs/reference/language-rules.md: the code names rule $rule, which is not there"
  done < <(comm -23 "$work/followed" "$work/rules")
}

# "A14-A16" is three ids, "E1" is one.
ids_of() {
  local id from to
  while read -r id; do
    if [[ $id =~ ^([A-Z])([0-9]+)-[A-Z]([0-9]+)$ ]]; then
      from=${BASH_REMATCH[2]} to=${BASH_REMATCH[3]}
      for ((; from <= to; from++)); do echo "${BASH_REMATCH[1]}$from"; done
    else
      echo "$id"
    fi
  done
}

# Every rule is played: by a file of its name, or by a feature or scenario that names it ("(A6)").
check_features() {
  grep -oE '^\| [A-Z][0-9]+(, [A-Z][0-9]+)* ' docs/reference/language-rules.md | grep -oE '[A-Z][0-9]+' | sort -u >"$work/rules"
  grep 'not built yet' docs/reference/language-rules.md | grep -oE '^\| [A-Z][0-9]+' | tr -d '| ' | sort -u >"$work/unbuilt"
  find tests/language -maxdepth 1 -name '[A-Z][0-9]*.feature' | sed 's|.*/||; s|\.feature||' | ids_of | sort -u >"$work/files"
  {
    cat "$work/files"
    grep -hE '^ *(Feature|Scenario|Scenario Outline):' tests/language/*.feature | grep -oE '\b[A-Z][0-9]+\b'
  } | sort -u >"$work/played"
  while read -r rule; do
    report "tests/language: no scenario plays rule $rule"
  done < <(sort -u "$work/played" "$work/unbuilt" | comm -23 "$work/rules" -)
  while read -r rule; do
    report "docs/reference/language-rules.md: $rule is played in tests/language and not there"
  done < <(comm -13 "$work/rules" "$work/files")
}

# Which variable is there at which place: the table of the page against the scenarios.
check_variables() {
  local feature=tests/language/variables_by_place.feature
  awk -F ' *[|] *' '
    /^\| place \|/ { for (i = 4; i < NF; i++) { name[i] = $i; gsub(/[`$]/, "", name[i]) } on = 1; next }
    on && !/^\|/ { exit }
    on && !/^\|---/ { for (i = 4; i < NF; i++) print $2 ": $" name[i] " is " ($i == "✔" ? "there" : "not there") }
    ' docs/reference/workflow.md | sort >"$work/table"
  awk -F ' *[|] *' '
    /^  Scenario Outline:/ { title = $0; sub(/^ *Scenario Outline: /, "", title); heading = 0 }
    /^    Examples:/ { heading = 1; next }
    heading && /^ *[|] variable/ { next }
    heading && /^ *[|]/ { row = title; sub(/<variable>/, $2, row); print row }' "$feature" | sort >"$work/scenarios"
  [ -s "$work/table" ] || report "docs/reference/workflow.md: there is no table of places"
  while read -r cell; do
    report "docs/reference/workflow.md: no scenario of $feature shows: $cell"
  done < <(comm -23 "$work/table" "$work/scenarios")
  while read -r cell; do
    report "$feature: the table of docs/reference/workflow.md does not say: $cell"
  done < <(comm -13 "$work/table" "$work/scenarios")
}

# Comments that send readers to a page.
check_mentions() {
  while IFS=: read -r file page; do
    [ -e "$page" ] || report "$file: mentions $page, which is not there"
  done < <(grep -roE --include='*.[ch]' --include='*.proto' --include='*.yaml' --include='*.sh' --include='*.mjs' \
    --exclude-dir=node_modules --exclude-dir=manifests '(^|[^/a-z.])docs/[a-z0-9/-]+(\.md)?' common services proto tests/unit tests/support tests/scenario compose |
    sed 's/:.*docs/:docs/' | sort -u)
}

# --- examples -------------------------------------------------------------------------------------

# Every YAML block that is a workflow (`document:`) or a list of tasks (`- name:`) must be valid.
check_examples() {
  local tutti=$bin/tutti page block name
  [ -x "$tutti" ] || { echo "skipped: examples ($tutti is not built)"; return; }
  mkdir "$work/examples"
  while read -r page; do
    name=$(tr / _ <<<"$page")
    awk -v prefix="$work/examples/$name" '
      /^```/ { on = 0 }
      on && !file && /^document:/ { file = prefix "." start ".yaml" }
      on && !file && /^- / {
        file = prefix "." start ".yaml"
        print "document: { dsl: \047" "1.0.3\047, namespace: docs, name: example, version: \047" "1.0.0\047 }" >file
        print "do:" >file
      }
      on && file { print >file }
      /^```yaml/ { on = 1; file = ""; start = NR }' "$page"
  done < <(pages)
  # What an example names by URL is nowhere, and nothing is wrong with that.
  for block in "$work"/examples/*.yaml; do
    "$tutti" validate "$block" >"$work/said" 2>&1 &&
      ! grep warning "$work/said" | grep -qv 'was not looked at$' && continue
    name=${block##*/}
    report "$(tr _ / <<<"${name%.*.yaml}"), the example at line $(cut -d. -f3 <<<"$name"):"
    sed "s|$work/examples/||" "$work/said"
  done
}

# Every YAML block that begins with `llm:` is a configuration that the llm-proxy takes; its secrets are made up.
check_configurations() {
  local proxy=$bin/tutti-llm-proxy page block name
  [ -x "$proxy" ] || { echo "skipped: configurations ($proxy is not built)"; return; }
  mkdir "$work/configurations" "$work/secrets"
  for page in docs/guide/*.md; do
    awk -v prefix="$work/configurations/$(tr / _ <<<"$page")" '
      /^```/ { on = 0 }
      on && !file && NR == start + 1 && /^llm:/ { file = prefix "." start ".yaml" }
      on && file { print >file }
      /^```yaml/ { on = 1; file = ""; start = NR }' "$page"
  done
  for block in "$work"/configurations/*.yaml; do
    while read -r name; do
      (umask 077 && echo "made-up-secret-of-$name" >"$work/secrets/$name")
    done < <(grep -oE 'secret: [a-z0-9-]+' "$block" | sed 's/secret: //')
    sed -i '/^secrets:/,$d' "$block"
    echo "secrets: { dir: $work/secrets }" >>"$block"
    "$proxy" --config "$block" --check-config >"$work/said" 2>&1 && continue
    name=${block##*/}
    report "$(tr _ / <<<"${name%.*.yaml}"), the configuration at line $(cut -d. -f3 <<<"$name"):"
    sed "s|$work/configurations/||" "$work/said"
  done
}

# Examples with what goes in and what comes out are played (examples.awk says what they look like), and each page of
# the language has some.
check_played() {
  local page feature
  [ -x "$bin/language" ] || { echo "skipped: playing examples ($bin/language is not built)"; return; }
  mkdir "$work/played.d"
  for page in docs/guide/*.md docs/reference/*.md; do
    feature=$work/played.d/$(tr / _ <<<"$page").feature
    awk -v page="$page" -f tests/docs/examples.awk "$page" >"$feature"
    grep -q '^  Scenario:' "$feature" || rm "$feature"
  done
  "$bin/language" --backend core --programs "$bin" "$work"/played.d/*.feature >"$work/said" 2>&1 || {
    report "examples do not do what the pages say:"
    grep -vE '^\[       OK|^core$|^\[  PASSED' "$work/said" | sed "s|$work/played.d/[^ ]*feature:[0-9]* ||; s|$work/played.d/||"
  }
  for page in docs_reference_workflow.md docs_guide_data-flow.md docs_guide_errors-and-retries.md docs_guide_parallelism.md \
    docs_guide_functions.md docs_guide_approvals.md docs_guide_agents.md; do
    [ -e "$work/played.d/$page.feature" ] || report "${page//_//}: no example with input and output"
  done
}

# Keys of the language that no example shows. Not asked: keys of calls and programs that nothing executes, keys that
# are refused (no function reads them, or it refuses), and a second name of another key.
check_keys() {
  local key file
  awk '/^```/ { on = 0 } on { print } /^```yaml/ { on = 1 }' docs/reference/*.md docs/guide/*.md >"$work/shown"
  grep -oE '^ +\{"[A-Za-z]+", *[a-z_]+_read,' common/workflow/*.c | grep -vE '/(call_(asyncapi|grpc|mcp|openapi|a2a)|run_code)\.c:' |
    sed -E 's/^([^:]*):.*"([A-Za-z]+)".*/\1 \2/' | sort -u | grep -vE ' (mcp|only|details|onOpen)$' >"$work/keys"
  [ "$(wc -l <"$work/keys")" -gt 100 ] || report "common/workflow: only $(wc -l <"$work/keys") keys were found"
  while read -r file key; do
    grep -qE "(^|[^A-Za-z])$key:" "$work/shown" || report "docs: no example shows the key '$key' ($file)"
  done <"$work/keys"
}

# The page on models has a row for each member of its maps that the llm-proxy reads, and for each header.
check_models() {
  local page=docs/reference/llm.md catalog=services/llm-proxy/catalog name
  {
    cat "$catalog/catalog_read.c" services/llm-proxy/money/price_table_read.c | awk '
      /members\[\] *=/ { on = 1 } on { print } on && /;/ { on = 0 }'
    sed -n '/\[PRICE_[A-Z0-9_]*\] *=/p' services/llm-proxy/money/price_table_read.c
  } | grep -oE '"[a-z_0-9]+"' | tr -d '"' | sort -u >"$work/members"
  [ "$(wc -l <"$work/members")" -gt 50 ] || report "$catalog: only $(wc -l <"$work/members") members were found"
  while read -r name; do
    grep -qE "^\\|.*[\`.]$name[\`.]" "$page" || report "$page: nothing is said of the member '$name'"
  done <"$work/members"
  sed -n '/^static const char \*const passed_headers/,/;/p' services/gateway/handlers/llm_api.c | grep -oE '"[a-z-]+"' >"$work/headers"
  grep -rhoE '"Tutti-[A-Za-z-]+' services/llm-proxy services/gateway/llm services/gateway/handlers/llm_*.c >>"$work/headers"
  tr -d '"' <"$work/headers" | sort -u >"$work/names"
  [ "$(wc -l <"$work/names")" -gt 15 ] || report "services/llm-proxy: only $(wc -l <"$work/names") headers were found"
  while read -r name; do
    grep -qiE "^\\|.*\`$name[\`:]" "$page" || report "$page: nothing is said of the header '$name'"
  done <"$work/names"
}

# --- links ----------------------------------------------------------------------------------------

pages() { find . -name '*.md' -not -path './build/*' -not -path './.git/*' | sed 's|^\./||'; }

# The names by which headings can be linked, as GitHub makes them.
anchors_of() {
  awk '/^```/ { code = !code } !code && /^#+ / {
    line = tolower($0); sub(/^#+ +/, "", line); gsub(/[^a-z0-9 _-]/, "", line); gsub(/ /, "-", line)
    print line }' "$1"
}

check_links() {
  local page target file anchor
  while read -r page; do
    while read -r target; do
      case $target in http://* | https://* | mailto:*) continue ;; esac
      file=${target%%#*}
      anchor=${target#"$file"}
      file=${file:+$(dirname "$page")/$file}
      file=${file:-$page}
      if [ ! -e "$file" ]; then
        report "$page: link to $target, which is not there"
      elif [ -n "$anchor" ] && ! anchors_of "$file" | grep -qxF -- "${anchor#\#}"; then
        report "$page: link to $target: no such heading"
      fi
    done < <(awk '/^```/ { code = !code } !code' "$page" | sed 's/`[^`]*`//g' |
      grep -oE '\]\([^) ]+\)' | sed 's/^](//; s/)$//')
  done < <(pages)
}

check_configuration
check_command_line
check_adapters
check_operations
check_roadmap
check_metrics
check_errors
check_rules
check_features
check_variables
check_mentions
check_examples
check_configurations
check_played
check_keys
check_models
check_links
[ ! -s "$work/findings" ]
