/* What a worker takes with the answer to its report: jobs in place of those that it hands back, and
 * those that its parked poll would get. The engine is turned by hand, so a poll is parked when the
 * test says so. */
#include "cmocka.h"

#include "base/log.h"
#include "base/mem.h"
#include "job.pb-c.h"
#include "scheduler/engine/engine.h"

#include <stdlib.h>

enum { ARENA_MAX = 16 << 20, MAP_SIZE = 64 << 20, OURS = 7, THEIRS = 8 };

/* The end of the first job makes three ready. */
static const char fan[] = "  - a: {call: llm.chat, with: {model: m, prompt: one}}\n"
                          "  - all:\n"
                          "      fork:\n"
                          "        branches:\n"
                          "          - x: {call: llm.chat, with: {model: m, prompt: two}}\n"
                          "          - y: {call: llm.chat, with: {model: m, prompt: two}}\n"
                          "          - z: {call: llm.chat, with: {model: m, prompt: two}}\n";

struct stand {
    struct partition *partition;
    struct definitions *definitions;
    struct engine *engine;
    const struct workflow *workflow;
    struct arena *arena;
};

static void stand_init(struct stand *stand)
{
    *stand = (struct stand){.definitions = definitions_new(), .arena = arena_new(ARENA_MAX)};
    struct buf text = buf_init(64 << 10);
    (void)buf_printf(&text,
                     "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\ndo:\n%s", fan);
    assert_int_equal(
        workflow_read(buf_str(&text), diagnostics_new(stand->arena), &stand->workflow, NULL),
        STATUS_OK);
    buf_done(&text);
    const struct partition_options partition = {.map_size = MAP_SIZE, .count = 1};
    assert_int_equal(partition_open(&partition, &stand->partition, NULL), STATUS_OK);
    const struct engine_options options = {
        .partition = stand->partition, .definitions = stand->definitions, .random_seed = 1};
    assert_int_equal(engine_open(&options, &stand->engine, NULL), STATUS_OK);
}

