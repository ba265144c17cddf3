/* Calls that were given up and wait for an operator: `onExhausted: pause`. */
#include "run_row.h"
#include "json/json_text.h"

#define PAUSES "metadata: {tutti: {onExhausted: pause}}"
#define TWICE  "metadata: {tutti: {onExhausted: pause, retry: {limit: {attempt: {count: 1}}}}}"
#define BUSY   "{\"type\": \"urn:busy\", \"status\": 503}"

#define BOTH                                                                                       \
    "do: [{f: {fork: {branches: [{a: {" CALL ", " TWICE "}}, {b: {" CALL ", " TWICE "}}]}}}]"

#define HOUR_US INT64_C(3'600'000'000)

enum verdict { VERDICT_RETRY, VERDICT_RESUME, VERDICT_FAIL };

struct pause_row {
    const char *name;
    const char *body;
    struct answer first[4], second[4]; /* before and after the verdict */
    enum verdict verdict;
    const char *task;   /* NULL: all */
    const char *patch;  /* NULL: none */
    const char *result; /* as in run_row */
    const char *calls;  /* keys of the jobs; NULL: does not matter */
};

static const struct pause_row rows[] = {
    {
        .name    = "all attempts are spent: once more, with all of them, under the same key",
        .body    = "do: [{a: {" CALL ", " TWICE "}}, {b: {set: {ok: '${ . }'}}}]",
        .first   = {{"a", 0, ANSWER_FAIL, BUSY}},
        .second  = {{"a", 1, ANSWER_FAIL, BUSY}, {"a", 0, ANSWER_OK, "7"}},
        .verdict = VERDICT_RETRY,
        .result  = "{\"ok\":7}",
        .calls   = "#/do/0/a/-/1 #/do/0/a/-/1 ",
    },
    {
        .name    = "with other arguments, under another key",
        .body    = "do: [{a: {" CALL ", " TWICE "}}]",
        .first   = {{"a", 0, ANSWER_FAIL, BUSY}},
        .second  = {{"a", 0, ANSWER_OK, "7"}},
        .verdict = VERDICT_RETRY,
        .patch   = "{\"body\": 1}",
        .result  = "7",
        .calls   = "#/do/0/a/-/1 #/do/0/a/-/2 ",
    },
    {
        .name    = "resumed, all that wait begin again",
        .body    = BOTH,
        .first   = {{"a", 0, ANSWER_FAIL, BUSY}, {"b", 0, ANSWER_FAIL, BUSY}},
        .second  = {{"a", 0, ANSWER_OK, "1"}, {"b", 0, ANSWER_OK, "2"}},
        .verdict = VERDICT_RESUME,
        .result  = "[1,2]",
    },
    {
        .name    = "one of several: the other goes on waiting",
        .body    = BOTH,
        .first   = {{"a", 0, ANSWER_FAIL, BUSY}, {"b", 0, ANSWER_FAIL, BUSY}},
        .second  = {{"a", 0, ANSWER_OK, "1"}},
        .verdict = VERDICT_RETRY,
        .task    = "/do/0/f/fork/branches/0/a",
        .result  = "waiting",
    },
    {
        .name    = "let fail, with the error of its last attempt",
        .body    = "do: [{a: {" CALL ", " TWICE "}}]",
        .first   = {{"a", 0, ANSWER_FAIL, BUSY}},
        .verdict = VERDICT_FAIL,
        .result  = "faulted {\"type\":\"urn:busy\",",
    },
    {
        .name = "let fail within a try, which catches it",
        .body = "do: [{t: {try: [{a: {" CALL ", " TWICE
                "}}], catch: {do: [{s: {set: {caught: true}}}]}}}]",
        .first   = {{"a", 0, ANSWER_FAIL, BUSY}},
        .verdict = VERDICT_FAIL,
        .result  = "{\"caught\":true}",
    },
    {
        .name    = "without retries: the first failure that another attempt could cure",
        .body    = "do: [{a: {" CALL ", " PAUSES "}}]",
        .first   = {{"a", 0, ANSWER_TRANSIENT, BUSY}},
        .second  = {{"a", 0, ANSWER_OK, "7"}},
        .verdict = VERDICT_RETRY,
        .result  = "7",
    },
    {
        .name    = "a timeout that is past begins anew",
        .body    = "timeout: {after: {minutes: 5}}\n"
                   "do: [{d: {timeout: {after: {minutes: 4}}, do: [{a: {" CALL ", timeout: {after: {"
                   "minutes: 3}}, " TWICE "}}, {w: {wait: {seconds: 100}}}]}}]",
        .first   = {{"a", 0, ANSWER_FAIL, BUSY}},
        .second  = {{"a", 0, ANSWER_OK, "7"}},
        .verdict = VERDICT_RETRY,
        .result  = "7",
    },
    {
        .name = "several iterations of one task",
        .body =
            "do: [{l: {for: {in: '[1, 2, 3]'}, metadata: {tutti: {parallel: 3}}, do: [{a: {" CALL
            ", " TWICE "}}]}}]",
        .first   = {{"a", 0, ANSWER_FAIL, BUSY}},
        .second  = {{"a", 0, ANSWER_OK, "7"}},
        .verdict = VERDICT_RETRY,
        .task    = "/do/0/l/do/0/a",
        .result  = "[7,7,7]",
    },
};

