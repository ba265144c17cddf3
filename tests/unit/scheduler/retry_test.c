/* A faulted run is opened again where it failed. */
#include "run_row.h"

struct retry_row {
    const char *name;
    const char *body;
    const char *input;
    struct answer first[4], second[4]; /* before and after the retry */
    const char *patch;                 /* NULL: none */
    status expected;
    const char *result; /* as in run_row */
    const char *calls;  /* keys of the jobs, "#" for the run's id; NULL: does not matter */
};

#define FAULT "{\"type\": \"urn:e\", \"status\": 500}"

static const struct retry_row rows[] = {
    {
        .name   = "a call that failed is asked again, with the same key",
        .body   = "do: [{a: {" POST("1") "}}, {b: {" POST("2") "}}, {c: {set: {ok: '${ . }'}}}]",
        .first  = {{"b", 0, ANSWER_FAIL, FAULT}},
        .second = {{"b", 0, ANSWER_OK, "7"}},
        .result = "{\"ok\":7}",
        .calls  = "#/do/0/a/-/1 #/do/1/b/-/1 #/do/1/b/-/1 ",
    },
    {
        .name   = "it fails again, and is retried twice",
        .body   = "do: [{b: {" POST("2") "}}]",
        .first  = {{"b", 0, ANSWER_FAIL, FAULT}},
        .second = {{"b", 0, ANSWER_FAIL, FAULT}},
        .result = "faulted {\"type\":\"urn:e\",",
    },
    {
        .name   = "with a patch of its arguments, under a new pass",
        .body   = "do: [{a: {" POST("'${ . }'") "}}]",
        .input  = "{\"x\": 1}",
        .first  = {{"a", 0, ANSWER_FAIL, FAULT}},
        .second = {{"a", 0, ANSWER_OK, "7"}},
        .patch  = "{\"body\": {\"x\": 2, \"y\": 3}}",
        .result = "7",
        .calls  = "#/do/0/a/-/1 #/do/0/a/-/2 ",
    },
    {
        .name = "an answer that was refused is asked for anew",
        .body = "do: [{a: {" POST(
            "1") ", output: {schema: {format: json, document: {type: integer}}}}}]",
        .first  = {{"a", 0, ANSWER_OK, "\"text\""}},
        .second = {{"a", 0, ANSWER_OK, "7"}},
        .result = "7",
        .calls  = "#/do/0/a/-/1 #/do/0/a/-/2 ",
    },
    {
        .name   = "a task in the engine, with a patch of its input; what was done stays done",
        .body   = "do: [{a: {" POST("1") "}}, {b: {set: '${ .n + 1 }'}}]",
        .first  = {{"a", 0, ANSWER_OK, "{\"n\": \"x\", \"m\": 1}"}},
        .patch  = "{\"n\": 4}",
        .result = "5",
        .calls  = "#/do/0/a/-/1 ",
    },
    {
        .name   = "what was cancelled because of it is begun again, too",
        .body   = "do: [{f: {fork: {branches: [{a: {" POST("1") "}}, {b: {" POST("2") "}}]}}}]",
        .first  = {{"a", 0, ANSWER_NEVER, NULL}, {"b", 0, ANSWER_FAIL, FAULT}},
        .second = {{"a", 0, ANSWER_OK, "1"}, {"b", 0, ANSWER_OK, "2"}},
        .result = "[1,2]",
        .calls  = "#/do/0/f/fork/branches/0/a/-/1 #/do/0/f/fork/branches/1/b/-/1 "
                  "#/do/0/f/fork/branches/0/a/-/1 #/do/0/f/fork/branches/1/b/-/1 ",
    },
    {
        .name = "one of several iterations at once",
        .body =
            "do: [{l: {for: {in: '[1, 2, 3]'}, metadata: {tutti: {parallel: 2}}, do: [{a: {" POST(
                "'${ $item }'") "}}]}}]",
        .first  = {{"a", 0, ANSWER_FAIL, FAULT}},
        .second = {{"a", 0, ANSWER_OK, "7"}},
        .result = "[7,7,7]",
    },
    {
        .name   = "a timeout begins anew",
        .body   = "do: [{a: {" POST("1") ", timeout: {after: {seconds: 5}}}}]",
        .first  = {{"a", 0, ANSWER_NEVER, NULL}},
        .second = {{"a", 0, ANSWER_OK, "7"}},
        .result = "7",
    },
    {
        .name = "the timeout of the run, too",
        .body =
            "timeout: {after: {seconds: 5}}\ndo: [{a: {" POST("1") "}}, {w: {wait: {seconds: 4}}}]",
        .first  = {{"a", 0, ANSWER_NEVER, NULL}},
        .second = {{"a", 0, ANSWER_OK, "7"}},
        .result = "7",
    },
    {
        .name     = "a run that was undone is not opened again",
        .body     = "  metadata: {tutti: {saga: true}}\n"
                    "do: [{s: {set: {n: 1}, metadata: {tutti: {compensate: [{u: {set: {n: 0}}}]}}}}, "
                    "{a: {" POST("1") "}}]",
        .first    = {{"a", 0, ANSWER_FAIL, FAULT}},
        .expected = STATUS_FAILED_PRECONDITION,
        .result   = "faulted {\"type\":\"urn:e\",",
    },
    {
        .name     = "a run that has not faulted",
        .body     = "do: [{a: {" POST("1") "}}]",
        .first    = {{"a", 0, ANSWER_OK, "7"}},
        .expected = STATUS_FAILED_PRECONDITION,
        .result   = "7",
    },
    {
        .name   = "the first task, which fails at once",
        .body   = "do: [{a: {set: '${ .n + \"x\" }'}}]",
        .input  = "{\"n\": 1}",
        .patch  = "{\"n\": \"y\"}",
        .result = "\"yx\"",
    },
};

static void check(void **state)
{
    const struct retry_row *row = *state;
    struct world world;
    world_init(&world, row->body);
    world.script = row->first;
    world_start(&world, row->input);
    world_play(&world);
    world.env.now_us += INT64_C(3'600'000'000);
    world.script = row->second;
    status code  = world_retry(&world, row->patch);
    world_play(&world);
    if (code == STATUS_OK && run_status(world.run) == RUN_FAULTED) {
        assert_int_equal(world_retry(&world, NULL), STATUS_OK); /* again and again */
        world_play(&world);
    }
    expect_result(&world, row->result);
    assert_int_equal(code, row->expected);
    if (row->calls) expect_keys(&world, row->calls);
    world_done(&world);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, check, &rows[i]);
    }
    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
