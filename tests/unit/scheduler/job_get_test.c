/* Over a socket: one job, in each of its states. */
#include "cmocka.h"

#include "base/clock.h"
#include "support/scheduler/rig.h"

#include <stdio.h>

static const char call[] =
    "  - a:\n      call: worker.f\n      with: {secret: 'no'}\n"
    "      metadata: {tutti: {queue: jobs, retry: {delay: {hours: 1}, limit: {attempt: {count: "
    "1}}}}}\n";

static const Pb__JobView *get(struct rig *rig, const char *namespace, const char *id,
                              status expected)
{
    Pb__GetJob message          = PB__GET_JOB__INIT;
    message.namespace_          = namespace;
    message.id                  = id;
    const struct question asked = {.service   = &pb__jobs__descriptor,
                                   .method    = "Get",
                                   .message   = &message,
                                   .namespace = namespace,
                                   .expected  = expected,
                                   .code      = expected == STATUS_NOT_FOUND ? "not_found" : NULL};
    return rig_ask(rig, &asked);
}

/* The id of the one job of a run, from its history. */
static const char *job_of(struct rig *rig, const char *run)
{
    Pb__ReadHistory message     = PB__READ_HISTORY__INIT;
    message.id                  = run;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "History", .message = &message};
    const Pb__RunHistory *history = rig_ask(rig, &asked);
    for (size_t i = 0; i < history->n_events; i++) {
        const Pb__HistoryEvent *event = history->events[i];
        if (strcmp(event->type, "job.scheduled") == 0) return event->job;
    }
    fail_msg("run %s has no job", run);
    return NULL;
}

static void change(struct rig *rig, const char *method, const char *run)
{
    Pb__StopRun message         = PB__STOP_RUN__INIT;
    message.id                  = run;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = method, .message = &message};
    (void)rig_ask(rig, &asked);
}

