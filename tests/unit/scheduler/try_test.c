/* try, catch, retry, timeouts and idempotency keys. */
#include "run_row.h"

#define FAULT(detail_) "{\"type\": \"urn:" detail_ "\", \"status\": 500, \"title\": \"T\"}"
#define RAISE          "raise: {error: {type: 'urn:e', status: 500}}"

static const struct run_row rows[] = {
    {
        .name   = "a catch with neither retry nor do completes with the try's input",
        .body   = "do: [{t: {try: [{a: {" RAISE "}}], catch: {}}}, {b: {set: {x: '${ .x }'}}}]",
        .input  = "{\"x\": 1}",
        .result = "{\"x\":1}",
    },
    {
        .name   = "catch.do has the error and the try's input",
        .body   = "do: [{t: {try: [{z: {set: {x: 2}}}, {a: {" RAISE "}}], catch: {as: e,"
                  " do: [{h: {set: {x: '${ .x }', s: '${ $e.status }', i: '${ $e.instance }'}}}]}}}]",
        .input  = "{\"x\": 1}",
        .result = "{\"x\":1,\"s\":500,\"i\":\"/do/0/t/try/1/a\"}",
    },
    {
        .name   = "errors.with takes only what matches",
        .body   = "do: [{t: {try: [{a: {" RAISE "}}], catch: {errors: {with: {status: 501}}}}}]",
        .result = "faulted {\"type\":\"urn:e\",",
    },
    {
        .name   = "catch.when and exceptWhen decide with $error",
        .body   = "do: [{t: {try: [{a: {" RAISE "}}], catch: {when: '$error.status == 500',"
                  " exceptWhen: '$error.type == \"urn:x\"', do: [{h: {set: {c: 1}}}]}}}]",
        .result = "{\"c\":1}",
    },
    {
        .name   = "catch.exceptWhen leaves the error to those around",
        .body   = "do: [{t: {try: [{u: {try: [{a: {" RAISE "}}],"
                  " catch: {exceptWhen: 'true', do: [{h: {set: {c: 1}}}]}}}],"
                  " catch: {do: [{i: {set: {c: 2}}}]}}}]",
        .result = "{\"c\":2}",
    },
    {
        .name   = "an error of catch.do is not caught by the same catch",
        .body   = "do: [{t: {try: [{a: {" RAISE "}}], catch: {do: [{h: {raise: {error:"
                  " {type: 'urn:h', status: 400}}}}]}}}]",
        .result = "faulted {\"type\":\"urn:h\",",
    },
    {
        .name         = "retry comes first, and enters the list anew (A1, A2)",
        .body         = "do: [{t: {try: [{a: {" CALL "}}], catch: {retry: {delay: {seconds: 2},"
                        " limit: {attempt: {count: 2}}}, do: [{h: {set: {c: 1}}}]}}}]",
        .script       = {{"a", 0, ANSWER_FAIL, FAULT("a")}},
        .result       = "{\"c\":1}",
        .took_seconds = 4,
        .jobs         = 3,
        .history      = "run.started\n"
                        "task.started /do/0/t\n"
                        "task.started /do/0/t/try/0/a\n"
                        "job.scheduled /do/0/t/try/0/a\n"
                        "job.failed /do/0/t/try/0/a\n"
                        "task.faulted /do/0/t/try/0/a\n"
                        "task.retried /do/0/t #2\n"
                        "task.started /do/0/t/try/0/a\n"
                        "job.scheduled /do/0/t/try/0/a\n"
                        "job.failed /do/0/t/try/0/a\n"
                        "task.faulted /do/0/t/try/0/a\n"
                        "task.retried /do/0/t #3\n"
                        "task.started /do/0/t/try/0/a\n"
                        "job.scheduled /do/0/t/try/0/a\n"
                        "job.failed /do/0/t/try/0/a\n"
                        "task.faulted /do/0/t/try/0/a\n"
                        "task.started /do/0/t/catch/do/0/h\n"
                        "task.completed /do/0/t/catch/do/0/h\n"
                        "task.completed /do/0/t\n"
                        "run.completed\n",
    },
    {
        .name   = "an exhausted retry without do faults (A1)",
        .body   = "do: [{t: {try: [{a: {" CALL "}}], catch: {retry: {"
                  " limit: {attempt: {count: 1}}}}}}]",
        .script = {{"a", 0, ANSWER_FAIL, FAULT("a")}},
        .result = "faulted {\"type\":\"urn:a\",",
        .jobs   = 2,
    },
    {
        .name         = "exponential: delay, twice, four times (A3)",
        .body         = "do: [{t: {try: [{a: {" CALL "}}], catch: {retry: {delay: {seconds: 1},"
                        " backoff: {exponential: {}}, limit: {attempt: {count: 5}}}}}}]",
        .script       = {{"a", 1, ANSWER_FAIL, FAULT("a")}, {"a", 0, ANSWER_FAIL, FAULT("a")}},
        .result       = "faulted {\"type\":\"urn:a\",",
        .took_seconds = 31,
        .jobs         = 6,
    },
    {
        .name   = "retry.when refuses: catch.do handles",
        .body   = "do: [{t: {try: [{a: {" CALL "}}], catch: {retry: {when: '$error.status == 503',"
                  " limit: {attempt: {count: 5}}}, do: [{h: {set: {c: 1}}}]}}}]",
        .script = {{"a", 0, ANSWER_FAIL, FAULT("a")}},
        .result = "{\"c\":1}",
        .jobs   = 1,
    },
    {
        .name         = "limit.duration bounds all attempts with their waits (A6)",
        .body         = "do: [{t: {try: [{a: {" CALL "}}], catch: {retry: {delay: {seconds: 4},"
                        " limit: {duration: {seconds: 10}}}, do: [{h: {set: {c: 1}}}]}}}]",
        .script       = {{"a", 0, ANSWER_FAIL, FAULT("a")}},
        .result       = "{\"c\":1}",
        .took_seconds = 8,
        .jobs         = 3,
    },
    {
        .name         = "limit.attempt.duration ends an attempt that hangs",
        .body         = "do: [{t: {try: [{a: {" CALL "}}], catch: {errors: {with: {status: 408}},"
                        " retry: {limit: {attempt: {count: 1, duration: {seconds: 3}}}},"
                        " do: [{h: {set: {c: 1}}}]}}}]",
        .script       = {{"a", 0, ANSWER_NEVER, NULL}},
        .result       = "{\"c\":1}",
        .took_seconds = 6,
        .jobs         = 2,
    },
    {
        .name   = "limit.attempt.duration does not bound catch.do",
        .body   = "do: [{t: {try: [{a: {" CALL "}}], catch: {retry: {limit: {attempt: {count: 1,"
                  " duration: {seconds: 3}}}}, do: [{h: {wait: {seconds: 60}}}]}}}]",
        .script = {{"a", 0, ANSWER_NEVER, NULL}},
        .input  = "{\"x\": 1}",
        .result = "{\"x\":1}",
        .took_seconds = 66,
    },
    {
        .name   = "a job that completed is not asked again by a retry (E7)",
        .body   = "do: [{t: {try: [{a: {" CALL "}}, {b: {" CALL "}}], catch: {retry: {"
                  " limit: {attempt: {count: 3}}}}}}]",
        .script = {{"a", 0, ANSWER_OK, "{\"v\": 1}"}, {"b", 0, ANSWER_FAIL, FAULT("b")}},
        .result = "faulted {\"type\":\"urn:b\",",
        .jobs   = 5,
    },
    {
        .name   = "an answer that output.schema refused is asked for anew (E7)",
        .body   = "do: [{t: {try: [{a: {" CALL ", output: {schema: {format: json,"
                  " document: {type: string}}}}}], catch: {retry: {limit: {attempt: {count: 2}}}}}}]",
        .script = {{"a", 0, ANSWER_OK, "1"}},
        .result =
            "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/validation\",",
        .jobs = 3,
    },
    {
        .name   = "catch.then says where the list goes on after the catch",
        .body   = "do: [{t: {try: [{a: {" RAISE "}}], catch: {then: c}}}, {b: {set: {x: 1}}},"
                  " {c: {set: {x: '${ .x }'}}}]",
        .input  = "{\"x\": 7}",
        .result = "{\"x\":7}",
    },
    {
        .name   = "a task's timeout bounds its job",
        .body   = "do: [{a: {" CALL ", timeout: {after: {seconds: 9}}}}]",
        .script = {{"a", 0, ANSWER_NEVER, NULL}},
        .result = "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/timeout\","
                  "\"status\":408,",
        .took_seconds = 9,
        .history      = "run.started\n"
                        "task.started /do/0/a\n"
                        "job.scheduled /do/0/a\n"
                        "job.cancelled /do/0/a\n"
                        "task.faulted /do/0/a\n"
                        "run.faulted\n",
    },
    {
        .name   = "a try does not catch its own timeout, the one around does",
        .body   = "do: [{t: {try: [{u: {timeout: {after: {seconds: 5}}, try: [{a: {" CALL "}}],"
                  " catch: {do: [{h: {set: {c: 1}}}]}}}], catch: {do: [{i: {set: {c: 2}}}]}}}]",
        .script = {{"a", 0, ANSWER_NEVER, NULL}},
        .result = "{\"c\":2}",
        .took_seconds = 5,
    },
    {
        .name   = "the workflow's timeout faults the run",
        .body   = "timeout: {after: {seconds: 7}}\ndo: [{a: {wait: {seconds: 60}}}]",
        .result = "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/timeout\",",
        .took_seconds = 7,
    },
    {
        .name    = "the job default: transient errors of catalog functions, 3 retries",
        .body    = "do: [{a: {" CHAT "}}]",
        .script  = {{"a", 0, ANSWER_TRANSIENT, FAULT("a")}},
        .result  = "faulted {\"type\":\"urn:a\",",
        .jobs    = 1,
        .history = "run.started\n"
                   "task.started /do/0/a\n"
                   "job.scheduled /do/0/a\n"
                   "task.retried /do/0/a #2\n"
                   "task.retried /do/0/a #3\n"
                   "task.retried /do/0/a #4\n"
                   "job.dead /do/0/a #4\n"
                   "task.faulted /do/0/a\n"
                   "run.faulted\n",
    },
    {
        .name    = "the job default: an error that is not transient ends it",
        .body    = "do: [{a: {" CHAT "}}]",
        .script  = {{"a", 0, ANSWER_FAIL, FAULT("a")}},
        .result  = "faulted {\"type\":\"urn:a\",",
        .history = "run.started\n"
                   "task.started /do/0/a\n"
                   "job.scheduled /do/0/a\n"
                   "job.failed /do/0/a\n"
                   "task.faulted /do/0/a\n"
                   "run.faulted\n",
    },
    {
        .name   = "the job default does not multiply with the retry of its try",
        .body   = "do: [{t: {try: [{a: {" CHAT "}}], catch: {retry: {limit: {attempt:"
                  " {count: 1}}}}}}]",
        .script = {{"a", 0, ANSWER_TRANSIENT, FAULT("a")}},
        .result = "faulted {\"type\":\"urn:a\",",
        .jobs   = 2,
    },
    {
        .name   = "metadata.tutti.retry takes any error; none turns the default off (E8)",
        .body   = "do: [{t: {try: [{a: {" CHAT ", metadata: {tutti: {retry: none}}}}], catch: {}}},"
                  " {b: {" CHAT ", metadata: {tutti: {retry: {limit: {attempt: {count: 1}}}}}}}]",
        .script = {{"a", 0, ANSWER_TRANSIENT, FAULT("a")},
                   {"b", 1, ANSWER_FAIL, FAULT("b")},
                   {"b", 2, ANSWER_OK, "\"second\""}},
        .result = "\"second\"",
        .jobs   = 2,
    },
    {
        .name   = "a do with a retry of its own is entered again (E8)",
        .body   = "do: [{d: {do: [{a: {" CALL "}}], metadata: {tutti: {retry: {delay: {seconds: 1},"
                  " limit: {attempt: {count: 2}}}}}}}]",
        .script = {{"a", 0, ANSWER_FAIL, FAULT("a")}},
        .result = "faulted {\"type\":\"urn:a\",",
        .jobs   = 3,
        .took_seconds = 2,
    },
    {
        .name         = "a set with a retry of its own is evaluated again (E8)",
        .body         = "do: [{t: {try: [{a: {set: '${ error(\"no\") }', metadata: {tutti: {retry:"
                        " {delay: {seconds: 1}, limit: {attempt: {count: 2}}}}}}}], catch: {}}}]",
        .result       = "{}",
        .took_seconds = 2,
    },
    {
        .name         = "a retry of its own bounds a job's attempts by limit.duration",
        .body         = "do: [{a: {" CALL ", metadata: {tutti: {retry: {delay: {seconds: 4},"
                        " limit: {duration: {seconds: 10}}}}}}}]",
        .script       = {{"a", 0, ANSWER_FAIL, FAULT("a")}},
        .result       = "faulted {\"type\":\"urn:a\",",
        .took_seconds = 8,
        .history      = "run.started\n"
                        "task.started /do/0/a\n"
                        "job.scheduled /do/0/a\n"
                        "task.retried /do/0/a #2\n"
                        "task.retried /do/0/a #3\n"
                        "job.dead /do/0/a #3\n"
                        "task.faulted /do/0/a\n"
                        "run.faulted\n",
    },
};

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, run_row_check, &rows[i]);
    }
    return cmocka_run_group_tests_name("try", tests, NULL, NULL);
}
