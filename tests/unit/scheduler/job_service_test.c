/* Jobs over a socket: leases, heartbeats, reports, and who may complete what. */
#include "cmocka.h"

#include "base/clock.h"
#include "support/scheduler/rig.h"

#include <stdatomic.h>
#include <stdio.h>

/* A job whose attempts follow each other at once, three in all. */
static const char retried[] =
    "  - a:\n      call: llm.chat\n      with: {model: m, prompt: hi}\n"
    "      metadata: {tutti: {retry: {delay: {milliseconds: 1}, limit: {attempt: {count: 2}}}}}\n";
/* One that waits an hour between its attempts. */
static const char patient[] =
    "  - a:\n      call: llm.chat\n      with: {model: m, prompt: hi}\n"
    "      metadata: {tutti: {retry: {delay: {hours: 1}, limit: {attempt: {count: 2}}}}}\n";

/* --- reports and heartbeats --------------------------------------------------------------------
 */

static uint32_t report_failed(struct rig *rig, const Pb__LeasedJob *job, bool is_transient)
{
    Pb__JobFailed failed = PB__JOB_FAILED__INIT;
    failed.error_json    = rig_bytes("{\"type\":\"https://tutti.dev/errors/x\",\"status\":503}");
    failed.transient     = is_transient;
    return rig_fail(rig, job, &failed);
}

static uint32_t report_released(struct rig *rig, const Pb__LeasedJob *job, int64_t not_before_us)
{
    Pb__JobReleased released = PB__JOB_RELEASED__INIT;
    released.not_before_us   = not_before_us;
    Pb__JobReport made       = PB__JOB_REPORT__INIT;
    made.result_case         = PB__JOB_REPORT__RESULT_RELEASED;
    made.released            = &released;
    return rig_report(rig, job, &made);
}

static const Pb__HeartbeatAnswer *beat(struct rig *rig, const Pb__LeasedJob *job,
                                       const char *checkpoint)
{
    Pb__Heartbeat made = PB__HEARTBEAT__INIT;
    made.job           = job->id;
    made.lease_token   = job->lease_token;
    if (checkpoint) made.checkpoint_json = rig_bytes(checkpoint);
    Pb__Heartbeat *list[]                = {&made};
    Pb__Heartbeats message               = PB__HEARTBEATS__INIT;
    message.worker                       = "w";
    message.jobs                         = list;
    message.n_jobs                       = 1;
    const struct question asked          = {.service   = &pb__jobs__descriptor,
                                            .method    = "Heartbeat",
                                            .message   = &message,
                                            .partition = id_partition(str_from(job->id))};
    const Pb__HeartbeatAnswers *answered = rig_ask(rig, &asked);
    return answered->jobs[0];
}

/* --- leases ------------------------------------------------------------------------------------
 */

