/* Sagas: what is undone, when, in which order, and what else happens meanwhile (E1, E2). */
#include "run_row.h"

#include <stdio.h>

#define UNDO(name) "metadata: {tutti: {compensate: [{" name ": {" POST("'" name "'") "}}]}}"
#define SAGA       "metadata: {tutti: {saga: true}}"
#define RAISE      "raise: {error: {type: 'urn:e', status: 500}}"
#define SAY(text)  "{\"method\":\"post\",\"endpoint\":\"https://a.test/x\",\"body\":" text "}\n"

#define MADE(body)                                                                                 \
    "{a: {" POST("1") ", output: {as: .made}, metadata: {tutti: {compensate: [{u: {" POST(         \
        body) "}}]}}}}"
#define FORK(body)      "{f: {fork: {branches: [" MADE(body) ", {b: {" RAISE "}}]}}}"
#define CUT             FORK("'${ $output.id }'")
#define CUT_SHORT(body) "do: [{s: {" SAGA ", do: [" FORK(body) "]}}]"
#define UNDONE          "/do/0/s/do/0/f/fork/branches/0/a/metadata/tutti/compensate/0/u"

struct saga_row {
    struct run_row run;
    const char *calls;        /* NULL: does not matter */
    const char *undo;         /* as the worker says */
    enum job_holding holding; /* of every open job */
};

