/* Calls whose workers ask a person before they go on. */
#include "run_row.h"
#include "json/json_text.h"

#define ASKS                                                                                       \
    "{\"title\": \"tea asks\", \"payload\": {\"message\": \"Which?\"}, \"form\": {\"type\": "      \
    "\"object\"}}"
#define BRIEF "timeout: {after: {minutes: 3}}"

struct question_row {
    const char *name;
    const char *body;
    struct answer script[6];
    unsigned answers;    /* by people */
    bool is_refused;     /* by each of them */
    const char *result;  /* as in run_row */
    const char *history; /* of approvals and jobs, in order; NULL: does not matter */
};

static const struct question_row rows[] = {
    {
        .name    = "it waits, and goes on as the same call",
        .body    = "do: [{a: {" CALL "}}]",
        .script  = {{"a", 0, ANSWER_ASK, ASKS}, {"a", 0, ANSWER_OK, "7"}},
        .result  = "waiting",
        .history = "job.scheduled approval.requested ",
    },
    {
        .name    = "somebody has answered",
        .body    = "do: [{a: {" CALL "}}]",
        .script  = {{"a", 0, ANSWER_ASK, ASKS}, {"a", 0, ANSWER_OK, "7"}},
        .answers = 1,
        .result  = "7",
        .history = "job.scheduled approval.requested approval.decided job.completed ",
    },
    {
        .name       = "what is refused goes on as well: the other side hears of it",
        .body       = "do: [{a: {" CALL "}}]",
        .script     = {{"a", 0, ANSWER_ASK, ASKS}, {"a", 0, ANSWER_OK, "7"}},
        .answers    = 1,
        .is_refused = true,
        .result     = "7",
        .history    = "job.scheduled approval.requested approval.decided job.completed ",
    },
    {
        .name    = "asked twice",
        .body    = "do: [{a: {" CALL "}}]",
        .script  = {{"a", 0, ANSWER_ASK, ASKS},
                    {"a", 0, ANSWER_ASK, ASKS},
                    {"a", 0, ANSWER_OK, "7"}},
        .answers = 2,
        .result  = "7",
        .history = "job.scheduled approval.requested approval.decided approval.requested "
                   "approval.decided job.completed ",
    },
    {
        .name = "an attempt that fails after the answer is tried again, and nobody is asked",
        .body = "do: [{a: {" CALL ", metadata: {tutti: {retry: {limit: {attempt: {count: 1}}}}}}}]",
        .script  = {{"a", 1, ANSWER_ASK, ASKS},
                    {"a", 1, ANSWER_TRANSIENT, "{\"type\": \"urn:busy\", \"status\": 503}"},
                    {"a", 2, ANSWER_OK, "7"}},
        .answers = 1,
        .result  = "7",
        .history = "job.scheduled approval.requested approval.decided job.completed ",
    },
    {
        .name    = "nobody answers in time",
        .body    = "do: [{a: {" CALL ", " BRIEF "}}]",
        .script  = {{"a", 0, ANSWER_ASK, ASKS}},
        .result  = "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/timeout\",",
        .history = "job.scheduled approval.requested approval.expired job.cancelled ",
    },
    {
        .name    = "the time of what is around it",
        .body    = "do: [{d: {" BRIEF ", do: [{a: {" CALL "}}]}}]",
        .script  = {{"a", 0, ANSWER_ASK, ASKS}},
        .result  = "faulted {\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/timeout\",",
        .history = "job.scheduled approval.requested approval.cancelled job.cancelled ",
    },
    {
        .name = "another branch was faster",
        .body = "do: [{f: {fork: {compete: true, branches: [{a: {" CALL "}}, {b: {do: [{w: {wait: "
                "{minutes: 1}}}, {s: {set: {ok: 1}}}]}}]}}}]",
        .script  = {{"a", 0, ANSWER_ASK, ASKS}},
        .result  = "{\"ok\":1}",
        .history = "job.scheduled approval.requested approval.cancelled job.cancelled ",
    },
    {
        .name = "calls that are undone: one answer is one call",
        .body = "do: [{s: {metadata: {tutti: {saga: true}}, do: [{a: {" CALL
                ", metadata: {tutti: {compensate: [{back: {" CALL
                "}}]}}}}, {r: {raise: {error: {type: 'urn:no', status: 400}}}}]}}]",
        .script  = {{"a", 0, ANSWER_ASK, ASKS}, {"a", 0, ANSWER_OK, "7"}},
        .answers = 1,
        .result  = "faulted {\"type\":\"urn:no\",",
        .history = "job.scheduled approval.requested approval.decided job.completed job.scheduled "
                   "job.completed ",
    },
};

