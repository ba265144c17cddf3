/* Finished runs go when their time is over, and leave nothing. */
#include "cmocka.h"

#include "base/assert.h"
#include "dead_letter.pb-c.h"
#include "job.pb-c.h"
#include "run.pb-c.h"
#include "scheduler/engine/removal/retention.h"
#include "scheduler/tables/dead_letters.h"
#include "stage/stage.h"

#include <stdio.h>

enum { ARENA_MAX = 64 << 20, RUNS = 450 /* more than two pages */ };

#define SECOND   INT64_C(1'000'000)
#define HOUR     (3'600 * SECOND)
#define DAY      (24 * HOUR)
#define START_US INT64_C(1'795'341'600'000'000)

/* --- rules -------------------------------------------------------------------------------------
 */

static const struct retention rules = {
    .keep_us = 30 * DAY,
    .rules   = {{.namespace = {"scrape", 6}, .keep_us = DAY},
                {.workflow = {"seo-*", 5},
                 .status   = PB__RUN_STATUS__RUN_STATUS_FAULTED,
                 .keep_us  = 90 * DAY},
                {.workflow = {"seo-*", 5}, .keep_us = 2 * DAY},
                {.workflow = {"ledger", 6}, .keep_us = RETENTION_FOR_EVER_US}},
    .count   = 4,
};

static void the_first_rule_that_fits_decides(void **state)
{
    (void)state;
    static const struct {
        const char *namespace, *workflow;
        Pb__RunStatus status;
        int64_t days; /* 0: for ever */
    } cases[] = {
        {"default", "other", PB__RUN_STATUS__RUN_STATUS_COMPLETED, 30},
        {"scrape", "ledger", PB__RUN_STATUS__RUN_STATUS_COMPLETED, 1},
        {"default", "seo-article", PB__RUN_STATUS__RUN_STATUS_COMPLETED, 2},
        {"default", "seo-article", PB__RUN_STATUS__RUN_STATUS_FAULTED, 90},
        {"default", "seo", PB__RUN_STATUS__RUN_STATUS_FAULTED, 30},
        {"default", "seo-", PB__RUN_STATUS__RUN_STATUS_CANCELLED, 2},
        {"default", "ledger", PB__RUN_STATUS__RUN_STATUS_TERMINATED, 0},
        {"default", "ledgers", PB__RUN_STATUS__RUN_STATUS_TERMINATED, 30},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Pb__RunView row = PB__RUN_VIEW__INIT;
        row.namespace_  = cases[i].namespace;
        row.workflow    = cases[i].workflow;
        row.status      = cases[i].status;
        row.ended_us    = START_US;
        int64_t end_us  = cases[i].days ? START_US + cases[i].days * DAY : INT64_MAX;
        assert_int_equal(retention_end_us(&rules, &row), end_us);
    }
    assert_int_equal(retention_shortest_us(&rules), DAY);
    const struct retention never = {.keep_us = RETENTION_FOR_EVER_US};
    assert_int_equal(retention_shortest_us(&never), INT64_MAX);
}

/* --- the sweeper -------------------------------------------------------------------------------
 */

static struct stage *stage_with(const struct retention *retention)
{
    const struct stage_options options = {
        .partitions = 1, .seed = 7, .now_us = START_US, .retention = retention};
    struct stage *stage = NULL;
    assert_int_equal(stage_open(&options, &stage, NULL), STATUS_OK);
    return stage;
}

static void put(struct stage *stage, const char *name, const char *tasks,
                const struct workflow **ret_workflow)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics list                  = {.arena = arena};
    const char *text                         = arena_printf(
                                arena, "document: {dsl: 1.0.3, namespace: test, name: %s, version: 1.0.0}\ndo:\n%s", name,
                                tasks);
    assert_int_equal(workflow_read(str_from(text), &list, ret_workflow, NULL), STATUS_OK);
    assert_int_equal(stage_put(stage, *ret_workflow, NULL), STATUS_OK);
}