static const struct saga_row rows[] =
    {
        {
            .run =
                {
                    .name = "what completed is undone, last first, and the error stays",
                    .body = "do: [{s: {" SAGA ", do: [{a: {set: {n: 1}, " UNDO(
                        "ua") "}},"
                              " {b: {set: {n: 2}, " UNDO("ub") "}}, {c: {" RAISE "}}]}}]",
                    .result  = "faulted {\"type\":\"urn:e\",",
                    .history = "run.started\n"
                               "task.started /do/0/s\n"
                               "task.started /do/0/s/do/0/a\n"
                               "task.completed /do/0/s/do/0/a\n"
                               "task.started /do/0/s/do/1/b\n"
                               "task.completed /do/0/s/do/1/b\n"
                               "task.started /do/0/s/do/2/c\n"
                               "task.faulted /do/0/s/do/2/c\n"
                               "compensation.begun /do/0/s\n"
                               "compensation.started /do/0/s/do/1/b\n"
                               "task.started /do/0/s/do/1/b/metadata/tutti/compensate/0/ub\n"
                               "job.scheduled /do/0/s/do/1/b/metadata/tutti/compensate/0/ub\n"
                               "job.completed /do/0/s/do/1/b/metadata/tutti/compensate/0/ub\n"
                               "task.completed /do/0/s/do/1/b/metadata/tutti/compensate/0/ub\n"
                               "compensation.completed /do/0/s/do/1/b\n"
                               "compensation.started /do/0/s/do/0/a\n"
                               "task.started /do/0/s/do/0/a/metadata/tutti/compensate/0/ua\n"
                               "job.scheduled /do/0/s/do/0/a/metadata/tutti/compensate/0/ua\n"
                               "job.completed /do/0/s/do/0/a/metadata/tutti/compensate/0/ua\n"
                               "task.completed /do/0/s/do/0/a/metadata/tutti/compensate/0/ua\n"
                               "compensation.completed /do/0/s/do/0/a\n"
                               "task.faulted /do/0/s\n"
                               "run.faulted\n",
                },
            .calls = "#/do/0/s/do/1/b/-/1/undo/1 " SAY("\"ub\"") "#/do/0/s/do/0/a/-/1/undo/1 " SAY(
                "\"ua\""),
        },
        {
            .run =
                {
                    .name = "an error that is caught inside of the saga undoes nothing",
                    .body = "do: [{s: {" SAGA ", do: [{a: {set: {n: 1}, " UNDO(
                        "ua") "}},"
                              " {t: {try: [{c: {" RAISE "}}], catch: {}}}]}}]",
                    .result = "{\"n\":1}",
                },
            .calls = "",
        },
        {
            .run =
                {
                    .name = "a try around sees the error after the undoing, and the run goes on",
                    .body = "do: [{t: {try: [{s: {" SAGA ", do: [{a: {set: {n: 1}, " UNDO(
                        "ua") "}},"
                              " {c: {" RAISE "}}]}}], catch: {do: [{h: {set: {status: '${ "
                              "$error.status }'}}}]}}}]",
                    .result = "{\"status\":500}",
                },
            .calls = "#/do/0/t/try/0/s/do/0/a/-/1/undo/1 " SAY("\"ua\""),
        },
        {
            .run =
                {
                    .name =
                        "the document as a saga; $input, $output, $context, $steps as they were",
                    .body =
                        "  metadata: {tutti: {saga: true}}\n"
                        "do: [{a: {set: {n: 1}, output: {as: '{id: .n}'}, export: {as: '{c: 1}'}}},"
                        " {b: {input: {from: '{x: .id}'}, set: {m: '${ .x + 1 }'}, metadata: "
                        "{tutti: {compensate: [{u: {" POST(
                            "'${ [., $input, $output, $context, $steps.a, $error.status, "
                            "$workflow.input] }'") "}}]}}}}, {d: {set: {z: 1}, export: {as: '{c: "
                                                   "2}'}}},"
                                                   " {c: {raise: {error: {type: 'urn:e', status: "
                                                   "418}}}}]",
                    .input  = "{\"w\":1}",
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .calls = "#/do/1/b/-/1/undo/1 " SAY(
                "[{\"m\":2},{\"x\":1},{\"m\":2},{\"c\":1},{\"id\":1},418,{\"w\":1}]"),
        },
        {
            .run =
                {
                    .name = "branches and iterations, in the order in which they completed",
                    .body = "do: [{s: {" SAGA ", do: ["
                            "{l: {for: {in: '[range(2)]'}, do: [{a: {set: {i: '${ $index }'}, "
                            "metadata: {tutti:"
                            " {compensate: [{u: {" POST(
                                "'${ $output.i }'") "}}]}}}}]}},"
                                                    "{f: {fork: {branches: [{x: {set: {n: "
                                                    "1}, " UNDO("ux") "}}, {y: {set: {n: 1}, " UNDO(
                                                        "uy") "}}]}}},"
                                                              "{c: {" RAISE "}}]}}]",
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .calls = "#/do/0/s/do/1/f/fork/branches/1/y/-/1/undo/1 " SAY(
                "\"uy\"") "#/do/0/s/do/1/f/"
                          "fork/branches/0/x/-/"
                          "1/undo/1 " SAY(
                              "\"ux"
                              "\"") "#/do/0/s/do/0/l/do/0/a/1/1/undo/1 " SAY("1") "#/do/0/s/"
                                                                                  "do/0/l/do/"
                                                                                  "0/a/0/1/"
                                                                                  "undo/"
                                                                                  "1 " SAY("0"),
        },
        {
            .run =
                {
                    .name = "a compensation that keeps failing is given up, and the rest go on",
                    .body = "do: [{s: {" SAGA ", do: [{a: {set: {n: 1}, " UNDO(
                        "ua") "}},"
                              " {b: {set: {n: 2}, " UNDO("ub") "}}, {c: {" RAISE "}}]}}]",
                    .script = {{"ub", 0, ANSWER_FAIL, NULL}},
                    .result = "faulted {\"type\":\"urn:e\",",
                    .jobs   = 2,
                },
            .calls = "#/do/0/s/do/1/b/-/1/undo/1 " SAY("\"ub\"") "#/do/0/s/do/0/a/-/1/undo/1 " SAY(
                "\"ua\""),
        },
        {
            .run =
                {
                    .name = "one that fails without a job is given up at once",
                    .body = "do: [{s: {" SAGA ", do: [{a: {set: {n: 1}, " UNDO(
                        "ua") "}},"
                              " {b: {set: {n: 2}, metadata: {tutti: {compensate: [{u: {set: '${ .n "
                              "| keys }'}}]}}}},"
                              " {c: {" RAISE "}}]}}]",
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .calls = "#/do/0/s/do/0/a/-/1/undo/1 " SAY("\"ua\""),
        },
        {
            .run =
                {
                    .name = "compensate: false, and tasks that were skipped",
                    .body =
                        "do: [{s: {" SAGA
                        ", do: [{a: {set: {n: 1}, metadata: {tutti: {compensate: false}}}},"
                        " {b: {if: 'false', set: {n: 2}, " UNDO("ub") "}}, {c: {" RAISE "}}]}}]",
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .calls = "",
        },
        {
            .run =
                {
                    .name = "a retry of the saga calls anew, in a new pass",
                    .body = "do: [{t: {try: [{s: {" SAGA ", do: [{a: {" POST("1") ", " UNDO(
                        "ua") "}}, {c: {" RAISE "}}]}}],"
                              " catch: {retry: {limit: {attempt: {count: 1}}}}}}]",
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .calls =
                "#/do/0/t/try/0/s/do/0/a/-/1 " SAY("1") "#/do/0/t/try/0/s/do/0/a/-/1/undo/1 " SAY(
                    "\"ua\"") "#/do/0/t/try/0/s/do/0/a/-/2 " SAY("1") "#/do/0/t/try/0/s/do/0/a/-/2/"
                                                                      "undo/1 " SAY("\"ua\""),
        },
        {
            .run =
                {
                    .name = "what a retry does again is undone once",
                    .body = "do: [{s: {" SAGA ", do: [{t: {try: [{a: {" POST("1") ", " UNDO(
                        "ua") "}}, {c: {" RAISE "}}],"
                              " catch: {retry: {limit: {attempt: {count: 1}}}}}}]}}]",
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .calls = "#/do/0/s/do/0/t/try/0/a/-/1 " SAY(
                "1") "#/do/0/s/do/0/t/try/0/a/-/1/undo/1 " SAY("\"ua\""),
        },
        {
            .run =
                {
                    .name   = "a retry of its own (E8) comes before the undoing",
                    .body   = "do: [{s: {metadata: {tutti: {saga: true, retry: {limit: {attempt: "
                              "{count: 1}}}}},"
                              " do: [{a: {" POST("1") ", " UNDO("ua") "}}, {c: {" RAISE "}}]}}]",
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .calls = "#/do/0/s/do/0/a/-/1 " SAY("1") "#/do/0/s/do/0/a/-/1/undo/1 " SAY("\"ua\""),
        },
        {
            .run =
                {
                    .name = "a branch that is cancelled undoes before the fork faults",
                    .body =
                        "do: [{t: {try: [{f: {fork: {branches: ["
                        "{s: {" SAGA ", do: [{a: {set: {n: 1}, " UNDO(
                            "ua") "}}, {w: {wait: {hours: 1}}}]}},"
                                  "{c: {do: [{w: {wait: {seconds: 1}}}, {e: {" RAISE "}}]}}]}}}],"
                                  " catch: {do: [{h: {" POST("'caught'") "}}]}}}]",
                    .result = "null",
                },
            .calls = "#/do/0/t/try/0/f/fork/branches/0/s/do/0/a/-/1/undo/1 " SAY(
                "\"ua\"") "#/do/0/t/catch/do/0/h/-/1 " SAY("\"caught\""),
        },
        {
            .run =
                {
                    .name = "the loser of a race undoes before the fork completes",
                    .body = "do: [{f: {fork: {compete: true, branches: ["
                            "{s: {" SAGA ", do: [{a: {set: {n: 1}, " UNDO(
                                "ua") "}}, {w: {wait: {hours: 1}}}]}},"
                                      "{x: {do: [{w: {wait: {seconds: 1}}}, {e: {set: {won: "
                                      "true}}}]}}]}}},"
                                      " {z: {" POST("'${ .won }'") "}}]",
                    .result = "null",
                },
            .calls = "#/do/0/f/fork/branches/0/s/do/0/a/-/1/undo/1 " SAY(
                "\"ua\"") "#/do/1/z/-/1 " SAY("true"),
        },
        {
            .run =
                {
                    .name = "the run ends by `then: end`: what was cancelled is undone first",
                    .body = "do: [{f: {fork: {branches: ["
                            "{s: {" SAGA ", do: [{a: {set: {n: 1}, " UNDO(
                                "ua") "}}, {w: {wait: {hours: 1}}}]}},"
                                      "{x: {do: [{w: {wait: {seconds: 1}}}, {e: {set: {won: true}, "
                                      "then: end}}]}}]}}}]",
                    .result = "{\"won\":true}",
                },
            .calls = "#/do/0/f/fork/branches/0/s/do/0/a/-/1/undo/1 " SAY("\"ua\""),
        },
        {
            .run =
                {
                    .name = "a timeout leaves the scope; the undoing has all the time it needs",
                    .body = "do: [{s: {metadata: {tutti: {saga: true}}, timeout: {after: {seconds: "
                            "5}}, do: ["
                            "{a: {set: {n: 1}, metadata: {tutti: {compensate: [{w: {wait: "
                            "{minutes: 1}}}, {u: {" POST("1") "}}]}}}},"
                                                              " {w: {wait: {hours: 1}}}]}}]",
                    .result =
                        "faulted "
                        "{\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/timeout\",",
                    .took_seconds = 65,
                },
            .calls = "#/do/0/s/do/0/a/-/1/undo/2 " SAY("1"),
        },
        {
            .run =
                {
                    .name = "the run's own timeout",
                    .body = "timeout: {after: {seconds: 5}}\n"
                            "do: [{s: {" SAGA
                            ", do: [{a: {set: {n: 1}, metadata: {tutti: {compensate: ["
                            "{w: {wait: {minutes: 1}}}, {u: {" POST(
                                "1") "}}]}}}}, {w: {wait: {hours: 1}}}]}}]",
                    .result =
                        "faulted "
                        "{\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/timeout\",",
                    .took_seconds = 65,
                },
            .calls = "#/do/0/s/do/0/a/-/1/undo/2 " SAY("1"),
        },
        {
            .run =
                {
                    .name = "an outer saga that fails while an inner one undoes",
                    .body = "do: [{o: {" SAGA ", do: [{p: {set: {n: 0}, " UNDO(
                        "up") "}}, {f: {fork: {branches: ["
                              "{s: {" SAGA ", do: [{a: {set: {n: 1}, " UNDO(
                                  "ua") "}}, {b: {set: {n: 2}, metadata: {tutti:"
                                        " {compensate: [{w: {wait: {minutes: 1}}}, {ub: {" POST(
                                            "'ub'") "}}]}}}}, {e: {" RAISE "}}]}},"
                                                    "{c: {do: [{w: {wait: {seconds: 1}}}, {e: "
                                                    "{raise: {error: {type: 'urn:c', status: "
                                                    "500}}}}]}}]}}}]}}]",
                    .result = "faulted {\"type\":\"urn:c\",",
                },
            .calls =
                "#/do/0/o/do/1/f/fork/branches/0/s/do/1/b/-/1/undo/2 " SAY(
                    "\"ub\"") "#/do/0/o/do/1/f/fork/branches/0/s/do/0/a/-/1/undo/1 " SAY("\"ua\"") "#/"
                                                                                                   "do/"
                                                                                                   "0/"
                                                                                                   "o/"
                                                                                                   "do/"
                                                                                                   "0/"
                                                                                                   "p/"
                                                                                                   "-/"
                                                                                                   "1/"
                                                                                                   "und"
                                                                                                   "o/"
                                                                                                   "1"
                                                                                                   " " SAY(
                                                                                                       "\"up\""),
        },
        {
            .run =
                {
                    .name = "a compensation of several tasks, with data that flow and a catch of "
                            "its own",
                    .body = "do: [{s: {" SAGA
                            ", do: [{a: {set: {n: 1}, metadata: {tutti: {compensate: ["
                            "{p: {set: {m: '${ .n + 1 }'}}},"
                            "{l: {for: {in: '[1, 2]'}, do: [{q: {" POST(
                                "'${ [$item, $steps.p.m, $output.n] }'") "}}]}},"
                                                                         "{t: {try: [{r: {" RAISE
                                                                         "}}], catch: {do: [{h: "
                                                                         "{" POST("'${ "
                                                                                  "$error.status "
                                                                                  "}'") "}}]}}}]}}}"
                                                                                        "},"
                                                                                        " {c: "
                                                                                        "{raise: "
                                                                                        "{error: "
                                                                                        "{type: "
                                                                                        "'urn:e', "
                                                                                        "status: "
                                                                                        "418}}}}]}}"
                                                                                        "]",
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .calls =
                "#/do/0/s/do/0/a/-/1/undo/3/0 " SAY("[1,2,1]") "#/do/0/s/do/0/a/-/1/undo/3/1 " SAY(
                    "[2,2,1]") "#/do/0/s/do/0/a/-/1/undo/6 " SAY("500"),
        },
        {
            .run =
                {
                    .name = "a composite task with a compensation of its own, and what is in it",
                    .body = "do: [{s: {" SAGA
                            ", do: [{d: {" UNDO("ud") ", do: [{a: {set: {n: 1}, " UNDO(
                                "ua") "}}]}}, {c: {" RAISE "}}]}}]",
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .calls =
                "#/do/0/s/do/0/d/-/1/undo/1 " SAY(
                    "\"ud\"") "#/do/0/s/do/0/d/do/0/a/-/1/undo/1 " SAY("\"ua\""),
        },
        /* E2 */
        {
            .run =
                {
                    .name = "tutti.compensate undoes what is in its try, once, and the workflow "
                            "goes on",
                    .body = "do: [{t: {try: [{a: {set: {n: 1}, " UNDO(
                        "ua") "}}, {b: {set: {n: "
                              "1}, " UNDO("ub") "}}, {c: "
                                                "{" RAISE "}}],"
                                                " catch: "
                                                "{do: [{u: "
                                                "{call: "
                                                "tutti."
                                                "compensate}}"
                                                ", {v: "
                                                "{call: "
                                                "tutti."
                                                "compensate}}"
                                                ","
                                                " {h: {set: "
                                                "'${ "
                                                "[$steps.u, "
                                                "$steps.v] "
                                                "}'}}]}}}]",
                    .result = "[{\"undone\":2,\"failed\":0},{\"undone\":0,\"failed\":0}]",
                },
            .calls = "#/do/0/t/try/1/b/-/1/undo/1 " SAY(
                "\"ub\"") "#/do/0/t/try/0/a/-/1/undo/1 " SAY("\"ua\""),
        },
        {
            .run =
                {
                    .name = "tutti.compensate with a scope; $error is that of the catch; one that "
                            "fails",
                    .body = "do: [{p: {do: [{a: {set: {n: 1}, metadata: {tutti: {compensate: [{u: "
                            "{" POST("'${ $error.status }'") "}}]}}}}]}},"
                                                             " {q: {set: {n: 1}, " UNDO(
                                                                 "uq") "}},"
                                                                       " {t: {try: [{c: {raise: "
                                                                       "{error: {type: 'urn:e', "
                                                                       "status: 418}}}}],"
                                                                       " catch: {do: [{u: {call: "
                                                                       "tutti.compensate, with: "
                                                                       "{scope: p}}}]}}}]",
                    .script = {{"u", 0, ANSWER_FAIL, NULL}},
                    .result = "{\"undone\":0,\"failed\":1}",
                },
            .calls = "#/do/0/p/do/0/a/-/1/undo/1 " SAY("418"),
        },
        {
            .run =
                {
                    .name = "tutti.compensate in a loop undoes its own iteration",
                    .body = "do: [{l: {for: {in: '[range(2)]'}, do: [{a: {set: {i: '${ $index }'}, "
                            "metadata: {tutti: {compensate: [{u: {" POST(
                                "'${ $output.i }'") "}}]}}}}, {k: {if: '$index == 1', call: "
                                                    "tutti.compensate, with: {scope: a}}}]}}]",
                    .result = "{\"undone\":1,\"failed\":0}",
                },
            .calls = "#/do/0/l/do/0/a/1/1/undo/1 " SAY("1"),
        },
        {
            .run =
                {
                    .name   = "a call that a worker has when a branch fails is awaited, and undone",
                    .body   = CUT_SHORT("'${ $output.id }'"),
                    .script = {{"a", 0, ANSWER_OK, "{\"made\":{\"id\":7}}"}},
                    .result = "faulted {\"type\":\"urn:e\",",
                    .history = "run.started\n"
                               "task.started /do/0/s\n"
                               "task.started /do/0/s/do/0/f\n"
                               "task.started /do/0/s/do/0/f/fork/branches/0/a\n"
                               "job.scheduled /do/0/s/do/0/f/fork/branches/0/a\n"
                               "task.started /do/0/s/do/0/f/fork/branches/1/b\n"
                               "task.faulted /do/0/s/do/0/f/fork/branches/1/b\n"
                               "job.cancelled /do/0/s/do/0/f/fork/branches/0/a\n"
                               "task.cancelled /do/0/s/do/0/f/fork/branches/0/a\n"
                               "task.faulted /do/0/s/do/0/f\n"
                               "compensation.begun /do/0/s\n"
                               "job.settled /do/0/s/do/0/f/fork/branches/0/a\n"
                               "compensation.started /do/0/s/do/0/f/fork/branches/0/a\n"
                               "task.started " UNDONE "\n"
                               "job.scheduled " UNDONE "\n"
                               "job.completed " UNDONE "\n"
                               "task.completed " UNDONE "\n"
                               "compensation.completed /do/0/s/do/0/f/fork/branches/0/a\n"
                               "task.faulted /do/0/s\n"
                               "run.faulted\n",
                },
            .holding = JOB_HELD,
            .calls   = "#/do/0/s/do/0/f/fork/branches/0/a/-/1 " SAY(
                  "1") "#/do/0/s/do/0/f/fork/branches/0/a/-/1/undo/1 " SAY("7"),
        },
        {
            .run =
                {
                    .name   = "what such a call has not done is not undone",
                    .body   = CUT_SHORT("'${ $output.id }'"),
                    .script = {{"a", 0, ANSWER_TRANSIENT, NULL}},
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .holding = JOB_HELD,
            .calls   = "#/do/0/s/do/0/f/fork/branches/0/a/-/1 " SAY("1"),
        },
        {
            .run =
                {
                    .name = "one of which nobody knows is a dead letter, and the rest is undone",
                    .body = "do: [{s: {" SAGA ", do: [{z: {set: {n: 1}, " UNDO("uz") "}}, " CUT
                                                                                     "]}}]",
                    .script = {{"a", 0, ANSWER_LOST, NULL}},
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .holding = JOB_HELD,
            .calls   = "#/do/0/s/do/1/f/fork/branches/0/a/-/1 " SAY(
                  "1") "#/do/0/s/do/0/z/-/1/undo/1 " SAY("\"uz\""),
        },
        {
            .run =
                {
                    .name = "nor does anybody know when nobody has it any more",
                    .body = "do: [{s: {" SAGA ", do: [{z: {set: {n: 1}, " UNDO("uz") "}}, " CUT
                                                                                     "]}}]",
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .holding = JOB_IN_DOUBT,
            .calls   = "#/do/0/s/do/1/f/fork/branches/0/a/-/1 " SAY(
                  "1") "#/do/0/s/do/0/z/-/1/undo/1 " SAY("\"uz\""),
        },
        {
            .run =
                {
                    .name = "an error that is caught keeps it for later: the saga is left after it",
                    .body = "do: [{s: {" SAGA ", do: [{t: {try: [" CUT "], catch: {}}}, {w: {wait: "
                            "PT5S}}, {c: {" RAISE "}}]}}]",
                    .script = {{"a", 0, ANSWER_OK, "{\"made\":{\"id\":7}}"}},
                    .result = "faulted {\"type\":\"urn:e\",",
                },
            .holding = JOB_HELD,
            .calls   = "#/do/0/s/do/0/t/try/0/f/fork/branches/0/a/-/1 " SAY(
                  "1") "#/do/0/s/do/0/t/try/0/f/fork/branches/0/a/-/1/undo/1 " SAY("7"),
        },
        {
            .run =
                {
                    .name = "what was done is undone also if nobody wants the answer",
                    .body = "do: [{s: {" SAGA
                            ", do: [{a: {" POST("1") ", output: {as: .made, schema: "
                                                     "{document: {type: string}}}, metadata: "
                                                     "{tutti: {compensate: [{u: {" POST(
                                                         "'${ $output.id }'") "}}]}}}}]}}]",
                    .script = {{"a", 0, ANSWER_OK, "{\"made\":{\"id\":7}}"}},
                    .result =
                        "faulted "
                        "{\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/validation\",",
                },
            .calls = "#/do/0/s/do/0/a/-/1 " SAY("1") "#/do/0/s/do/0/a/-/1/undo/1 " SAY("7"),
        },
        {
            .run =
                {
                    .name = "the answer itself is what it has put out if nothing can be made of it",
                    .body = "do: [{s: {" SAGA
                            ", do: [{a: {" POST("1") ", output: {as: '.made | keys'}, "
                                                     "metadata: {tutti: {compensate: [{u: {" POST(
                                                         "'${ $output.made }'") "}}]}}}}]}}]",
                    .script = {{"a", 0, ANSWER_OK, "{\"made\":7}"}},
                    .result =
                        "faulted "
                        "{\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/expression\",",
                },
            .calls = "#/do/0/s/do/0/a/-/1 " SAY("1") "#/do/0/s/do/0/a/-/1/undo/1 " SAY("7"),
        },
};

static const char *text_of(const struct buf *text)
{
    return text->len > 0 ? text->ptr : "";
}

static void check(void **state)
{
    const struct saga_row *row = *state;
    struct world world;
    world_init(&world, row->run.body);
    world.script     = row->run.script;
    world.undo       = row->undo;
    world.holding    = row->holding;
    int64_t start_us = world.env.now_us;
    world_start(&world, row->run.input);
    world_play(&world);

    expect_result(&world, row->run.result);
    if (row->run.history) assert_string_equal(world.history.ptr, row->run.history);
    if (row->calls && strcmp(text_of(&world.calls), row->calls) != 0) {
        print_message("%s", world.history.ptr);
        assert_string_equal(text_of(&world.calls), row->calls);
    }
    if (row->run.took_seconds) {
        assert_int_equal((world.env.now_us - start_us) / 1'000'000, row->run.took_seconds);
    }
    assert_int_equal(run_next_due(world.run), NO_DUE_US);
    world_done(&world);
}

#define CHILD     "run: {workflow: {namespace: test, name: c, version: 1.0.0}}"
#define UNDO_SENT "compensate: [{u: {" POST("'${ $output }'") "}}]"
#define TWICE     "limit: {attempt: {count: 2}}"

/* Each attempt starts a run of its own; what undoes one has its id, so no two are the same call. */
static void undo_children(const char *body)
{
    enum { CHILDREN = 3 };
    CLEANUP(buf_done) struct buf expected = buf_init(1 << 14);
    struct id ids[CHILDREN];
    struct world world;
    world_init(&world, body);
    world_start(&world, NULL);
    for (unsigned i = 0; i < CHILDREN; i++) {
        char output[] = {(char)('0' + i), '\0'};
        world_crash(&world, i % 2 == 0);
        world_play(&world);
        assert_int_equal(world.child_count, 1);
        ids[i] = world.children[0].id;
        world_answer_child(&world, 0, CHILD_COMPLETED, output);
    }
    world_crash(&world, false);
    world_play(&world);
    assert_non_null(strstr(world_result(&world), "faulted {"));
    for (unsigned i = CHILDREN; i-- > 0;) {
        (void)buf_printf(&expected, "%s/undo/1 ", ids[i].text);
        (void)buf_printf(
            &expected, "{\"method\":\"post\",\"endpoint\":\"https://a.test/x\",\"body\":%u}\n", i);
    }
    assert_string_equal(text_of(&world.calls), text_of(&expected));
    world_done(&world);
}

static void each_child_of_a_try_is_undone(void **)
{
    undo_children("do: [{s: {" SAGA ", do: [{t: {try: [{a: {" CHILD
                  ", metadata: {tutti: {" UNDO_SENT "}}}}, {b: {" RAISE
                  "}}], catch: {retry: {" TWICE "}}}}]}}]");
}

/* A child that has completed is undone, whoever refuses what it put out. */
static void a_child_whose_output_is_refused_is_undone(void **)
{
    undo_children("do: [{s: {" SAGA ", do: [{t: {try: [{a: {" CHILD
                  ", output: {schema: {document: {type: string}}}, metadata: {tutti: {" UNDO_SENT
                  "}}}}], catch: {retry: {" TWICE "}}}}]}}]");
}

/* Also if the task is tried again by itself. */
static void a_child_that_is_retried_is_undone(void **)
{
    undo_children(
        "do: [{s: {" SAGA ", do: [{a: {" CHILD
        ", output: {schema: {document: {type: string}}}, metadata: {tutti: {retry: {" TWICE
        "}, " UNDO_SENT "}}}}]}}]");
}

/* Each attempt makes another event, and each is taken back. */
static void each_event_of_a_try_is_undone(void **)
{
    struct world world;
    world_init(&world, "do: [{s: {" SAGA ", do: [{t: {try: [{a: {emit: {event: {with: {type: x}}}, "
                       "metadata: {tutti: {compensate: [{u: {" POST(
                           "'${ $output.type }'") "}}]}}}}, {b: {" RAISE
                                                  "}}], catch: {retry: {" TWICE "}}}}]}}]");
    world_start(&world, NULL);
    world_crash(&world, false);
    world_play(&world);
    expect_result(&world, "faulted {\"type\":\"urn:e\",");
    unsigned count = 0;
    char last[64]  = "";
    for (const char *line = text_of(&world.calls); *line; line = strchr(line, '\n') + 1) {
        const char *key = strstr(line, "/undo/1 ");
        assert_non_null(key);
        assert_true(strncmp(line, last, (size_t)(key - line)) != 0); /* no two are the same call */
        (void)snprintf(last, sizeof last, "%.*s", (int)(key - line), line);
        count++;
    }
    assert_int_equal(count, 3);
    world_done(&world);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    const struct CMUnitTest children[] = {
        cmocka_unit_test(each_child_of_a_try_is_undone),
        cmocka_unit_test(a_child_whose_output_is_refused_is_undone),
        cmocka_unit_test(a_child_that_is_retried_is_undone),
        cmocka_unit_test(each_event_of_a_try_is_undone),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].run.name, check, &rows[i]);
    }
    return cmocka_run_group_tests_name("saga", tests, NULL, NULL) +
           cmocka_run_group_tests_name("children", children, NULL, NULL);
}
