/* Queues under the hand of an operator, over crashes: paused, limited, purged; cancelled jobs. */
#include "show.h"

#include "run.pb-c.h"
#include "scheduler/tables/run_store.h"
#include "system.pb-c.h"

enum { ARENA_MAX = 64 << 20, RUNS = 1'000 };

/* --- the stage ---------------------------------------------------------------------------------
 */

static const char tasks[] = "  - a: {call: worker.do, with: {}, metadata: {tutti: {queue: q}}}\n";

static int setup(void **state)
{
    struct show *show                        = show_new(1);
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics list                  = {.arena = arena};
    const char *text                         = arena_printf(
                                arena, "document: {dsl: 1.0.3, namespace: default, name: w, version: 1.0.0}\ndo:\n%s",
                                tasks);
    assert_int_equal(workflow_read(str_from(text), &list, &show->workflow, NULL), STATUS_OK);
    assert_int_equal(stage_put(show->stage, show->workflow, NULL), STATUS_OK);
    *state = show;
    return 0;
}

/* The answer is only there while it is given. */
static void on_started(struct stage_call *call)
{
    const Pb__StartedRun *response = call->command.response;
    memcpy(((struct id *)call->context)->text, response->run->id, ID_LEN);
}

static const char *start(struct show *show)
{
    struct stage_call *call  = call_new(show, COMMAND_START, 1);
    Pb__StartRun *request    = stage_call_alloc(call, sizeof *request);
    Pb__StartedRun *response = stage_call_alloc(call, sizeof *response);
    *request                 = (Pb__StartRun)PB__START_RUN__INIT;
    *response                = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    call->command.workflow   = workflow_ref(show->workflow);
    struct id *id            = stage_call_alloc(call, sizeof *id);
    call->done               = on_started;
    call->context            = id;
    assert_int_equal(ask(show, 0, call, request, response), STATUS_OK);
    return id->text;
}

static const Pb__LeasedJobs *lease(struct show *show, uint32_t count_max)
{
    return lease_of(show, 0, "q", count_max);
}

static uint32_t complete(struct show *show, const Pb__LeasedJob *job)
{
    return complete_at(show, 0, job);
}

static const Pb__QueueView *set(struct show *show, const Pb__SetQueue *what)
{
    struct stage_call *call = call_new(show, COMMAND_SET_QUEUE, 0);
    Pb__SetQueue *request   = stage_call_alloc(call, sizeof *request);
    Pb__QueueView *response = stage_call_alloc(call, sizeof *response);
    *request                = *what;
    *response               = (Pb__QueueView)PB__QUEUE_VIEW__INIT;
    request->name           = "q";
    assert_int_equal(ask(show, 0, call, request, response), STATUS_OK);
    return response;
}

static const Pb__QueueView *act(struct show *show, Pb__QueueAction action)
{
    Pb__SetQueue what = PB__SET_QUEUE__INIT;
    what.action       = action;
    return set(show, &what);
}

static void limit(struct show *show, uint32_t concurrency, uint32_t rate_count, int64_t period_us)
{
    Pb__SetQueue what     = PB__SET_QUEUE__INIT;
    what.action           = PB__QUEUE_ACTION__QUEUE_ACTION_LIMIT;
    what.sets_concurrency = true;
    what.sets_rate        = true;
    what.concurrency      = concurrency;
    what.rate_count       = rate_count;
    what.rate_period_us   = period_us;
    (void)set(show, &what);
}

static void restart(struct show *show)
{
    stage_crash(show->stage);
    assert_int_equal(stage_restart(show->stage, NULL), STATUS_OK);
}

static const struct queue *queue(const struct show *show)
{
    size_t index = 0;
    const struct queue *found;
    while ((found = stage_queue_next(show->stage, 0, &index))) {
        if (str_is(found->name, "q")) return found;
    }
    return NULL;
}

static void assert_ended(const struct show *show, const char *id, Pb__RunStatus expected,
                         const char *error)
{
    CLEANUP(txn_abortp) struct txn *txn      = NULL;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    Pb__RunView *row                         = NULL;
    assert_int_equal(txn_begin_read(stage_store(show->stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(run_row_get(txn, str_from(id), arena, &row, NULL), STATUS_OK);
    assert_int_equal(row->status, expected);
    assert_int_equal(row->error_json.len > 0, *error != '\0');
    if (!*error) return;
    assert_non_null(memmem(row->error_json.data, row->error_json.len, error, strlen(error)));
}

static void assert_completed(const struct show *show, const char *id)
{
    assert_ended(show, id, PB__RUN_STATUS__RUN_STATUS_COMPLETED, "");
}

static void assert_cancelled(const struct show *show, const char *id)
{
    assert_ended(show, id, PB__RUN_STATUS__RUN_STATUS_FAULTED,
                 "\"type\":\"https://tutti.dev/errors/cancelled\",\"status\":499");
}

static void pass(struct show *show, int64_t us)
{
    stage_pass(show->stage, us);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
}

/* --- pause -------------------------------------------------------------------------------------
 */

static void a_paused_queue_hands_out_nothing_and_a_crash_keeps_it(void **state)
{
    struct show *show = *state;
    assert_true(act(show, PB__QUEUE_ACTION__QUEUE_ACTION_PAUSE)->paused); /* before its first job */
    start(show);
    assert_int_equal(lease(show, 9)->n_jobs, 0);
    restart(show);
    assert_int_equal(lease(show, 9)->n_jobs, 0);
    assert_int_equal(queue(show)->ready_count, 1);
    assert_false(act(show, PB__QUEUE_ACTION__QUEUE_ACTION_RESUME)->paused);
    assert_int_equal(lease(show, 9)->n_jobs, 1);
}

static void what_a_worker_has_is_finished(void **state)
{
    struct show *show        = *state;
    const char *id           = start(show);
    const Pb__LeasedJob *job = lease(show, 1)->jobs[0];
    act(show, PB__QUEUE_ACTION__QUEUE_ACTION_PAUSE);
    assert_int_equal(complete(show, job), STATUS_OK);
    assert_completed(show, id);
}

/* --- limits ------------------------------------------------------------------------------------
 */

static void so_many_are_leased_at_once(void **state)
{
    struct show *show = *state;
    for (int i = 0; i < 5; i++) start(show);
    limit(show, 2, 0, 0);
    const Pb__LeasedJobs *jobs = lease(show, 9);
    assert_int_equal(jobs->n_jobs, 2);
    assert_int_equal(lease(show, 9)->n_jobs, 0);
    restart(show);
    assert_int_equal(lease(show, 9)->n_jobs, 0); /* those two still are */
    assert_int_equal(complete(show, jobs->jobs[0]), STATUS_OK);
    assert_int_equal(lease(show, 9)->n_jobs, 1);
    limit(show, 0, 0, 0);
    assert_int_equal(lease(show, 9)->n_jobs, 2);
}

static void so_many_are_started_in_a_time(void **state)
{
    struct show *show = *state;
    for (int i = 0; i < 20; i++) start(show);
    limit(show, 0, 6, MINUTE);
    assert_int_equal(lease(show, 9)->n_jobs, 6); /* a full bucket */
    assert_int_equal(lease(show, 9)->n_jobs, 0);
    pass(show, 10 * SECOND - 1);
    assert_int_equal(lease(show, 9)->n_jobs, 0);
    restart(show); /* nor does a crash fill it */
    assert_int_equal(lease(show, 9)->n_jobs, 0);
    pass(show, 1);
    assert_int_equal(lease(show, 9)->n_jobs, 1);
    pass(show, 30 * SECOND);
    assert_int_equal(lease(show, 9)->n_jobs, 3);
    limit(show, 0, 60, MINUTE); /* a wider one fills faster, from empty */
    assert_int_equal(lease(show, 50)->n_jobs, 0);
    pass(show, 10 * SECOND);
    assert_int_equal(lease(show, 50)->n_jobs, 10);
    assert_int_equal(queue(show)->leased_count, 20);
}

/* --- purge -------------------------------------------------------------------------------------
 */

static void what_waits_is_failed_also_over_a_crash(void **state)
{
    struct show *show = *state;
    const char *runs[RUNS];
    runs[0]                  = start(show);
    const Pb__LeasedJob *job = lease(show, 1)->jobs[0];
    for (int i = 1; i < RUNS; i++) runs[i] = start(show);
    struct stage_call *call = call_new(show, COMMAND_SET_QUEUE, 0);
    Pb__SetQueue request    = PB__SET_QUEUE__INIT;
    Pb__QueueView response  = PB__QUEUE_VIEW__INIT;
    request.name            = "q";
    request.action          = PB__QUEUE_ACTION__QUEUE_ACTION_PURGE;
    call->command.request   = &request;
    call->command.response  = &response;
    assert_int_equal(stage_post(show->stage, 0, call, NULL), STATUS_OK);
    stage_step(show->stage, 0);
    assert_true(call->is_done);
    assert_true(response.purging);
    size_t left = queue(show)->ready_count;
    assert_in_range(left, 1, RUNS - 2); /* a piece */
    restart(show);
    const char *later = start(show);
    assert_int_equal(queue(show)->ready_count, 1); /* what came behind the mark stays */
    assert_int_equal(queue(show)->purge_before, 0);
    for (int i = 1; i < RUNS; i++) assert_cancelled(show, runs[i]);
    assert_int_equal(complete(show, job), STATUS_OK);
    assert_int_equal(complete(show, lease(show, 9)->jobs[0]), STATUS_OK);
    assert_completed(show, later);
    restart(show);
    assert_int_equal(queue(show)->purge_before, 0);
}

static void a_paused_and_an_empty_queue_are_purged_too(void **state)
{
    struct show *show = *state;
    act(show, PB__QUEUE_ACTION__QUEUE_ACTION_PURGE);
    assert_int_equal(queue(show)->purge_before, 0);
    const char *id = start(show);
    act(show, PB__QUEUE_ACTION__QUEUE_ACTION_PAUSE);
    act(show, PB__QUEUE_ACTION__QUEUE_ACTION_PURGE);
    assert_cancelled(show, id);
    assert_true(queue(show)->is_paused);
}

/* --- one job -----------------------------------------------------------------------------------
 */

static status cancel(struct show *show, const char *job, const char *namespace)
{
    struct stage_call *call    = call_new(show, COMMAND_CANCEL_JOB, 0);
    Pb__CancelJob *request     = stage_call_alloc(call, sizeof *request);
    Pb__CancelledJob *response = stage_call_alloc(call, sizeof *response);
    *request                   = (Pb__CancelJob)PB__CANCEL_JOB__INIT;
    *response                  = (Pb__CancelledJob)PB__CANCELLED_JOB__INIT;
    request->id                = job;
    call->command.namespace    = str_from(namespace);
    return ask(show, 0, call, request, response);
}

static const Pb__HeartbeatAnswer *beat(struct show *show, const Pb__LeasedJob *job)
{
    struct stage_call *call        = call_new(show, COMMAND_HEARTBEAT, 0);
    Pb__Heartbeats *request        = stage_call_alloc(call, sizeof *request);
    Pb__HeartbeatAnswers *response = stage_call_alloc(call, sizeof *response);
    Pb__Heartbeat *one             = stage_call_alloc(call, sizeof *one);
    *request                       = (Pb__Heartbeats)PB__HEARTBEATS__INIT;
    *response                      = (Pb__HeartbeatAnswers)PB__HEARTBEAT_ANSWERS__INIT;
    *one                           = (Pb__Heartbeat)PB__HEARTBEAT__INIT;
    one->job                       = job->id;
    one->lease_token               = job->lease_token;
    request->worker                = "w";
    request->jobs                  = stage_call_alloc(call, sizeof *request->jobs);
    request->jobs[0]               = one;
    request->n_jobs                = 1;
    assert_int_equal(ask(show, 0, call, request, response), STATUS_OK);
    return response->jobs[0];
}

static void a_cancelled_job_fails_and_its_worker_hears_of_it(void **state)
{
    struct show *show        = *state;
    const char *id           = start(show);
    const Pb__LeasedJob *job = lease(show, 1)->jobs[0];
    assert_int_equal(cancel(show, job->id, "other"), STATUS_NOT_FOUND);
    assert_false(beat(show, job)->cancel);
    assert_int_equal(cancel(show, job->id, "default"), STATUS_OK);
    assert_cancelled(show, id);
    const Pb__HeartbeatAnswer *answer = beat(show, job);
    assert_true(answer->cancel);
    assert_int_equal(answer->status, STATUS_FAILED_PRECONDITION);
    assert_int_equal(complete(show, job), STATUS_FAILED_PRECONDITION);
    assert_int_equal(cancel(show, job->id, "*"), STATUS_NOT_FOUND);
    assert_int_equal(queue(show)->leased_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_paused_queue_hands_out_nothing_and_a_crash_keeps_it,
                                        setup, show_teardown),
        cmocka_unit_test_setup_teardown(what_a_worker_has_is_finished, setup, show_teardown),
        cmocka_unit_test_setup_teardown(so_many_are_leased_at_once, setup, show_teardown),
        cmocka_unit_test_setup_teardown(so_many_are_started_in_a_time, setup, show_teardown),
        cmocka_unit_test_setup_teardown(what_waits_is_failed_also_over_a_crash, setup,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(a_paused_and_an_empty_queue_are_purged_too, setup,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_job_fails_and_its_worker_hears_of_it, setup,
                                        show_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