static void start(struct stage *stage, const struct workflow *workflow)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_START, 1);
    Pb__StartRun *request                             = stage_call_alloc(call, sizeof *request);
    Pb__StartedRun *response                          = stage_call_alloc(call, sizeof *response);
    *request                                          = (Pb__StartRun)PB__START_RUN__INIT;
    *response                                         = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    call->command.request                             = request;
    call->command.response                            = response;
    call->command.workflow                            = workflow_ref(workflow);
    assert_int_equal(stage_ask(stage, 0, call, NULL), STATUS_OK);
    assert_int_equal(call->command.code, STATUS_OK);
}

static void live(struct stage *stage, int64_t us)
{
    while (us > 0) {
        int64_t wait_us = stage_wait_us(stage);
        if (wait_us > us) wait_us = us;
        stage_pass(stage, wait_us);
        us -= wait_us;
        assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    }
}

static uint64_t rows_of(struct stage *stage, enum table table)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    uint64_t count                      = 0;
    assert_int_equal(txn_begin_read(stage_store(stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, table, &count, NULL), STATUS_OK);
    return count;
}

static void finished_runs_go_and_others_stay(void **state)
{
    (void)state;
    static const struct retention day         = {.keep_us = DAY};
    CLEANUP(stage_closep) struct stage *stage = stage_with(&day);
    const struct workflow *done               = NULL;
    const struct workflow *waits              = NULL;
    put(stage, "done", "  - a: {set: {x: 1}}\n", &done);
    put(stage, "waits", "  - a: {wait: {days: 5}}\n", &waits);
    for (int i = 0; i < RUNS; i++) {
        start(stage, done);
        if (i % 10 == 0) start(stage, waits);
    }
    live(stage, DAY - HOUR);
    assert_int_equal(rows_of(stage, TABLE_RUNS), RUNS + RUNS / 10);

    stage_crash(stage); /* what the sweeper knew is gone */
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
    live(stage, 2 * HOUR);
    assert_int_equal(rows_of(stage, TABLE_RUNS), RUNS / 10);
    assert_int_equal(rows_of(stage, TABLE_DELETIONS), 0);

    live(stage, 6 * DAY); /* they end after five, and are kept for one */
    assert_int_equal(rows_of(stage, TABLE_RUNS), 0);
    assert_int_equal(rows_of(stage, TABLE_RUN_HEADS), 0);
    assert_int_equal(rows_of(stage, TABLE_JOURNAL), 0);
    assert_int_equal(rows_of(stage, TABLE_RUN_INDEX), 0);
    assert_int_equal(rows_of(stage, TABLE_SNAPSHOTS), 0);
    assert_int_equal(rows_of(stage, TABLE_PAYLOADS), 0);
    assert_int_equal(rows_of(stage, TABLE_TIMERS), 0);
    workflow_unref(done);
    workflow_unref(waits);
}

static void without_rules_all_is_kept(void **state)
{
    (void)state;
    static const struct retention never       = {.keep_us = RETENTION_FOR_EVER_US};
    CLEANUP(stage_closep) struct stage *stage = stage_with(&never);
    const struct workflow *done               = NULL;
    put(stage, "done", "  - a: {set: {x: 1}}\n", &done);
    start(stage, done);
    live(stage, 400 * HOUR);
    assert_int_equal(rows_of(stage, TABLE_RUNS), 1);
    workflow_unref(done);
}

/* --- dead letters ------------------------------------------------------------------------------
 */

#define INPUT_TEXT "what a person has asked "

