/* Workers that get no new jobs, over crashes, until that is taken back or over by itself. */
#include "show.h"

#include "scheduler/engine/jobs/worker.h"
#include "system.pb-c.h"

#include <stdio.h>

#define DAY (24 * 60 * MINUTE)

static int setup(void **state)
{
    struct show *show = show_new(1);
    show->workflow =
        show_put(show, "w", "{call: worker.do, with: {}, metadata: {tutti: {queue: q}}}", "");
    *state = show;
    return 0;
}

static void start(struct show *show)
{
    show_start(show, 0, show->workflow, json_null());
}

static void restart(struct show *show)
{
    stage_crash(show->stage);
    assert_int_equal(stage_restart(show->stage, NULL), STATUS_OK);
}

/* --- commands ----------------------------------------------------------------------------------
 */

struct drained {
    status code;
    bool is_draining;
    uint32_t busy;
};

static struct drained drain_of(struct show *show, uint64_t instance, bool resumes)
{
    struct stage_call *call         = call_new(show, COMMAND_DRAIN_WORKER, 0);
    Pb__DrainWorkerRequest *request = stage_call_alloc(call, sizeof *request);
    Pb__WorkerStatus *response      = stage_call_alloc(call, sizeof *response);
    *request                        = (Pb__DrainWorkerRequest)PB__DRAIN_WORKER_REQUEST__INIT;
    *response                       = (Pb__WorkerStatus)PB__WORKER_STATUS__INIT;
    request->name                   = "w";
    request->instance               = instance;
    request->resumes                = resumes;
    status code                     = ask(show, 0, call, request, response);
    return (struct drained){code, response->draining, response->busy};
}

static void drain(struct show *show, uint32_t busy)
{
    const struct drained drained = drain_of(show, 0, false);
    assert_int_equal(drained.code, STATUS_OK);
    assert_true(drained.is_draining);
    assert_int_equal(drained.busy, busy);
}

static void resume(struct show *show)
{
    const struct drained drained = drain_of(show, 0, true);
    assert_int_equal(drained.code, STATUS_OK);
    assert_false(drained.is_draining);
}

/* A poll that is posted, and may be parked. */
struct asked {
    struct stage_call *call;
    const Pb__LeasedJobs *jobs;
};

static struct asked poll_by(struct show *show, uint64_t instance, uint32_t wait_ms)
{
    struct stage_call *call  = call_new(show, COMMAND_LEASE, 0);
    Pb__LeaseJobs *request   = stage_call_alloc(call, sizeof *request);
    Pb__LeasedJobs *response = stage_call_alloc(call, sizeof *response);
    const char **queues      = stage_call_alloc(call, sizeof *queues);
    *request                 = (Pb__LeaseJobs)PB__LEASE_JOBS__INIT;
    *response                = (Pb__LeasedJobs)PB__LEASED_JOBS__INIT;
    queues[0]                = "q";
    request->queues          = queues;
    request->n_queues        = 1;
    request->worker          = "w";
    request->count_max       = 9;
    request->wait_ms         = wait_ms;
    request->instance        = instance;
    call->command.request    = request;
    call->command.response   = response;
    assert_int_equal(stage_post(show->stage, 0, call, NULL), STATUS_OK);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
    return (struct asked){call, response};
}

