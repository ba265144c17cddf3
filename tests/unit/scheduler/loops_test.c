/* for and fork: in order, at once, and what happens when a part of them fails. */
#include "run_row.h"

#define FAULT(detail_) "{\"type\": \"urn:" detail_ "\", \"status\": 500, \"title\": \"T\"}"

static const struct run_row rows[] = {
    {
        .name   = "for: each iteration gets the output of the one before (A12)",
        .body   = "do: [{l: {for: {in: .c, each: v, at: i}, do: [{a: {set: {c: '${ .c }',"
                  " o: '${ .o + [ $v, $i ] }'}}}]}}]",
        .input  = "{\"c\": [\"x\", \"y\"]}",
        .result = "{\"c\":[\"x\",\"y\"],\"o\":[\"x\",0,\"y\",1]}",
    },
    {
        .name   = "for: an empty list yields the input",
        .body   = "do: [{l: {for: {in: .c}, do: [{a: {set: {x: 1}}}]}}]",
        .input  = "{\"c\": []}",
        .result = "{\"c\":[]}",
    },
    {
        .name  = "for: what is no array is an error",
        .body  = "do: [{l: {for: {in: .c}, do: [{a: {set: {x: 1}}}]}}]",
        .input = "{\"c\": 1}",
        .result =
            "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/expression\",",
    },
    {
        .name    = "for: while is asked before each iteration",
        .body    = "do: [{l: {for: {in: .c}, while: '$item < 3',"
                   " do: [{a: {set: {c: '${ .c }', n: '${ .n + $item }'}}}]}}]",
        .input   = "{\"c\": [1, 2, 3, 4], \"n\": 0}",
        .result  = "{\"c\":[1,2,3,4],\"n\":3}",
        .history = "run.started\n"
                   "task.started /do/0/l\n"
                   "task.started /do/0/l/do/0/a [0]\n"
                   "task.completed /do/0/l/do/0/a [0]\n"
                   "task.started /do/0/l/do/0/a [1]\n"
                   "task.completed /do/0/l/do/0/a [1]\n"
                   "task.completed /do/0/l\n"
                   "run.completed\n",
    },
    {
        .name    = "for: loops in loops have paths of iterations",
        .body    = "do: [{l: {for: {in: '[1, 2]'}, do: [{m: {for: {in: '[1]'},"
                   " do: [{a: {if: 'false', set: {z: 1}}}]}}]}}]",
        .input   = "{}",
        .result  = "{}",
        .history = "run.started\n"
                   "task.started /do/0/l\n"
                   "task.started /do/0/l/do/0/m [0]\n"
                   "task.skipped /do/0/l/do/0/m/do/0/a [0/0]\n"
                   "task.completed /do/0/l/do/0/m [0]\n"
                   "task.started /do/0/l/do/0/m [1]\n"
                   "task.skipped /do/0/l/do/0/m/do/0/a [1/0]\n"
                   "task.completed /do/0/l/do/0/m [1]\n"
                   "task.completed /do/0/l\n"
                   "run.completed\n",
    },
    {
        .name   = "for: exit leaves the iteration, not the loop",
        .body   = "do: [{l: {for: {in: '[1, 2]'}, do: [{a: {set: {n: '${ .n + 1 }'}, then: exit}},"
                  " {b: {set: {n: 9}}}]}}]",
        .input  = "{\"n\": 0}",
        .result = "{\"n\":2}",
    },
    {
        .name  = "for: many iterations in commands of few steps",
        .body  = "do: [{l: {for: {in: .c}, do: [{a: {set: {c: '${ .c }', n: '${ .n + 1 }'}}}]}},"
                 " {b: {set: {n: '${ .n }'}}}]",
        .input = "{\"c\": [0,0,0,0,0,0,0,0,0,0], \"n\": 0}",
        .steps_max = 3,
        .result    = "{\"n\":10}",
    },
    {
        .name   = "parallel for: outputs in item order, each from the loop's input (E9)",
        .body   = "do: [{l: {for: {in: .c}, metadata: {tutti: {parallel: 2}},"
                  " do: [{a: {" CALL "}}, {b: {set: '${ [$item, $index, .r] }'}}]}}]",
        .input  = "{\"c\": [5, 6, 7]}",
        .script = {{"a", 0, ANSWER_OK, "{\"r\": 1}"}},
        .result = "[[5,0,1],[6,1,1],[7,2,1]]",
        .jobs   = 3,
    },
    {
        .name   = "parallel for: an empty list yields an empty array",
        .body   = "do: [{l: {for: {in: .c}, metadata: {tutti: {parallel: 2}},"
                  " do: [{a: {set: {z: 1}}}]}}]",
        .input  = "{\"c\": []}",
        .result = "[]",
    },
    {
        .name   = "parallel for: while cuts the items off",
        .body   = "do: [{l: {for: {in: .c}, while: '$item < 3', metadata: {tutti: {parallel: 8}},"
                  " do: [{a: {set: '${ $item }'}}]}}]",
        .input  = "{\"c\": [1, 2, 3, 1]}",
        .result = "[1,2]",
    },
    {
        .name   = "parallel for: exports are applied in item order at the join",
        .body   = "do: [{l: {for: {in: .c}, metadata: {tutti: {parallel: 8}}, do: [{a: {set: '${ "
                  "$item }',"
                  " export: {as: '$context + $item'}}}]}}, {b: {set: '${ $context }'}}]",
        .input  = "{\"c\": [{\"x\": 1}, {\"y\": 2}, {\"x\": 3}]}",
        .result = "{\"c\":[{\"x\":1},{\"y\":2},{\"x\":3}],\"x\":3,\"y\":2}",
    },
    {
        .name   = "parallel for: the first uncaught error cancels the rest",
        .body   = "do: [{l: {for: {in: '[1, 2, 3]'}, metadata: {tutti: {parallel: 2}},"
                  " do: [{a: {switch: [{x: {when: '$item == 2', then: c}}]}},"
                  " {b: {" CALL "}}, {c: {raise: {error: {type: 'urn:e', status: 500}}}}]}}]",
        .script = {{"b", 0, ANSWER_NEVER, NULL}},
        .result = "faulted {\"type\":\"urn:e\",\"status\":500,\"instance\":\"/do/0/l/do/2/c\"}",
        .jobs   = 1,
    },
    {
        .name   = "parallel for: end takes the other iterations with it",
        .body   = "do: [{l: {for: {in: '[1, 2, 3]'}, metadata: {tutti: {parallel: 3}},"
                  " do: [{a: {switch: [{x: {when: '$item == 2', then: c}}]}}, {b: {" CALL "}},"
                  " {c: {set: {n: '${ $item }'}, then: end}}]}}, {z: {set: {n: 9}}}]",
        .script = {{"b", 0, ANSWER_NEVER, NULL}},
        .result = "{\"n\":2}",
    },
    {
        .name      = "parallel for: many items in commands of few steps",
        .body      = "do: [{l: {for: {in: .c}, metadata: {tutti: {parallel: 4}},"
                     " do: [{a: {set: {x: 1}}}, {b: {set: '${ $index }'}}]}}]",
        .input     = "{\"c\": [0,0,0,0,0,0,0,0,0,0]}",
        .steps_max = 3,
        .result    = "[0,1,2,3,4,5,6,7,8,9]",
    },
    {
        .name   = "fork: outputs in declaration order (A7)",
        .body   = "do: [{f: {fork: {branches: [{a: {" CALL "}}, {b: {set: {x: '${ .x }'}}},"
                  " {c: {if: 'false', set: {z: 1}}}]}}}]",
        .input  = "{\"x\": 1}",
        .script = {{"a", 0, ANSWER_OK, "\"late\""}},
        .result = "[\"late\",{\"x\":1},{\"x\":1}]",
    },
    {
        .name   = "fork: output.as sees its branches as $steps",
        .body   = "do: [{f: {fork: {branches: [{a: {set: '${ 1 }'}}, {b: {set: '${ 2 }'}}]},"
                  " output: {as: '{ a: $steps.a, b: $steps.b }'}}}]",
        .result = "{\"a\":1,\"b\":2}",
    },
    {
        .name   = "fork: branches do not see each other",
        .body   = "do: [{f: {fork: {branches: [{a: {set: '${ 1 }'}},"
                  " {b: {do: [{c: {set: '${ [$steps.a] }'}}]}}]}}}]",
        .result = "[1,[null]]",
    },
    {
        .name    = "fork: a branch that faults cancels the others (A8)",
        .body    = "do: [{f: {fork: {branches: [{a: {" CALL "}}, {b: {" CALL "}}]}}}]",
        .script  = {{"a", 0, ANSWER_NEVER, NULL}, {"b", 0, ANSWER_FAIL, FAULT("b")}},
        .result  = "faulted {\"type\":\"urn:b\",",
        .history = "run.started\n"
                   "task.started /do/0/f\n"
                   "task.started /do/0/f/fork/branches/0/a\n"
                   "job.scheduled /do/0/f/fork/branches/0/a\n"
                   "task.started /do/0/f/fork/branches/1/b\n"
                   "job.scheduled /do/0/f/fork/branches/1/b\n"
                   "job.failed /do/0/f/fork/branches/1/b\n"
                   "task.faulted /do/0/f/fork/branches/1/b\n"
                   "job.cancelled /do/0/f/fork/branches/0/a\n"
                   "task.cancelled /do/0/f/fork/branches/0/a\n"
                   "task.faulted /do/0/f\n"
                   "run.faulted\n",
    },
    {
        .name   = "fork: compete: the first to complete wins, the rest never starts",
        .body   = "do: [{f: {fork: {compete: true, branches: [{a: {set: {x: 1}}},"
                  " {b: {set: {x: 2}}}]}}}]",
        .result = "{\"x\":1}",
    },
    {
        .name   = "fork: compete: losers are cancelled, faults do not win (A9)",
        .body   = "do: [{f: {fork: {compete: true, branches: [{a: {" CALL "}}, {b: {" CALL "}},"
                  " {c: {" CALL "}}]}}}]",
        .script = {{"a", 0, ANSWER_NEVER, NULL},
                   {"b", 0, ANSWER_FAIL, FAULT("b")},
                   {"c", 0, ANSWER_OK, "\"won\""}},
        .result = "\"won\"",
    },
    {
        .name = "fork: compete: it faults if all branches do",
        .body = "do: [{f: {fork: {compete: true, branches: [{a: {" CALL "}}, {b: {" CALL "}}]}}}]",
        .script = {{"a", 0, ANSWER_FAIL, FAULT("a")}, {"b", 0, ANSWER_FAIL, FAULT("b")}},
        .result = "faulted {\"type\":\"urn:b\",",
    },
    {
        .name      = "an endless branch does not starve its neighbour",
        .body      = "do: [{f: {fork: {compete: true, branches: ["
                     "{a: {do: [{b: {set: {n: 1}, then: b}}]}},"
                     "{c: {do: [{d: {set: {n: 2}}}, {e: {set: {n: 3}}}, {g: {set: {n: 4}}}]}}]}}}]",
        .steps_max = 4,
        .result    = "{\"n\":4}",
    },
};

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, run_row_check, &rows[i]);
    }
    return cmocka_run_group_tests_name("loops", tests, NULL, NULL);
}
