#!/usr/bin/env bash
# run.sh BIN_DIR: the cases beside the examples, and what `tutti test` says of files that are not as they should be.
# shellcheck disable=SC2016 # messages have back quotes
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
tutti=$1/tutti
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

good() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); printf 'ERROR: %s\n' "$1"; }
# expect NAME STATUS GOT TEXT: exit status, and a text in $work/out
expect() {
  if [ "$2" -ne "$3" ]; then bad "$1: exit status $3, expected $2"; cat "$work/out"; return; fi
  if grep -qF -- "$4" "$work/out"; then good; else bad "$1: no \"$4\" in what it says"; cat "$work/out"; fi
}

for workflow in compose/examples/*.yaml; do
  case $workflow in *.test.yaml) continue ;; esac
  if [ ! -f "${workflow%.yaml}.test.yaml" ]; then bad "$workflow has no cases beside it"; continue; fi
  "$tutti" test "$workflow" >"$work/out" 2>&1
  status=$?
  if [ $status -eq 0 ]; then good; elif grep -q 'is not supported yet' "$work/out"; then
    printf 'skipped: %s cannot be registered yet\n' "$workflow"
    skipped=$((skipped + 1))
  else
    bad "$workflow"
    cat "$work/out"
  fi
done

cat >"$work/flow.yaml" <<'YAML'
document: { dsl: '1.0.3', namespace: default, name: flow, version: '1.0.0' }
do:
  - ask: { call: llm.chat, with: { model: smart, prompt: Hi }, output: { as: '{ text: .content, n: [ 1, 2 ] }' } }
  - rest: { wait: PT1H }
YAML
cat >"$work/flow.test.yaml" <<'YAML'
functions: { llm.chat: { output: { content: Hello } } }
cases:
  - name: It goes as it should
    expect: { output: { text: Hello, n: [ 1, 2 ] }, takes: PT1H, calls: [ { llm.chat: { prompt: Hi } } ] }
YAML
"$tutti" test "$work/flow.yaml" >"$work/out" 2>&1
expect "a case that passes" 0 $? "1 passed, 0 failed"

cat >"$work/paused.yaml" <<'YAML'
document: { dsl: '1.0.3', namespace: default, name: paused, version: '1.0.0' }
do:
  - pay: { call: worker.pay, with: {}, metadata: { tutti: { onExhausted: pause, retry: { delay: PT1S, limit: { attempt: { count: 1 } } } } } }
YAML
cat >"$work/paused.test.yaml" <<'YAML'
functions: { worker.pay: [ { error: { status: 503 }, times: 2 }, { output: { ok: true } } ] }
cases:
  - { name: Nobody looks, expect: { status: suspended, count: { worker.pay: 2 } } }
  - { name: Once more, steps: [ { after: PT5H, retry: true } ], expect: { output: { ok: true }, count: { worker.pay: 3 } } }
  - { name: Resumed, steps: [ { after: PT5H, resume: true } ], expect: { output: { ok: true }, count: { worker.pay: 3 } } }
  - { name: Let fail, steps: [ { after: PT5H, fail: true } ], expect: { error: { status: 503 }, count: { worker.pay: 2 } } }
YAML
"$tutti" test "$work/paused.yaml" >"$work/out" 2>&1
expect "what waits for an operator" 0 $? "4 passed, 0 failed"

cat >"$work/flow.test.yaml" <<'YAML'
functions: { llm.chat: { output: { content: Hello } } }
cases:
  - name: It does <not>
    expect:
      output: { text: Bye, n: [ 1, 3 ] }
      takes: PT2H
      calls: [ { llm.chat: { prompt: Ho } } ]
      count: { llm.chat: 2 }
YAML
"$tutti" test "$work/flow.test.yaml" --junit "$work/junit.xml" >"$work/out" 2>&1
expect "a value that differs" 1 $? '/cases/0/expect/output/n/1'
expect "an argument that differs" 1 1 'expected "Ho", got "Hi"'
expect "a duration that differs" 1 1 'expected the run to take 2h, it took 1h'
expect "the place in the file" 1 1 "$work/flow.test.yaml:5:36"
cp "$work/junit.xml" "$work/out"
expect "JUnit XML" 0 0 'name="It does &lt;not&gt;"'
expect "JUnit XML counts" 0 0 '<testsuites tests="1" failures="1">'
"$tutti" test "$work/flow.test.yaml" --json >"$work/out" 2>&1
expect "JSON" 1 $? '"pointer":"/cases/0/expect/output/text","line":5'
"$tutti" test "$work/flow.test.yaml" --only nothing >"$work/out" 2>&1
expect "no case was chosen" 1 $? 'no case was played'

printf 'cases:\n  - name: a\n    expect: { outputs: 1 }\n' >"$work/flow.test.yaml"
"$tutti" test "$work/flow.yaml" >"$work/out" 2>&1
expect "an unknown key" 1 $? 'flow.test.yaml:3:15: error T01: `outputs` is not known here'
expect "its fix" 1 1 'did you mean `output`?'
printf 'functions: {}\ncases:\n  - { name: a }\n' >"$work/flow.test.yaml"
"$tutti" test "$work/flow.yaml" >"$work/out" 2>&1
expect "a call that nobody answers" 1 $? 'calls llm.chat, and no answer is left for it'

cat >"$work/agent.yaml" <<'YAML'
document: { dsl: '1.0.3', namespace: default, name: agent, version: '1.0.0' }
do: [ { ask: { call: agent.run, with: { assistant: finder, input: Go }, output: { as: '{ content, tools: [ .tool_calls[].name ] }' } } } ]
YAML
cat >"$work/agent.test.yaml" <<'YAML'
assistants: { finder: { model: smart, tools: [ shop.find, { function: worker.weigh, name: weigh, with: { unit: g } } ] } }
functions:
  llm.chat:
    - output:
        message: { role: assistant, content: null, tool_calls: &calls [ { id: a, type: function, function: { name: shop_find, arguments: '{}' } }, { id: b, type: function, function: { name: weigh, arguments: '{}' } } ] }
        tool_calls: *calls
    - output: { content: done, message: { role: assistant, content: done }, tool_calls: [] }
  shop.find: { output: tea }
  worker.weigh: { output: 7 }
cases:
  - name: It has the tools of its assistant
    expect: { output: { content: done, tools: [ shop_find, weigh ] }, calls: [ { worker.weigh: { unit: g } } ], count: { shop.find: 1 } }
YAML
"$tutti" test "$work/agent.yaml" >"$work/out" 2>&1
expect "the tools of an assistant" 0 $? "1 passed, 0 failed"
sed -i 's/shop.find,/shop.fnd,/' "$work/agent.test.yaml"
"$tutti" test "$work/agent.yaml" >"$work/out" 2>&1
expect "a tool that there is not" 1 $? 'assistant finder:1, /tools/0: there is no function `shop.fnd`'

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