static status speak(struct world *world, enum verdict verdict, const char *task, json patch)
{
    const struct run_retry command = {
        .task = str_from(task ? task : ""), .patch = patch, .by = str_from("ann")};
    const str none = {};
    status code    = STATUS_OK;
    switch (verdict) {
    case VERDICT_RETRY:
        code = run_retry(world->run, &world->env, &command, &world->events, NULL);
        break;
    case VERDICT_FAIL:
        code = run_give_up(world->run, &world->env, &command, &world->events, NULL);
        break;
    case VERDICT_RESUME:
        code = run_resume(world->run, &world->env, none, none, &world->events, NULL);
        break;
    }
    if (code == STATUS_OK) world_commit(world);
    return code;
}

static json patch_of(const char *text)
{
    json value = json_invalid();
    if (!text) return value;
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

/* Until nothing happens any more. */
static void play(struct world *world, const char *body, const struct answer *script)
{
    world_init(world, body);
    world->script = script;
    world_start(world, "{}");
    world_play(world);
}

static void check(void **state)
{
    const struct pause_row *row     = *state;
    CLEANUP(json_unrefp) json patch = patch_of(row->patch);
    struct world world;
    play(&world, row->body, row->first);
    assert_string_equal(world_result(&world), "suspended");
    assert_non_null(strstr(world.history.ptr, "job.dead "));
    assert_non_null(strstr(world.history.ptr, "task.paused "));
    struct run_wait wait = {};
    assert_true(run_waits(world.run, &wait, 1) == 1 && wait.kind == WAIT_OPERATOR);
    assert_true(run_is_paused_by(world.run, wait.id));

    world_pass(&world, HOUR_US);
    assert_string_equal(world_result(&world), "suspended");
    world_crash(&world, true);
    world_crash(&world, false);
    world.script = row->second;
    assert_int_equal(speak(&world, row->verdict, row->task, patch), STATUS_OK);
    world_play(&world);
    expect_result(&world, row->result);
    if (row->calls) expect_keys(&world, row->calls);
    world_done(&world);
}

/* --- what is no pause, and what is refused -------------------------------------------------------
 */

static void test_an_error_that_no_attempt_cures_is_raised(void **)
{
    static const struct answer script[] = {{"a", 0, ANSWER_FAIL, BUSY}, {}};
    struct world world;
    play(&world, "do: [{a: {" CALL ", " PAUSES "}}]", script);
    assert_int_equal(run_status(world.run), RUN_FAULTED);
    assert_null(strstr(world.history.ptr, "task.paused"));
    world_done(&world);
}

static void test_refusals(void **)
{
    static const struct answer script[] = {{"a", 0, ANSWER_FAIL, BUSY}, {}};
    CLEANUP(json_unrefp) json patch     = patch_of("{\"x\": 1}");
    struct world world;
    world_init(&world,
               "do: [{l: {for: {in: '[1, 2]'}, metadata: {tutti: {parallel: 2}}, do: [{a: {" CALL
               ", " TWICE "}}]}}]");
    world.script = script;
    world_start(&world, "{}");
    assert_int_equal(speak(&world, VERDICT_FAIL, NULL, json_invalid()),
                     STATUS_FAILED_PRECONDITION); /* nothing waits yet */
    world_play(&world);
    assert_int_equal(speak(&world, VERDICT_RETRY, "/do/1/b", json_invalid()),
                     STATUS_FAILED_PRECONDITION);
    assert_int_equal(speak(&world, VERDICT_RETRY, NULL, patch), STATUS_INVALID_ARGUMENT);
    assert_int_equal(speak(&world, VERDICT_FAIL, NULL, json_invalid()), STATUS_OK);
    world_play(&world);
    assert_int_equal(run_status(world.run), RUN_FAULTED);
    assert_int_equal(speak(&world, VERDICT_FAIL, NULL, json_invalid()),
                     STATUS_FAILED_PRECONDITION); /* it has ended */
    world_done(&world);
}

/* A run that was let fail is retried like any other: what waited makes its calls. */
static void test_retry_after_fail(void **)
{
    static const struct answer busy[] = {
        {"a", 0, ANSWER_FAIL, BUSY}, {"b", 0, ANSWER_FAIL, BUSY}, {}};
    static const struct answer fine[] = {{"a", 0, ANSWER_OK, "1"}, {"b", 0, ANSWER_OK, "2"}, {}};
    struct world world;
    play(&world, BOTH, busy);
    assert_int_equal(speak(&world, VERDICT_FAIL, "/do/0/f/fork/branches/0/a", json_invalid()),
                     STATUS_OK);
    world_play(&world);
    assert_int_equal(run_status(world.run), RUN_FAULTED);
    world.script = fine;
    assert_int_equal(world_retry(&world, NULL), STATUS_OK);
    world_play(&world);
    assert_string_equal(world_result(&world), "[1,2]");
    world_done(&world);
}

static void test_cancel_and_terminate(void **)
{
    static const struct answer script[] = {{"a", 0, ANSWER_FAIL, BUSY}, {}};
    for (int i = 0; i < 2; i++) {
        struct world world;
        play(&world, "do: [{a: {" CALL ", " TWICE "}}]", script);
        if (i == 0) {
            world_cancel(&world);
        } else {
            world_terminate(&world);
        }
        assert_int_equal(run_status(world.run), i == 0 ? RUN_CANCELLED : RUN_TERMINATED);
        world_done(&world);
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 4];
    size_t count = 0;
    for (; count < ARRAY_LEN(rows); count++) {
        tests[count] = row_test(rows[count].name, check, &rows[count]);
    }
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(test_an_error_that_no_attempt_cures_is_raised);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_refusals);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_retry_after_fail);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_cancel_and_terminate);
    return cmocka_run_group_tests_name("paused", tests, NULL, NULL);
}