static void test_one_completion_is_accepted(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    const char *run          = rig_start(&rig, "job", NULL)->run->id;
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    assert_non_null(job);
    assert_string_equal(job->run, run);
    assert_string_equal(job->function, "llm.chat");
    assert_int_equal(job->attempt, 1);
    assert_string_equal(job->task, "/do/0/a");
    assert_string_equal(job->last_holder, "");
    assert_true(job->deadline_us > clock_unix_us());
    assert_null(rig_lease(&rig, "llm", 0)); /* nobody else gets it */
    assert_int_equal(rig_queue(&rig, "llm")->running, 1);
    assert_int_equal(rig_complete(&rig, job, "{\"y\":2}"), STATUS_OK);
    assert_int_equal(rig_complete(&rig, job, "{\"y\":3}"), STATUS_FAILED_PRECONDITION);
    assert_int_equal(report_failed(&rig, job, true), STATUS_FAILED_PRECONDITION);
    assert_int_equal(beat(&rig, job, NULL)->status, STATUS_FAILED_PRECONDITION);

    const Pb__RunView *read = rig_get(&rig, run);
    assert_int_equal(read->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_memory_equal(read->output_json.data, "{\"y\":2}", 7);
    assert_int_equal(rig_queue(&rig, "llm")->running, 0);
    rig_done(&rig);
}

/* Completes a job and asks for what takes its place. */
static const Pb__JobReportAnswers *complete_for_next(struct rig *rig, const Pb__LeasedJob *job,
                                                     const char *queue_name)
{
    const char *queues[]        = {queue_name};
    Pb__JobCompleted completed  = PB__JOB_COMPLETED__INIT;
    completed.output_json       = rig_bytes("{\"y\":1}");
    Pb__JobReport made          = PB__JOB_REPORT__INIT;
    made.job                    = job->id;
    made.lease_token            = job->lease_token;
    made.result_case            = PB__JOB_REPORT__RESULT_COMPLETED;
    made.completed              = &completed;
    Pb__JobReport *list[]       = {&made};
    Pb__LeaseJobs next          = PB__LEASE_JOBS__INIT;
    next.queues                 = queues;
    next.n_queues               = 1;
    next.worker                 = "w";
    next.count_max              = 1;
    next.lease_ms               = 5'000;
    Pb__JobReports message      = PB__JOB_REPORTS__INIT;
    message.worker              = "w";
    message.reports             = list;
    message.n_reports           = 1;
    message.next                = &next;
    const struct question asked = {.service   = &pb__jobs__descriptor,
                                   .method    = "Report",
                                   .message   = &message,
                                   .partition = id_partition(str_from(job->id))};
    return rig_ask(rig, &asked);
}

static void test_a_report_brings_what_takes_its_place(void **)
{
    static const char two[] = "  - a: {call: llm.chat, with: {model: m, prompt: one}}\n"
                              "  - b: {call: llm.chat, with: {model: m, prompt: two}}\n";
    struct rig rig          = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "two", two);
    const char *run          = rig_start(&rig, "two", NULL)->run->id;
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    assert_non_null(job);

    const Pb__JobReportAnswers *answer = complete_for_next(&rig, job, "llm");
    assert_int_equal(answer->reports[0]->status, STATUS_OK);
    assert_int_equal(answer->n_jobs, 1);
    const Pb__LeasedJob *next = answer->jobs[0];
    assert_string_equal(next->run, run);
    assert_string_equal(next->task, "/do/1/b");
    assert_int_equal(rig_queue(&rig, "llm")->running, 1);
    assert_null(rig_lease(&rig, "llm", 0)); /* it is leased as any other */

    answer = complete_for_next(&rig, next, "llm"); /* the last one: nothing is left */
    assert_int_equal(answer->n_jobs, 0);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);

    /* A queue that does not have it, and a result that came too late. */
    (void)rig_start(&rig, "two", NULL);
    job = rig_lease(&rig, "llm", 5'000);
    assert_int_equal(complete_for_next(&rig, job, "other")->n_jobs, 0);
    answer = complete_for_next(&rig, job, "llm");
    assert_int_equal(answer->reports[0]->status, STATUS_FAILED_PRECONDITION);
    assert_int_equal(answer->n_jobs, 1);
    rig_done(&rig);
}

static void test_a_restart_keeps_the_lease(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    const char *run          = rig_start(&rig, "job", NULL)->run->id;
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    rig_restart(&rig);
    assert_null(rig_lease(&rig, "llm", 0)); /* its holder may come back */
    assert_int_equal(beat(&rig, job, NULL)->status, STATUS_OK);
    assert_int_equal(rig_queue(&rig, "llm")->running, 1);
    assert_int_equal(rig_complete(&rig, job, "1"), STATUS_OK);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rig_done(&rig);
}

static void test_a_restart_offers_what_nobody_has(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    const char *run = rig_start(&rig, "job", NULL)->run->id;
    rig_restart(&rig);
    assert_int_equal(rig_queue(&rig, "llm")->depth, 1);
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 0);
    assert_non_null(job);
    assert_int_equal(rig_complete(&rig, job, "1"), STATUS_OK);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rig_done(&rig);
}

/* The scheduler may have died before the worker got the answer. The lease outlives the restart. But
 * the worker may have begun, and died as well. */