static void test_each_state(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", call);
    int64_t begun_us = clock_unix_us();
    const char *run  = rig_start(&rig, "one", "{}")->run->id;
    const char *job  = job_of(&rig, run);

    const Pb__JobView *view = get(&rig, "default", job, STATUS_OK);
    assert_string_equal(view->state, "queued");
    assert_string_equal(view->job->id, job);
    assert_string_equal(view->job->run, run);
    assert_string_equal(view->job->task, "/do/0/a");
    assert_string_equal(view->job->function, "worker.f");
    assert_int_equal(view->job->attempt, 1);
    assert_int_equal(view->job->input_json.len, 0); /* nothing of what it is about */
    assert_int_equal(view->job->lease_token.len, 0);
    assert_true(view->queued_us >= begun_us);
    assert_string_equal(view->holder, "");

    change(&rig, "Suspend", run);
    assert_string_equal(get(&rig, "*", job, STATUS_OK)->state, "held");
    change(&rig, "Resume", run);
    assert_string_equal(get(&rig, "*", job, STATUS_OK)->state, "queued");

    const Pb__LeasedJob *leased = rig_lease_soon(&rig, "jobs");
    view                        = get(&rig, "default", job, STATUS_OK);
    assert_string_equal(view->state, "leased");
    assert_string_equal(view->holder, "w");
    rig_restart(&rig);
    assert_string_equal(get(&rig, "default", job, STATUS_OK)->state, "leased");

    Pb__JobFailed failed = PB__JOB_FAILED__INIT;
    failed.transient     = true;
    assert_int_equal(rig_fail(&rig, leased, &failed), STATUS_OK);
    view = get(&rig, "default", job, STATUS_OK);
    assert_string_equal(view->state, "delayed");
    assert_int_equal(view->job->attempt, 2);
    assert_true(view->due_us > begun_us + INT64_C(3'500'000'000));

    change(&rig, "Terminate", run);
    view = get(&rig, "default", job, STATUS_OK);
    assert_string_equal(view->state, "cancelled");
    assert_string_equal(view->job->run, run);
    assert_null(get(&rig, "other", job, STATUS_NOT_FOUND));
    rig_done(&rig);
}

/* What has ended is told by the history of its run, wherever that lies in the journal. */
static void test_those_that_have_ended(void **)
{
    enum { RUNS = 40 };
    static const char once[] = "  - a: {call: worker.f, with: {}, metadata: {tutti: {queue: jobs, "
                               "priority: 7}}}\n";
    struct rig rig           = {};
    const char *jobs[RUNS];
    rig_init(&rig, 1, true);
    rig_put(&rig, "once", once);
    for (size_t i = 0; i < RUNS; i++) {
        (void)rig_start(&rig, "once", "{}");
        const Pb__LeasedJob *leased = rig_lease_soon(&rig, "jobs");
        Pb__JobFailed failed        = PB__JOB_FAILED__INIT;
        failed.error_json           = rig_bytes("{\"type\":\"urn:no\",\"status\":422}");
        jobs[i]                     = leased->id;
        assert_true(get(&rig, "default", jobs[i], STATUS_OK)->lease_expires_us > 0);
        status told = i % 2 ? rig_fail(&rig, leased, &failed) : rig_complete(&rig, leased, "1");
        assert_int_equal(told, STATUS_OK);
    }
    rig_restart(&rig);
    for (size_t i = 0; i < RUNS; i++) {
        const Pb__JobView *view = get(&rig, "default", jobs[i], STATUS_OK);
        assert_string_equal(view->state, i % 2 ? "failed" : "completed");
        assert_string_equal(view->job->id, jobs[i]);
        assert_string_equal(view->job->task, "/do/0/a");
        assert_string_equal(view->job->function, "worker.f");
        assert_string_equal(view->job->queue, "jobs");
        assert_int_equal(view->job->priority, 7);
        assert_int_equal(view->job->attempt, 1);
        assert_string_equal(view->holder, "");
        assert_int_equal(view->error_json.len > 0, i % 2);
        assert_null(get(&rig, "other", jobs[i], STATUS_NOT_FOUND));
    }
    rig_done(&rig);
}

/* Why an attempt failed is no error of a job that went well in the end. */
static void test_an_earlier_attempt_has_failed(void **)
{
    static const char again[] =
        "  - a:\n      call: worker.f\n      with: {}\n"
        "      metadata: {tutti: {queue: jobs, retry: {delay: {milliseconds: 1}, limit: {attempt: "
        "{count: 3}}}}}\n";
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "again", again);
    (void)rig_start(&rig, "again", "{}");
    const Pb__LeasedJob *leased = rig_lease_soon(&rig, "jobs");
    Pb__JobFailed failed        = PB__JOB_FAILED__INIT;
    failed.error_json           = rig_bytes("{\"type\":\"urn:no\",\"status\":503}");
    failed.transient            = true;
    assert_int_equal(rig_fail(&rig, leased, &failed), STATUS_OK);
    const Pb__LeasedJob *next = rig_lease_soon(&rig, "jobs");
    assert_string_equal(next->id, leased->id);
    assert_int_equal(rig_complete(&rig, next, "1"), STATUS_OK);
    const Pb__JobView *view = get(&rig, "default", next->id, STATUS_OK);
    assert_string_equal(view->state, "completed");
    assert_int_equal(view->job->attempt, 2);
    assert_int_equal(view->error_json.len, 0);
    rig_done(&rig);
}

static void test_what_is_not_there(void **)
{
    static const char nowhere[] = "01M81KMZR300000000000T1YSW"; /* of partition 0 */
    struct rig rig              = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", call);
    const char *job = job_of(&rig, rig_start(&rig, "one", "{}")->run->id);
    assert_null(get(&rig, "other", job, STATUS_NOT_FOUND));
    assert_null(get(&rig, "default", nowhere, STATUS_NOT_FOUND));
    assert_null(get(&rig, "default", "x", STATUS_NOT_FOUND));
    assert_null(get(&rig, "default", "", STATUS_NOT_FOUND));
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_state),
        cmocka_unit_test(test_those_that_have_ended),
        cmocka_unit_test(test_an_earlier_attempt_has_failed),
        cmocka_unit_test(test_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