static void stand_done(struct stand *stand)
{
    engine_stopp(&stand->engine);
    workflow_unrefp(&stand->workflow);
    partition_closep(&stand->partition);
    definitions_freep(&stand->definitions);
    arena_free(stand->arena);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static void on_done(struct command *command)
{
    bool *is_answered = command->context;
    *is_answered      = true;
}

static void turn(struct stand *stand, struct command *command)
{
    command->mail.size_bytes = sizeof *command;
    command->arena           = stand->arena;
    command->done            = on_done;
    assert_int_equal(engine_post(stand->engine, command, NULL), STATUS_OK);
    engine_step(stand->engine);
}

static void start_run(struct stand *stand)
{
    bool is_answered        = false;
    Pb__StartRun request    = PB__START_RUN__INIT;
    Pb__StartedRun response = PB__STARTED_RUN__INIT;
    struct command command  = {.kind        = COMMAND_START,
                               .request     = &request,
                               .response    = &response,
                               .workflow    = workflow_ref(stand->workflow),
                               .values      = mem_new(1, sizeof(json)),
                               .value_count = 1,
                               .context     = &is_answered};
    turn(stand, &command);
    assert_true(is_answered);
    assert_int_equal(command.code, STATUS_OK);
}

static const char *queues[] = {"llm"};

static Pb__LeaseJobs lease_request(uint64_t instance, uint32_t count_max)
{
    Pb__LeaseJobs request = PB__LEASE_JOBS__INIT;
    request.queues        = queues;
    request.n_queues      = 1;
    request.worker        = "w";
    request.instance      = instance;
    request.count_max     = count_max;
    request.lease_ms      = 60'000;
    request.wait_ms       = 60'000;
    return request;
}

struct asked {
    Pb__LeaseJobs request;
    Pb__LeasedJobs response;
    struct command command;
    bool is_answered;
};

static void lease(struct stand *stand, struct asked *asked, uint64_t instance, uint32_t count_max)
{
    asked->request     = lease_request(instance, count_max);
    asked->response    = (Pb__LeasedJobs)PB__LEASED_JOBS__INIT;
    asked->is_answered = false;
    asked->command     = (struct command){.kind     = COMMAND_LEASE,
                                          .request  = &asked->request,
                                          .response = &asked->response,
                                          .context  = &asked->is_answered};
    turn(stand, &asked->command);
}

/* Completes a job and returns how many come with the answer, of one that is wished for. */
static size_t complete(struct stand *stand, const Pb__LeasedJob *job)
{
    bool is_answered              = false;
    Pb__JobCompleted completed    = PB__JOB_COMPLETED__INIT;
    Pb__JobReport report          = PB__JOB_REPORT__INIT;
    report.job                    = job->id;
    report.lease_token            = job->lease_token;
    report.result_case            = PB__JOB_REPORT__RESULT_COMPLETED;
    report.completed              = &completed;
    Pb__JobReport *list[]         = {&report};
    Pb__LeaseJobs next            = lease_request(OURS, 1);
    Pb__JobReports request        = PB__JOB_REPORTS__INIT;
    Pb__JobReportAnswers response = PB__JOB_REPORT_ANSWERS__INIT;
    request.worker                = "w";
    request.reports               = list;
    request.n_reports             = 1;
    request.next                  = &next;
    struct command command        = {.kind        = COMMAND_REPORT,
                                     .request     = &request,
                                     .response    = &response,
                                     .values      = mem_new(2, sizeof(json)),
                                     .value_count = 2,
                                     .context     = &is_answered};
    turn(stand, &command);
    assert_true(is_answered);
    assert_int_equal(response.reports[0]->status, STATUS_OK);
    return response.n_jobs;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void test_what_the_parked_poll_would_get_comes_with_the_report(void **)
{
    static const struct {
        const char *name;
        uint64_t instance; /* of the process whose poll is parked; 0: none is */
        uint32_t count_max;
        size_t with_report, with_poll;
        bool is_answered; /* the poll */
    } cases[] = {
        {"no poll: one in place of one", 0, 0, 1, 0, false},
        {"room is left: the poll stays", OURS, 3, 3, 0, false},
        {"all its room is taken: it is answered, empty", OURS, 2, 3, 0, true},
        {"it has room for one: the last one waits", OURS, 1, 2, 0, true},
        {"that of another process gets its own", THEIRS, 2, 1, 2, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct stand stand;
        struct asked first;
        struct asked parked = {};
        stand_init(&stand);
        start_run(&stand);
        lease(&stand, &first, OURS, 1);
        assert_int_equal(first.response.n_jobs, 1);
        if (cases[i].instance) lease(&stand, &parked, cases[i].instance, cases[i].count_max);
        assert_false(parked.is_answered);

        size_t count = complete(&stand, first.response.jobs[0]);
        bool is_good = count == cases[i].with_report &&
                       parked.is_answered == cases[i].is_answered &&
                       parked.response.n_jobs == cases[i].with_poll;
        if (!is_good) {
            fail_msg("%s: %zu with the report, %zu with the poll", cases[i].name, count,
                     parked.response.n_jobs);
        }
        stand_done(&stand);
    }
}

/* The poll that has lent room for two of its three takes one job and no more. */
static void test_a_poll_has_lent_its_room(void **)
{
    struct stand stand;
    struct asked first;
    struct asked parked = {};
    struct asked rest;
    stand_init(&stand);
    start_run(&stand);
    lease(&stand, &first, OURS, 1);
    lease(&stand, &parked, OURS, 3);
    assert_int_equal(complete(&stand, first.response.jobs[0]), 3);
    assert_false(parked.is_answered);
    start_run(&stand);
    assert_true(parked.is_answered);
    assert_int_equal(parked.response.n_jobs, 1);
    start_run(&stand);
    lease(&stand, &rest, OURS, 3);
    assert_int_equal(rest.response.n_jobs, 1);
    stand_done(&stand);
}

int main(void)
{
    log_set_level((enum log_level)(LOG_ERROR + 1));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_parked_poll_would_get_comes_with_the_report),
        cmocka_unit_test(test_a_poll_has_lent_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