static void test_a_lease_unclaimed_after_a_restart_is_no_attempt(void **)
{
    struct rig rig = {.lease_ms = 2'000};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    const char *run            = rig_start(&rig, "job", NULL)->run->id;
    const Pb__LeasedJob *first = rig_lease(&rig, "llm", 5'000);
    rig_restart(&rig);
    const Pb__LeasedJob *next = rig_lease(&rig, "llm", 20'000);
    assert_non_null(next);
    assert_string_equal(next->id, first->id);
    assert_int_equal(next->attempt, 1);
    assert_int_equal(next->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST);
    assert_int_equal(rig_complete(&rig, first, "1"), STATUS_FAILED_PRECONDITION);
    assert_int_equal(rig_complete(&rig, next, "2"), STATUS_OK);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rig_done(&rig);
}

/* All that instance `instance` of the worker has is `job` (NULL: nothing). */
static void tell_all(struct rig *rig, const Pb__LeasedJob *job, uint64_t instance)
{
    Pb__Heartbeat made = PB__HEARTBEAT__INIT;
    if (job) made.job = job->id;
    if (job) made.lease_token = job->lease_token;
    Pb__Heartbeat *list[]       = {&made};
    Pb__Heartbeats message      = PB__HEARTBEATS__INIT;
    message.worker              = "w";
    message.instance            = instance;
    message.is_all              = true;
    message.jobs                = list;
    message.n_jobs              = job ? 1 : 0;
    const struct question asked = {
        .service = &pb__jobs__descriptor, .method = "Heartbeat", .message = &message};
    (void)rig_ask(rig, &asked);
}

static void test_a_worker_that_tells_what_it_has_sets_free_what_it_never_got(void **)
{
    struct rig rig = {.instance = 7};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    (void)rig_start(&rig, "job", NULL);
    const Pb__LeasedJob *got = rig_lease(&rig, "llm", 5'000);
    (void)rig_start(&rig, "job", NULL);
    const Pb__LeasedJob *lost = rig_lease(&rig, "llm", 5'000);

    tell_all(&rig, got, 7); /* no restart was between: the answer may be on its way */
    assert_null(rig_lease(&rig, "llm", 0));
    rig_restart(&rig);
    tell_all(&rig, NULL, 8); /* another process of that name */
    tell_all(&rig, NULL, 0);
    assert_null(rig_lease(&rig, "llm", 0));
    tell_all(&rig, got, 7);
    const Pb__LeasedJob *next = rig_lease(&rig, "llm", 0);
    assert_non_null(next);
    assert_string_equal(next->id, lost->id);
    assert_int_equal(next->attempt, 1);
    assert_int_equal(next->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_NONE);
    assert_int_equal(rig_complete(&rig, lost, "1"), STATUS_FAILED_PRECONDITION);
    tell_all(&rig, NULL, 7); /* what was leased since is nobody's loss */
    assert_int_equal(rig_complete(&rig, next, "1"), STATUS_OK);
    assert_int_equal(rig_complete(&rig, got, "1"), STATUS_OK);
    rig_done(&rig);
}

/* The process that has taken the place of another one says that this is dead. */
static void tell_death(struct rig *rig, uint64_t instance, uint64_t dead)
{
    Pb__Heartbeats message      = PB__HEARTBEATS__INIT;
    message.worker              = "w";
    message.instance            = instance;
    message.is_all              = true;
    message.dead                = dead;
    const struct question asked = {
        .service = &pb__jobs__descriptor, .method = "Heartbeat", .message = &message};
    (void)rig_ask(rig, &asked);
}

/* Nobody was told when the one before it had died. */
static void test_what_those_before_it_held_is_offered_as_well(void **)
{
    enum { TOO_MANY = 20 };
    struct rig rig = {.instance = 7};
    uint64_t before[TOO_MANY];
    for (size_t i = 0; i < TOO_MANY; i++) before[i] = 100 + i;
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    (void)rig_start(&rig, "job", NULL);
    const Pb__LeasedJob *first  = rig_lease(&rig, "llm", 5'000);
    Pb__Heartbeats message      = PB__HEARTBEATS__INIT;
    message.worker              = "w";
    message.instance            = 9;
    message.is_all              = true;
    message.dead                = 8;
    message.dead_before         = before;
    message.n_dead_before       = TOO_MANY;
    const struct question asked = {
        .service = &pb__jobs__descriptor, .method = "Heartbeat", .message = &message};
    before[TOO_MANY - 1] = 7; /* so long ago that it is not looked for */
    (void)rig_ask(&rig, &asked);
    assert_null(rig_lease(&rig, "llm", 0));
    before[1]        = 7;
    message.instance = 7; /* nobody is dead who says it */
    (void)rig_ask(&rig, &asked);
    assert_null(rig_lease(&rig, "llm", 0));
    message.instance = 9;
    (void)rig_ask(&rig, &asked);
    const Pb__LeasedJob *second = rig_lease(&rig, "llm", 0);
    assert_non_null(second);
    assert_string_equal(second->id, first->id);
    assert_int_equal(second->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST);
    rig_done(&rig);
}

static void test_what_a_dead_process_held_is_offered_at_once(void **)
{
    struct rig rig = {.instance = 7};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    const char *run            = rig_start(&rig, "job", NULL)->run->id;
    const Pb__LeasedJob *first = rig_lease(&rig, "llm", 5'000);
    tell_death(&rig, 8, 6); /* another one */
    tell_death(&rig, 7, 7); /* nobody takes his own place */
    tell_death(&rig, 7, 0);
    assert_null(rig_lease(&rig, "llm", 0));

    tell_death(&rig, 8, 7);
    const Pb__LeasedJob *second = rig_lease(&rig, "llm", 0);
    assert_non_null(second);
    assert_string_equal(second->id, first->id);
    assert_int_equal(second->attempt, 1);
    assert_int_equal(second->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST);
    assert_string_equal(second->last_holder, "w");
    assert_int_equal(rig_complete(&rig, first, "1"), STATUS_FAILED_PRECONDITION);

    rig_restart(&rig); /* it is known across that, too */
    tell_death(&rig, 8, 7);
    const Pb__LeasedJob *third = rig_lease(&rig, "llm", 0);
    assert_int_equal(third->attempt, 1);
    assert_int_equal(rig_complete(&rig, third, "3"), STATUS_OK);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rig_done(&rig);
}

struct parked {
    atomic_bool is_over;
    status code;
    size_t job_count;
};

static void on_leased(const struct rpc_answer *answer, void *context)
{
    struct parked *parked        = context;
    const Pb__LeasedJobs *leased = answer->message;
    parked->code                 = answer->code;
    parked->job_count            = leased ? leased->n_jobs : 0;
    atomic_store(&parked->is_over, true);
}

/* A poll of worker "v", as its process `instance`, that waits for a job long. */
static void park(struct rig *rig, uint64_t instance, struct parked *parked)
{
    const char *queues[]       = {"llm"};
    Pb__LeaseJobs message      = PB__LEASE_JOBS__INIT;
    message.queues             = queues;
    message.n_queues           = 1;
    message.worker             = "v";
    message.kind               = "llm";
    message.count_max          = 1;
    message.wait_ms            = RIG_WAIT_MS;
    message.instance           = instance;
    struct rpc_request request = {.service        = &pb__jobs__descriptor,
                                  .method         = "Lease",
                                  .message        = &message,
                                  .timeout_ms     = 2 * RIG_WAIT_MS,
                                  .wait_for_ready = true,
                                  .namespace      = str_from("*"),
                                  .done           = on_leased,
                                  .context        = parked};
    struct error error         = {};
    if (rpc_client_call(rig->client, &request, NULL, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
}

/* Its machine is lost, and nobody has noticed it yet: what it held is not for its own polls. */
static void test_polls_of_a_dead_process_get_nothing(void **)
{
    struct rig rig       = {.instance = 7};
    struct parked parked = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    (void)rig_start(&rig, "job", NULL);
    const Pb__LeasedJob *held = rig_lease(&rig, "llm", 5'000);
    park(&rig, 7, &parked);
    while (rig_queue(&rig, "llm")->workers < 2) {
        rig_forget(&rig);
        rig_pause();
    }
    tell_death(&rig, 8, 7);
    const Pb__LeasedJob *next = rig_lease(&rig, "llm", 5'000);
    assert_non_null(next);
    assert_string_equal(next->id, held->id);
    while (!atomic_load(&parked.is_over)) rig_pause();
    assert_int_equal(parked.code, STATUS_CANCELLED);
    assert_int_equal(parked.job_count, 0);
    rig_done(&rig);
}

/* What it died of may be the job: the third death of an attempt fails it, as silence does. */
static void test_a_job_that_kills_its_workers_fails(void **)
{
    struct rig rig = {.instance = 7};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    const char *run = rig_start(&rig, "job", NULL)->run->id;
    for (uint32_t death = 0; death < 9; death++) {
        const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
        assert_non_null(job);
        assert_int_equal(job->attempt, 1 + death / 3);
        tell_death(&rig, 8, 7);
    }
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    assert_null(rig_lease(&rig, "llm", 0));
    rig_done(&rig);
}

static void test_an_expired_lease_is_an_attempt(void **)
{
    struct rig rig = {.lease_ms = 30};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    const char *run            = rig_start(&rig, "job", NULL)->run->id;
    const Pb__LeasedJob *first = rig_lease(&rig, "llm", 5'000);
    const Pb__LeasedJob *next  = rig_lease(&rig, "llm", 5'000);
    assert_non_null(next);
    assert_string_equal(next->id, first->id);
    assert_int_equal(next->attempt, 2);
    assert_string_equal(next->last_holder, "w");
    assert_string_equal(next->idempotency_key, first->idempotency_key);
    assert_int_equal(rig_complete(&rig, first, "1"), STATUS_FAILED_PRECONDITION);
    assert_int_equal(rig_lease(&rig, "llm", 5'000)->attempt, 3);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    /* The counts that others read are written a moment after the commit. */
    while (rig_queue(&rig, "llm")->dead_letters == 0) assert_null(rig_lease(&rig, "llm", 10));
    assert_int_equal(rig_queue(&rig, "llm")->dead_letters, 1);
    rig_restart(&rig);
    assert_int_equal(rig_queue(&rig, "llm")->dead_letters, 1);
    rig_done(&rig);
}

static void test_a_late_completion_counts_until_another_lease(void **)
{
    struct rig rig = {.lease_ms = 20};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", patient);
    const char *run          = rig_start(&rig, "job", NULL)->run->id;
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    while (rig_queue(&rig, "llm")->delayed == 0) assert_null(rig_lease(&rig, "llm", 10));
    assert_int_equal(beat(&rig, job, NULL)->status, STATUS_FAILED_PRECONDITION);
    assert_int_equal(report_failed(&rig, job, true), STATUS_FAILED_PRECONDITION);
    assert_int_equal(rig_complete(&rig, job, "\"late\""), STATUS_OK);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rig_done(&rig);
}

static void test_a_wrong_token_changes_nothing(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "job", retried);
    const char *run          = rig_start(&rig, "job", NULL)->run->id;
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    Pb__LeasedJob forged     = *job;
    uint8_t token[64]        = {};
    memcpy(token, job->lease_token.data, job->lease_token.len);
    forged.lease_token.data = token;
    for (size_t i = 0; i < job->lease_token.len; i++) {
        token[i] ^= 1;
        assert_int_equal(rig_complete(&rig, &forged, "1"), STATUS_FAILED_PRECONDITION);
        token[i] ^= 1;
    }
    forged.lease_token.len--;
    assert_int_equal(rig_complete(&rig, &forged, "1"), STATUS_FAILED_PRECONDITION);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_RUNNING);
    assert_int_equal(rig_complete(&rig, job, "{"), STATUS_INVALID_ARGUMENT);
    assert_int_equal(rig_complete(&rig, job, "1"), STATUS_OK);
    rig_done(&rig);
}

/* --- failures, releases, cancels ---------------------------------------------------------------
 */

static void test_failures_are_retried_until_the_dead_letter(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    const char *run = rig_start(&rig, "job", NULL)->run->id;
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
        assert_non_null(job);
        assert_int_equal(job->attempt, attempt);
        assert_int_equal(report_failed(&rig, job, true), STATUS_OK);
    }
    const Pb__RunView *read = rig_get(&rig, run);
    assert_int_equal(read->status, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    assert_true(read->error_json.len > 0);
    assert_int_equal(rig_queue(&rig, "llm")->dead_letters, 1);
    assert_null(rig_lease(&rig, "llm", 0));
    rig_done(&rig);
}

/* The worst of all ends counts, and a release is none. */
static void test_an_attempt_hears_how_those_before_have_ended(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    (void)rig_start(&rig, "job", NULL);
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    assert_int_equal(job->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_NONE);
    assert_int_equal(report_released(&rig, job, 0), STATUS_OK);
    job = rig_lease(&rig, "llm", 5'000);
    assert_int_equal(job->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_NONE);

    Pb__JobFailed failed   = PB__JOB_FAILED__INIT;
    failed.error_json      = rig_bytes("{\"type\":\"https://tutti.dev/errors/x\",\"status\":504}");
    failed.transient       = true;
    failed.unknown_outcome = true;
    assert_int_equal(rig_fail(&rig, job, &failed), STATUS_OK);
    job = rig_lease(&rig, "llm", 5'000);
    assert_int_equal(job->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_UNKNOWN);
    rig_restart(&rig);
    assert_int_equal(report_failed(&rig, job, true), STATUS_OK);
    job = rig_lease(&rig, "llm", 5'000);
    assert_int_equal(job->attempt, 3);
    assert_int_equal(job->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_UNKNOWN);
    rig_done(&rig);
}

/* A `try` that begins anew makes a new job of the same call, and so does whoever retries the run.
 */
static void test_the_next_job_of_a_call_hears_of_those_before(void **)
{
    static const char tried[] =
        "  - t:\n      try:\n        - a: {call: llm.chat, with: {model: m, prompt: hi}}\n"
        "      catch:\n        errors: {with: {status: 504}}\n"
        "        retry: {delay: {milliseconds: 1}, limit: {attempt: {count: 2}}}\n";
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "tried", tried);
    const char *run            = rig_start(&rig, "tried", NULL)->run->id;
    const Pb__LeasedJob *first = rig_lease(&rig, "llm", 5'000);
    assert_int_equal(first->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_NONE);
    assert_int_equal(first->called_us, 0);
    assert_int_equal(beat(&rig, first, "{\"sending\":\"-\"}")->status, STATUS_OK);
    Pb__JobFailed failed   = PB__JOB_FAILED__INIT;
    failed.error_json      = rig_bytes("{\"type\":\"https://tutti.dev/errors/x\",\"status\":504}");
    failed.unknown_outcome = true;
    assert_int_equal(rig_fail(&rig, first, &failed), STATUS_OK);

    rig_restart(&rig);
    const Pb__LeasedJob *second = rig_lease(&rig, "llm", 5'000);
    assert_string_not_equal(second->id, first->id);
    assert_string_equal(second->idempotency_key, first->idempotency_key);
    assert_int_equal(second->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_UNKNOWN);
    assert_int_equal(second->checkpoint_json.len, strlen("{\"sending\":\"-\"}"));
    assert_int_equal(second->called_us, first->queued_us);
    assert_false(second->asked_again);

    failed.error_json      = rig_bytes("{\"type\":\"https://tutti.dev/errors/x\",\"status\":400}");
    failed.unknown_outcome = false;
    assert_int_equal(rig_fail(&rig, second, &failed), STATUS_OK);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    Pb__RetryRun message        = PB__RETRY_RUN__INIT;
    message.id                  = run;
    message.by                  = "me";
    const struct question asked = {.service   = &pb__runs__descriptor,
                                   .method    = "Retry",
                                   .message   = &message,
                                   .partition = id_partition(str_from(run))};
    (void)rig_ask(&rig, &asked);
    const Pb__LeasedJob *third = rig_lease(&rig, "llm", 5'000);
    assert_string_equal(third->idempotency_key, first->idempotency_key);
    assert_int_equal(third->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_UNKNOWN);
    assert_int_equal(third->called_us, first->queued_us);
    assert_true(third->asked_again); /* somebody answers for it */
    rig_done(&rig);
}

/* Whoever has the job may be in the middle of it when its time is over. */
static void test_the_next_job_hears_of_one_that_was_cancelled(void **)
{
    static const char timed[] =
        "  - t:\n      try:\n        - a:\n            call: llm.chat\n"
        "            with: {model: m, prompt: hi}\n"
        "            timeout: {after: {milliseconds: 150}}\n"
        "      catch:\n        errors: {with: {status: 408}}\n"
        "        retry: {delay: {milliseconds: 1}, limit: {attempt: {count: 50}}}\n";
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "timed", timed);
    (void)rig_start(&rig, "timed", NULL);
    const Pb__LeasedJob *first  = rig_lease(&rig, "llm", 5'000);
    const Pb__LeasedJob *second = rig_lease(&rig, "llm", 5'000);
    assert_string_equal(second->idempotency_key, first->idempotency_key);
    assert_string_not_equal(second->id, first->id);
    assert_int_equal(second->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST);
    rig_done(&rig);
}

static void test_a_release_burns_no_attempt(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", retried);
    (void)rig_start(&rig, "job", NULL);
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    assert_int_equal(beat(&rig, job, "{\"page\":3}")->status, STATUS_OK);
    assert_int_equal(report_released(&rig, job, 0), STATUS_OK);
    assert_int_equal(report_released(&rig, job, 0), STATUS_FAILED_PRECONDITION);
    rig_restart(&rig);
    const Pb__LeasedJob *again = rig_lease(&rig, "llm", 0);
    assert_non_null(again);
    assert_int_equal(again->attempt, 1);
    assert_string_equal(again->last_holder, "w");
    assert_int_equal(again->checkpoint_json.len, strlen("{\"page\":3}"));
    assert_memory_equal(again->checkpoint_json.data, "{\"page\":3}", 10);

    assert_int_equal(report_released(&rig, again, clock_unix_us() + 3'600'000'000), STATUS_OK);
    assert_null(rig_lease(&rig, "llm", 0));
    assert_int_equal(rig_queue(&rig, "llm")->delayed, 1);
    rig_done(&rig);
}

static void test_a_cancel_reaches_the_worker(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "job", retried);
    Pb__CancelRun cancel        = PB__CANCEL_RUN__INIT;
    cancel.id                   = rig_start(&rig, "job", NULL)->run->id;
    const Pb__LeasedJob *job    = rig_lease(&rig, "llm", 5'000);
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Cancel", .message = &cancel};
    (void)rig_ask(&rig, &asked);
    const Pb__HeartbeatAnswer *answer = beat(&rig, job, NULL);
    assert_true(answer->cancel);
    assert_int_equal(answer->status, STATUS_FAILED_PRECONDITION);
    assert_int_equal(rig_complete(&rig, job, "1"), STATUS_FAILED_PRECONDITION);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_completion_is_accepted),
        cmocka_unit_test(test_a_report_brings_what_takes_its_place),
        cmocka_unit_test(test_a_restart_keeps_the_lease),
        cmocka_unit_test(test_a_restart_offers_what_nobody_has),
        cmocka_unit_test(test_a_lease_unclaimed_after_a_restart_is_no_attempt),
        cmocka_unit_test(test_what_a_dead_process_held_is_offered_at_once),
        cmocka_unit_test(test_what_those_before_it_held_is_offered_as_well),
        cmocka_unit_test(test_polls_of_a_dead_process_get_nothing),
        cmocka_unit_test(test_a_job_that_kills_its_workers_fails),
        cmocka_unit_test(test_a_worker_that_tells_what_it_has_sets_free_what_it_never_got),
        cmocka_unit_test(test_an_expired_lease_is_an_attempt),
        cmocka_unit_test(test_a_late_completion_counts_until_another_lease),
        cmocka_unit_test(test_a_wrong_token_changes_nothing),
        cmocka_unit_test(test_failures_are_retried_until_the_dead_letter),
        cmocka_unit_test(test_an_attempt_hears_how_those_before_have_ended),
        cmocka_unit_test(test_the_next_job_of_a_call_hears_of_those_before),
        cmocka_unit_test(test_the_next_job_hears_of_one_that_was_cancelled),
        cmocka_unit_test(test_a_release_burns_no_attempt),
        cmocka_unit_test(test_a_cancel_reaches_the_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