static void fail_job(struct stage *stage, const Pb__LeasedJob *job)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_REPORT, 2);
    Pb__JobReports request                            = PB__JOB_REPORTS__INIT;
    Pb__JobReportAnswers response                     = PB__JOB_REPORT_ANSWERS__INIT;
    Pb__JobReport report                              = PB__JOB_REPORT__INIT;
    Pb__JobReport *reports[]                          = {&report};
    Pb__JobFailed failed                              = PB__JOB_FAILED__INIT;
    report.job                                        = job->id;
    report.lease_token                                = job->lease_token;
    report.result_case                                = PB__JOB_REPORT__RESULT_FAILED;
    report.failed                                     = &failed;
    failed.transient                                  = true;
    request.worker                                    = "w";
    request.reports                                   = reports;
    request.n_reports                                 = 1;
    call->command.request                             = &request;
    call->command.response                            = &response;
    call->command.values[0]                           = json_object_new(1);
    json_object_put_text(&call->command.values[0], "type", json_text_new(str_from("urn:busy")));
    assert_int_equal(stage_ask(stage, 0, call, NULL), STATUS_OK);
    assert_int_equal(response.reports[0]->status, STATUS_OK);
}

/* All jobs that are there fail, until there are that many letters. */
static void give_up(struct stage *stage, uint64_t letters)
{
    for (int i = 0; rows_of(stage, TABLE_DEAD_LETTERS) < letters; i++) {
        assert_in_range(i, 0, 100);
        CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_LEASE, 0);
        const char *queues[]                              = {"q"};
        Pb__LeaseJobs request                             = PB__LEASE_JOBS__INIT;
        Pb__LeasedJobs response                           = PB__LEASED_JOBS__INIT;
        request.queues                                    = queues;
        request.n_queues                                  = 1;
        request.worker                                    = "w";
        request.count_max                                 = 9;
        call->command.request                             = &request;
        call->command.response                            = &response;
        call->command.namespace                           = str_from("test");
        assert_int_equal(stage_ask(stage, 0, call, NULL), STATUS_OK);
        for (size_t j = 0; j < response.n_jobs; j++) fail_job(stage, response.jobs[j]);
        live(stage, 10 * SECOND);
    }
}

struct seen {
    size_t count, with_input;
    char job[ID_LEN + 1];
};

static status see(bytes, const Pb__DeadLetterRecord *row, struct error *, void *context)
{
    struct seen *seen        = context;
    const Pb__LeasedJob *job = row->job->job;
    seen->count++;
    assert_int_equal(row->job->input_payload, 0);
    seen->with_input +=
        memmem(job->input_json.data, job->input_json.len, INPUT_TEXT, strlen(INPUT_TEXT)) != NULL;
    memcpy(seen->job, job->id, ID_LEN);
    return STATUS_OK;
}

static struct seen letters(struct stage *stage)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct seen seen                    = {};
    const struct letter_filter filter   = {.queue = {"q", 1}, .namespace = {"test", 4}};
    assert_int_equal(txn_begin_read(stage_store(stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(letters_visit(txn, &filter, see, &seen, NULL), STATUS_OK);
    return seen;
}

static status redrive(struct stage *stage, const char *job, char name[static 64])
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_REDRIVE, 1);
    Pb__RedriveDeadLetter request                     = PB__REDRIVE_DEAD_LETTER__INIT;
    Pb__RedrivenDeadLetter response                   = PB__REDRIVEN_DEAD_LETTER__INIT;
    request.queue                                     = "q";
    request.job                                       = job;
    call->command.request                             = &request;
    call->command.response                            = &response;
    call->command.namespace                           = str_from("test");
    status code                                       = stage_ask(stage, 0, call, NULL);
    (void)snprintf(name, 64, "%s", call->command.error.code);
    return code;
}