static size_t polled(struct show *show, uint64_t instance)
{
    const struct asked asked = poll_by(show, instance, 0);
    assert_true(asked.call->is_done);
    return asked.jobs->n_jobs;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void it_keeps_what_it_has_and_gets_nothing_new(void **state)
{
    struct show *show = *state;
    start(show);
    const Pb__LeasedJobs *jobs = lease_of(show, 0, "q", 1);
    assert_int_equal(jobs->n_jobs, 1);
    assert_false(jobs->draining);
    drain(show, 1);
    drain(show, 1); /* once more is no harm */
    start(show);
    const Pb__LeasedJobs *none = lease_of(show, 0, "q", 9);
    assert_int_equal(none->n_jobs, 0);
    assert_true(none->draining);
    restart(show);
    assert_int_equal(polled(show, 0), 0);
    drain(show, 1);
    assert_int_equal(complete_at(show, 0, jobs->jobs[0]), STATUS_OK);
    drain(show, 0);
    assert_int_equal(polled(show, 0), 0);
    resume(show);
    assert_int_equal(polled(show, 0), 1);
    assert_int_equal(drain_of(show, 0, true).code, STATUS_NOT_FOUND);
    restart(show);
    start(show);
    assert_int_equal(polled(show, 0), 1);
}

static void a_parked_poll_gets_nothing_until_it_goes_on(void **state)
{
    struct show *show        = *state;
    const struct asked first = poll_by(show, 0, 60'000);
    assert_false(first.call->is_done);
    drain(show, 0);
    start(show);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
    assert_false(first.call->is_done); /* it waits for its time */
    stage_pass(show->stage, MINUTE);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
    assert_true(first.call->is_done);
    assert_int_equal(first.jobs->n_jobs, 0);
    assert_true(first.jobs->draining);

    const struct asked second = poll_by(show, 0, 60'000);
    assert_false(second.call->is_done);
    resume(show);
    assert_true(second.call->is_done); /* the next one gets the job */
    assert_false(second.jobs->draining);
    assert_int_equal(polled(show, 0), 1);
}

/* What a worker takes with its report is a poll, too. */
static void a_report_brings_no_job(void **state)
{
    struct show *show = *state;
    start(show);
    start(show);
    const Pb__LeasedJobs *jobs = lease_of(show, 0, "q", 1);
    drain(show, 1);
    struct stage_call *call        = call_new(show, COMMAND_REPORT, 2);
    Pb__JobReports request         = PB__JOB_REPORTS__INIT;
    Pb__JobReportAnswers *response = stage_call_alloc(call, sizeof *response);
    Pb__JobReport report           = PB__JOB_REPORT__INIT;
    Pb__JobCompleted completed     = PB__JOB_COMPLETED__INIT;
    Pb__LeaseJobs next             = PB__LEASE_JOBS__INIT;
    const char *queues[]           = {"q"};
    Pb__JobReport *reports[]       = {&report};
    *response                      = (Pb__JobReportAnswers)PB__JOB_REPORT_ANSWERS__INIT;
    report.job                     = jobs->jobs[0]->id;
    report.lease_token             = jobs->jobs[0]->lease_token;
    report.result_case             = PB__JOB_REPORT__RESULT_COMPLETED;
    report.completed               = &completed;
    next.queues                    = queues;
    next.n_queues                  = 1;
    next.worker                    = "w";
    next.count_max                 = 1;
    request.worker                 = "w";
    request.reports                = reports;
    request.n_reports              = 1;
    request.next                   = &next;
    assert_int_equal(ask(show, 0, call, &request, response), STATUS_OK);
    assert_int_equal(response->reports[0]->status, STATUS_OK);
    assert_int_equal(response->n_jobs, 0);
}

static void another_process_of_the_name_is_another_worker(void **state)
{
    struct show *show = *state;
    start(show);
    assert_int_equal(drain_of(show, 7, false).code, STATUS_OK);
    assert_int_equal(polled(show, 7), 0);
    restart(show);
    assert_int_equal(polled(show, 7), 0);
    assert_int_equal(polled(show, 8), 1);
    restart(show);
    start(show);
    assert_int_equal(polled(show, 7), 1); /* it is over for good */
}

static void a_name_that_nobody_polls_by_is_free_after_a_day(void **state)
{
    struct show *show = *state;
    drain(show, 0);
    stage_pass(show->stage, DAY - MINUTE);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
    start(show);
    assert_int_equal(polled(show, 0), 0); /* heard of: another day */
    stage_pass(show->stage, DAY - MINUTE);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
    assert_true(drain_of(show, 0, false).is_draining);
    stage_pass(show->stage, DAY + MINUTE);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
    stage_step(show->stage, 0); /* as once a second */
    assert_int_equal(polled(show, 0), 1);
    restart(show);
    start(show);
    assert_int_equal(polled(show, 0), 1);
}

static void there_are_only_so_many(void **)
{
    struct workers *workers = workers_new();
    struct worker *worker   = NULL;
    for (int i = 0; i < WORKERS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "w%d", i);
        assert_true(worker_drain(workers, str_from(name), 0, 0));
    }
    assert_false(worker_drain(workers, str_from("one more"), 0, 0));
    assert_true(worker_drain(workers, str_from("w7"), 1, 0));
    assert_int_equal(worker_at(workers, str_from("w7"), 0, &worker, NULL), STATUS_OK);
    assert_true(worker->is_draining);
    workers_forget_drains(workers);
    assert_false(worker->is_draining);
    assert_false(worker_resume(workers, str_from("w7")));
    workers_free(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_keeps_what_it_has_and_gets_nothing_new, setup,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(a_parked_poll_gets_nothing_until_it_goes_on, setup,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(a_report_brings_no_job, setup, show_teardown),
        cmocka_unit_test_setup_teardown(another_process_of_the_name_is_another_worker, setup,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(a_name_that_nobody_polls_by_is_free_after_a_day, setup,
                                        show_teardown),
        cmocka_unit_test(there_are_only_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