/* What happened to jobs and approvals: "job.scheduled approval.requested ". */
static void put_history(const struct world *world, struct buf *out)
{
    const char *line = world->history.len > 0 ? world->history.ptr : "";
    for (; *line; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, " \n");
        bool is_shown = strncmp(line, "job.", 4) == 0 || strncmp(line, "approval.", 9) == 0;
        if (!is_shown) continue;
        (void)buf_put(out, line, length);
        (void)buf_put_byte(out, ' ');
    }
    (void)buf_put_byte(out, '\0');
}

static void check(void **state)
{
    const struct question_row *row       = *state;
    CLEANUP(buf_done) struct buf history = buf_init(1 << 20);
    struct world world;
    world_init(&world, row->body);
    world.script = row->script;
    world_start(&world, "{}");
    world_play(&world);
    for (unsigned i = 0; i < row->answers; i++) {
        assert_int_equal(run_status(world.run), RUN_WAITING);
        world_crash(&world, i % 2 == 0); /* it survives that */
        assert_int_equal(world_decide(&world, !row->is_refused, "{\"kind\": \"green\"}"),
                         STATUS_OK);
        assert_int_equal(world_decide(&world, true, NULL), STATUS_FAILED_PRECONDITION);
        world_play(&world);
    }
    world_play(&world);
    expect_result(&world, row->result);
    put_history(&world, &history);
    if (row->history) assert_string_equal(history.ptr, row->history);
    world_done(&world);
}

static void what_waits_is_shown_as_an_approval(void **)
{
    const struct answer script[] = {{"a", 0, ANSWER_ASK, ASKS}, {}};
    struct run_wait waits[4];
    struct world world;
    world_init(&world, "do: [{a: {" CALL ", " BRIEF "}}]");
    world.script = script;
    world_start(&world, "{}");
    while (!world.approval.text[0]) assert_true(world_step(&world));
    assert_int_equal(run_waits(world.run, waits, ARRAY_LEN(waits)), 1);
    assert_int_equal(waits[0].kind, WAIT_APPROVAL);
    assert_true(str_is(waits[0].id, world.approval.text));
    assert_true(waits[0].due_us > 0);
    assert_int_equal(run_jobs_open(world.run), 0);
    world_done(&world);
}

static void whoever_withdraws_the_job_closes_the_question(void **)
{
    const struct answer script[]         = {{"a", 0, ANSWER_ASK, ASKS}, {}};
    CLEANUP(buf_done) struct buf history = buf_init(1 << 20);
    struct world world;
    world_init(&world, "do: [{a: {" CALL "}}]");
    world.script = script;
    world_start(&world, "{}");
    world_play(&world);
    const struct id job              = world.jobs[0].id;
    const struct job_failure command = {.job = str_from(job.text), .is_final = true};
    assert_int_equal(run_job_failed(world.run, &world.env, &command, &world.events, NULL),
                     STATUS_OK);
    world_commit(&world);
    world_play(&world);
    assert_int_equal(run_status(world.run), RUN_FAULTED);
    put_history(&world, &history);
    assert_string_equal(history.ptr,
                        "job.scheduled approval.requested approval.cancelled job.failed ");
    assert_int_equal(world_retry(&world, NULL), STATUS_OK); /* and asks anew */
    world.used = 0;
    world_play(&world);
    assert_int_equal(run_status(world.run), RUN_WAITING);
    world_cancel(&world);
    world_play(&world);
    assert_int_equal(run_status(world.run), RUN_CANCELLED);
    world_done(&world);
}

static void what_is_no_question_changes_nothing(void **)
{
    static const struct {
        const char *text;
        status code;
    } wrong[] = {
        {"{}", STATUS_INVALID_ARGUMENT},
        {"{\"title\": \"x\"}", STATUS_INVALID_ARGUMENT},
        {"{\"title\": 7, \"payload\": {}}", STATUS_INVALID_ARGUMENT},
    };
    const struct answer script[] = {{"a", 0, ANSWER_NEVER, NULL}, {}};
    struct world world;
    world_init(&world, "do: [{a: {" CALL "}}]");
    world.script = script;
    world_start(&world, "{}");
    world_play(&world);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CLEANUP(json_unrefp) json value = json_invalid();
        assert_int_equal(json_parse(str_from(wrong[i].text), NULL, &value, NULL, NULL), STATUS_OK);
        const struct job_question command = {.job   = str_from(world.jobs[0].id.text),
                                             .value = value};
        assert_int_equal(run_job_asked(world.run, &world.env, &command, &world.events, NULL),
                         wrong[i].code);
        assert_int_equal(world.events.count, 0);
    }
    const struct job_question other = {.job = str_from("none")};
    assert_int_equal(run_job_asked(world.run, &world.env, &other, &world.events, NULL),
                     STATUS_NOT_FOUND);
    world_done(&world);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 3];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, check, &rows[i]);
    }
    size_t count   = ARRAY_LEN(rows);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(what_waits_is_shown_as_an_approval);
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(whoever_withdraws_the_job_closes_the_question);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(what_is_no_question_changes_nothing);
    return cmocka_run_group_tests_name("question", tests, NULL, NULL);
}