/* The arguments are stored once, as a payload of the run, and are copied when it goes. */
static void dead_letters_outlive_their_runs(void **)
{
    static const struct retention hours       = {.keep_us = HOUR, .letters_keep_us = 4 * HOUR};
    CLEANUP(stage_closep) struct stage *stage = stage_with(&hours);
    CLEANUP(arena_freep) struct arena *arena  = arena_new(ARENA_MAX);
    CLEANUP(buf_done) struct buf text         = buf_init(ARENA_MAX);
    const struct workflow *fails              = NULL;
    const struct workflow *pauses             = NULL;
    for (int i = 0; i < 100; i++) (void)buf_put_text(&text, INPUT_TEXT);
    const char *with = arena_printf(arena, "with: {text: '" STR_FMT "'}", STR_ARG(buf_str(&text)));
    put(stage, "fails",
        arena_printf(arena, "  - a: {call: worker.do, %s, metadata: {tutti: {queue: q}}}\n", with),
        &fails);
    put(stage, "pauses",
        arena_printf(arena,
                     "  - a: {call: worker.do, %s, metadata: {tutti: {queue: q, onExhausted: "
                     "pause}}}\n",
                     with),
        &pauses);
    for (int i = 0; i < 3; i++) start(stage, fails);
    start(stage, pauses);
    give_up(stage, 4);

    live(stage, 2 * HOUR);
    assert_int_equal(rows_of(stage, TABLE_RUNS), 1); /* it waits for somebody */
    assert_int_equal(rows_of(stage, TABLE_DELETIONS), 0);
    assert_int_equal(rows_of(stage, TABLE_DEAD_LETTERS), 4);
    stage_crash(stage);
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
    live(stage, HOUR);

    live(stage, 2 * HOUR); /* their own time is over */
    assert_int_equal(rows_of(stage, TABLE_DEAD_LETTERS), 1);
    assert_int_equal(rows_of(stage, TABLE_RUNS), 1);
    assert_int_equal(rows_of(stage, TABLE_LETTER_INDEX), 3); /* of a run, of a job, and complete */
    workflow_unref(pauses);
    workflow_unref(fails);
}

/* There is nothing to open again. */
static void a_letter_without_its_run_is_not_redriven(void **)
{
    static const struct retention hours       = {.keep_us = HOUR, .letters_keep_us = 4 * HOUR};
    CLEANUP(stage_closep) struct stage *stage = stage_with(&hours);
    CLEANUP(arena_freep) struct arena *arena  = arena_new(ARENA_MAX);
    CLEANUP(buf_done) struct buf text         = buf_init(ARENA_MAX);
    const struct workflow *fails              = NULL;
    char name[64];
    for (int i = 0; i < 100; i++) (void)buf_put_text(&text, INPUT_TEXT);
    put(stage, "fails",
        arena_printf(arena,
                     "  - a: {call: worker.do, with: {text: '" STR_FMT
                     "'}, metadata: {tutti: {queue: q}}}\n",
                     STR_ARG(buf_str(&text))),
        &fails);
    for (int i = 0; i < 3; i++) start(stage, fails);
    give_up(stage, 3);
    live(stage, 2 * HOUR);
    const struct seen seen = letters(stage);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.with_input, 3);
    assert_int_equal(rows_of(stage, TABLE_RUNS), 0);
    assert_int_equal(rows_of(stage, TABLE_PAYLOADS), 0);
    assert_int_equal(rows_of(stage, TABLE_JOURNAL), 0);
    assert_int_equal(redrive(stage, seen.job, name), STATUS_FAILED_PRECONDITION);
    assert_string_equal(name, "nothing_to_retry");
    assert_int_equal(letters(stage).count, 3);
    live(stage, 3 * HOUR);
    assert_int_equal(rows_of(stage, TABLE_DEAD_LETTERS), 0);
    assert_int_equal(rows_of(stage, TABLE_LETTER_INDEX), 1);
    workflow_unref(fails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_fits_decides),
        cmocka_unit_test(finished_runs_go_and_others_stay),
        cmocka_unit_test(without_rules_all_is_kept),
        cmocka_unit_test(dead_letters_outlive_their_runs),
        cmocka_unit_test(a_letter_without_its_run_is_not_redriven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
