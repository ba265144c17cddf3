/*
 * What each kind of task does: a row is a rule of the language. `world` proves after each command
 * that the journal alone gives the same run.
 */
#include "run_row.h"

static const struct run_row rows[] = {
    {
        .name   = "an empty list completes with its input (A24)",
        .body   = "do: []",
        .input  = "{\"a\": 1}",
        .result = "{\"a\":1}",
    },
    {
        .name    = "set replaces the data",
        .body    = "do: [{a: {set: {x: '${ .a }', y: 2}}}, {b: {set: {z: '${ .x + .y }'}}}]",
        .input   = "{\"a\": 1}",
        .result  = "{\"z\":3}",
        .history = "run.started\n"
                   "task.started /do/0/a\n"
                   "task.completed /do/0/a\n"
                   "task.started /do/1/b\n"
                   "task.completed /do/1/b\n"
                   "run.completed\n",
    },
    {
        .name    = "a task whose `if` is false passes its raw input on",
        .body    = "do: [{a: {if: '.no', set: {x: 1}}}, {b: {set: {y: '${ .a }'}}}]",
        .input   = "{\"a\": 1}",
        .result  = "{\"y\":1}",
        .history = "run.started\n"
                   "task.skipped /do/0/a\n"
                   "task.started /do/1/b\n"
                   "task.completed /do/1/b\n"
                   "run.completed\n",
    },
    {
        .name   = "then names the next task, exit leaves the list",
        .body   = "do: [{a: {set: {n: 1}, then: c}}, {b: {set: {n: 9}}},"
                  " {c: {do: [{d: {set: {n: '${ .n + 1 }'}, then: exit}}, {e: {set: {n: 9}}}]}},"
                  " {f: {set: {n: '${ .n + 1 }'}}}]",
        .result = "{\"n\":3}",
    },
    {
        .name    = "end finishes the run from within, and takes the tasks beside with it",
        .body    = "do: [{a: {fork: {branches: [{x: {" CALL "}},"
                   " {y: {do: [{z: {set: {n: 1}, then: end}}]}}]}}}, {b: {set: {n: 2}}}]",
        .script  = {{"x", 0, ANSWER_NEVER, NULL}},
        .result  = "{\"n\":1}",
        .history = "run.started\n"
                   "task.started /do/0/a\n"
                   "task.started /do/0/a/fork/branches/0/x\n"
                   "job.scheduled /do/0/a/fork/branches/0/x\n"
                   "task.started /do/0/a/fork/branches/1/y\n"
                   "task.started /do/0/a/fork/branches/1/y/do/0/z\n"
                   "task.completed /do/0/a/fork/branches/1/y/do/0/z\n"
                   "task.completed /do/0/a/fork/branches/1/y\n"
                   "job.cancelled /do/0/a/fork/branches/0/x\n"
                   "task.cancelled /do/0/a/fork/branches/0/x\n"
                   "task.completed /do/0/a\n"
                   "run.completed\n",
    },
    {
        .name   = "a list may jump back",
        .body   = "do: [{a: {set: {n: '${ .n + 1 }'}}},"
                  " {b: {switch: [{again: {when: '.n < 5', then: a}}, {done: {then: exit}}]}}]",
        .input  = "{\"n\": 0}",
        .result = "{\"n\":5}",
    },
    {
        .name   = "a switch takes the first case that holds, and its default last",
        .body   = "do: [{s: {switch: [{other: {then: c}}, {one: {when: '.n == 1', then: b}}]}},"
                  " {b: {set: {r: one}, then: end}}, {c: {set: {r: other}}}]",
        .input  = "{\"n\": 1}",
        .result = "{\"r\":\"one\"}",
    },
    {
        .name   = "a switch without a case that holds goes on",
        .body   = "do: [{s: {switch: [{one: {when: '.n == 1', then: exit}}]}}, {b: {set: {r: 1}}}]",
        .input  = "{\"n\": 2}",
        .result = "{\"r\":1}",
    },
    {
        .name   = "input.from, output.as, export.as, in this order",
        .body   = "do: [{a: {input: {from: .in}, set: {v: '${ .x + 1 }', i: '${ $input.x }'},"
                  " output: {as: '{ w: .v, i: .i }'}, export: {as: '{ seen: .w }'}}},"
                  " {b: {set: {w: '${ .w }', c: '${ $context.seen }'}}}]",
        .input  = "{\"in\": {\"x\": 1}}",
        .result = "{\"w\":2,\"c\":2}",
    },
    {
        .name   = "the context starts as the workflow's transformed input (A10)",
        .body   = "input: {from: .in}\noutput: {as: '{ o: .c }'}\n"
                  "do: [{a: {set: {c: '${ $context.x }', w: '${ $workflow.input }'}}}]",
        .input  = "{\"in\": {\"x\": 7}}",
        .result = "{\"o\":7}",
    },
    {
        .name   = "$steps sees what completed in this list and around it",
        .body   = "do: [{a: {set: '${ 1 }'}}, {b: {do: [{a: {set: '${ 2 }'}}, {c: {set: '${ 3 }'}},"
                  " {d: {set: '${ [$steps.a, $steps.c, $steps.b] }'}}]}},"
                  " {e: {set: '${ [$steps.a, $steps.b, $steps.c] }'}}]",
        .result = "[1,[2,3,null],null]",
    },
    {
        .name = "input.schema refuses the raw input",
        .body =
            "do: [{a: {input: {schema: {format: json, document: {required: [x]}}}, set: {z: 1}}}]",
        .input = "{}",
        .result =
            "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/validation\","
            "\"status\":400,\"title\":\"Validation error\",",
    },
    {
        .name   = "raise makes an error, and nobody catches it",
        .body   = "do: [{a: {raise: {error: {type: 'https://x.test/e', status: 418, title: T}}}}]",
        .result = "faulted {\"type\":\"https://x.test/e\",\"status\":418,\"title\":\"T\","
                  "\"instance\":\"/do/0/a\"}",
    },
    {
        .name = "an expression that fails faults with its place",
        .body = "do: [{a: {set: {x: '${ error(\"no\") }'}}}]",
        .result =
            "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/expression\",",
    },
    {
        .name   = "wait takes its time and passes its input on",
        .body   = "do: [{a: {wait: {seconds: 5}}}, {b: {set: {x: '${ .x }'}}}]",
        .input  = "{\"x\": 1}",
        .result = "{\"x\":1}",
    },
    {
        .name    = "call: the job's output is the raw output",
        .body    = "do: [{a: {" CALL ", output: {as: .v}}}]",
        .script  = {{"a", 0, ANSWER_OK, "{\"v\": [1]}"}},
        .result  = "[1]",
        .history = "run.started\n"
                   "task.started /do/0/a\n"
                   "job.scheduled /do/0/a\n"
                   "job.completed /do/0/a\n"
                   "task.completed /do/0/a\n"
                   "run.completed\n",
    },
    {
        .name   = "call: http has no retries of its own, even of transient errors",
        .body   = "do: [{a: {" CALL "}}]",
        .script = {{"a", 1, ANSWER_TRANSIENT,
                    "{\"type\": \"urn:e\", \"status\": 503, \"title\": \"T\"}"}},
        .result = "faulted {\"type\":\"urn:e\",\"status\":503,\"title\":\"T\","
                  "\"instance\":\"/do/0/a\"}",
    },
};

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, run_row_check, &rows[i]);
    }
    return cmocka_run_group_tests_name("tasks", tests, NULL, NULL);
}
