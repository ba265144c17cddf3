/* A worker on a loop that the test turns, with a clock it sets, and a scheduler it plays. */
#include "cmocka.h"

#include "base/mem.h"
#include "job.pb-c.h"
#include "rpc/rpc.h"
#include "system.pb-c.h"
#include "worker/worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 8, TEXT_MAX = 256, TURNS_MAX = 20'000, LEASE_MS = 60'000, SLOTS = 4, DEAD = 7 };

struct fixture {
    char url[64];
    struct rpc_server *server;
    struct rpc_client *client;
    struct loop *loop;
    struct worker *worker;
    int64_t now_ms;
    const uint64_t *predecessors;

    /* The worker's side: only on the test's thread. */
    struct worker_job *jobs[JOBS_MAX];
    size_t job_count;
    struct worker_job *cancelled[JOBS_MAX];
    size_t cancelled_count;
    unsigned ready;

    pthread_mutex_t mutex; /* guards what follows: the scheduler's side */
    struct rpc_call *parked;
    unsigned topologies_refused; /* so many still: it has just begun */
    unsigned to_lease;           /* jobs that the next Lease takes */
    const char *job_id;
    const char *next_token; /* NULL: "token" */
    unsigned leased;
    unsigned polls, last_count_max;
    unsigned beats, beaten_jobs;
    char progress[TEXT_MAX]; /* what the last beat with one said */
    bool says_cancel, says_lost;
    bool beats_wait;        /* their answers stay away */
    struct rpc_call *beat;  /* the one that waits */
    const char *lost_token; /* whatever comes with it is lost */
    unsigned tellings;      /* beats that say all */
    unsigned beats_refused; /* so many still */
    uint64_t dead;          /* what the last beat said, as the next one */
    size_t dead_before;
    uint64_t oldest;       /* of the last that named some */
    unsigned polls_before; /* of the last that named one */
    unsigned reports, report_calls;
    unsigned to_follow; /* jobs that the next Report brings */
    unsigned last_next_max;
    bool refuses_together;
    status report_answer;
    uint32_t item_status;
    char result[TEXT_MAX];
    char token[TEXT_MAX];
};

/* --- the scheduler -----------------------------------------------------------------------------
 */

/* Under the mutex. */
static void fill(struct fixture *it, struct arena *arena, Pb__LeasedJobs *answer)
{
    answer->jobs = arena_alloc(arena, it->to_lease * sizeof *answer->jobs);
    for (; it->to_lease > 0; it->to_lease--) {
        Pb__LeasedJob *job = arena_alloc(arena, sizeof *job);
        pb__leased_job__init(job);
        job->id           = arena_printf(arena, "%s-%u", it->job_id, it->to_lease);
        job->run          = "run";
        const char *token = it->next_token ? it->next_token : "token";
        job->lease_token  = (ProtobufCBinaryData){strlen(token), (uint8_t *)(uintptr_t)token};
        answer->jobs[answer->n_jobs++] = job;
        it->leased++;
    }
}

/* Under the mutex. */
static void give(struct fixture *it, struct rpc_call *call)
{
    fill(it, call->arena, call->response);
}

static status lease(struct rpc_call *call, struct error *)
{
    struct fixture *it           = call->context;
    const Pb__LeaseJobs *request = call->request;
    (void)pthread_mutex_lock(&it->mutex);
    it->polls++;
    it->last_count_max = request->count_max;
    bool gives         = it->to_lease > 0;
    if (gives) {
        give(it, call);
    } else {
        it->parked = call;
    }
    (void)pthread_mutex_unlock(&it->mutex);
    if (gives) rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static void lease_cancel(struct rpc_call *call)
{
    struct fixture *it = call->context;
    (void)pthread_mutex_lock(&it->mutex);
    bool is_parked = it->parked == call;
    if (is_parked) it->parked = NULL;
    (void)pthread_mutex_unlock(&it->mutex);
    if (is_parked) rpc_reply(call, STATUS_CANCELLED, NULL);
}

static bool has_token(const Pb__Heartbeat *beat, const char *token)
{
    return token && beat->lease_token.len == strlen(token) &&
           memcmp(beat->lease_token.data, token, beat->lease_token.len) == 0;
}

static status heartbeat(struct rpc_call *call, struct error *reterr)
{
    struct fixture *it            = call->context;
    const Pb__Heartbeats *request = call->request;
    Pb__HeartbeatAnswers *answer  = call->response;
    answer->jobs = arena_alloc(call->arena, request->n_jobs * sizeof *answer->jobs);
    (void)pthread_mutex_lock(&it->mutex);
    for (size_t i = 0; i < request->n_jobs; i++) {
        Pb__HeartbeatAnswer *job = arena_alloc(call->arena, sizeof *job);
        pb__heartbeat_answer__init(job);
        job->job                        = request->jobs[i]->job;
        const ProtobufCBinaryData *said = &request->jobs[i]->progress_json;
        if (said->len > 0) {
            (void)snprintf(it->progress, sizeof it->progress, "%.*s", (int)said->len,
                           (const char *)said->data);
        }
        job->cancel  = it->says_cancel;
        bool is_lost = it->says_lost || has_token(request->jobs[i], it->lost_token);
        job->status  = is_lost ? STATUS_FAILED_PRECONDITION : STATUS_OK;
        answer->jobs[answer->n_jobs++] = job;
    }
    it->beats++;
    it->tellings += request->is_all ? 1 : 0;
    it->dead        = request->dead;
    it->dead_before = request->n_dead_before;
    if (it->dead_before > 0) it->oldest = request->dead_before[it->dead_before - 1];
    if (it->dead) it->polls_before = it->polls;
    it->beaten_jobs += (unsigned)request->n_jobs;
    bool is_refused = it->beats_refused > 0;
    if (is_refused) it->beats_refused--;
    bool waits = it->beats_wait;
    if (waits) it->beat = call;
    (void)pthread_mutex_unlock(&it->mutex);
    if (is_refused) return fail(reterr, STATUS_UNAVAILABLE, "not now");
    if (!waits) rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static void note_result(struct fixture *it, const Pb__JobReport *report)
{
    (void)snprintf(it->token, sizeof it->token, "%.*s", (int)report->lease_token.len,
                   (const char *)report->lease_token.data);
    const ProtobufCBinaryData *text = NULL;
    if (report->result_case == PB__JOB_REPORT__RESULT_COMPLETED) {
        text = &report->completed->output_json;
    } else if (report->result_case == PB__JOB_REPORT__RESULT_FAILED) {
        text = &report->failed->error_json;
    }
    (void)snprintf(it->result, sizeof it->result, "%.*s", text ? (int)text->len : 0,
                   text ? (const char *)text->data : "");
    if (!text) (void)snprintf(it->result, sizeof it->result, "%s", report->released->reason);
}

static status report(struct rpc_call *call, struct error *reterr)
{
    struct fixture *it            = call->context;
    const Pb__JobReports *request = call->request;
    Pb__JobReportAnswers *answer  = call->response;
    answer->reports = arena_alloc(call->arena, request->n_reports * sizeof *answer->reports);
    (void)pthread_mutex_lock(&it->mutex);
    it->report_calls++;
    it->last_next_max = request->next ? request->next->count_max : 0;
    status code       = it->report_answer;
    if (it->refuses_together && request->n_reports > 1) code = STATUS_INVALID_ARGUMENT;
    for (size_t i = 0; i < request->n_reports; i++) {
        Pb__JobReportAnswer *item = arena_alloc(call->arena, sizeof *item);
        pb__job_report_answer__init(item);
        item->job                            = request->reports[i]->job;
        item->status                         = it->item_status;
        answer->reports[answer->n_reports++] = item;
        it->reports++;
        note_result(it, request->reports[i]);
    }
    if (code == STATUS_OK && request->next && it->to_follow > 0) {
        Pb__LeasedJobs leased = PB__LEASED_JOBS__INIT;
        it->to_lease          = it->to_follow;
        it->to_follow         = 0;
        fill(it, call->arena, &leased);
        answer->jobs   = leased.jobs;
        answer->n_jobs = leased.n_jobs;
    }
    (void)pthread_mutex_unlock(&it->mutex);
    if (code != STATUS_OK) return fail(reterr, code, "not now");
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* There is one partition. */
static bool owns(uint16_t partition, struct rpc_moved *, void *)
{
    return partition == 0;
}

static status topology(struct rpc_call *call, struct error *reterr)
{
    struct fixture *it = call->context;
    (void)pthread_mutex_lock(&it->mutex);
    bool is_refused = it->topologies_refused > 0;
    if (is_refused) it->topologies_refused--;
    (void)pthread_mutex_unlock(&it->mutex);
    if (is_refused) return fail(reterr, STATUS_UNAVAILABLE, "not now");
    ((Pb__TopologyView *)call->response)->partition_count = 1;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static const struct rpc_method job_methods[] = {
    {.name = "Lease", .handle = lease, .cancel = lease_cancel},
    {.name = "Heartbeat", .handle = heartbeat},
    {.name = "Report", .handle = report},
    {}};
static const struct rpc_method system_methods[] = {{.name = "Topology", .handle = topology}, {}};

static void start_scheduler(struct fixture *it)
{
    const struct rpc_service services[]     = {{&pb__jobs__descriptor, job_methods, it},
                                               {&pb__system__descriptor, system_methods, it},
                                               {}};
    const struct rpc_server_options options = {
        .url = it->url, .services = services, .hooks = {.owns = owns}, .drain_ms = 100};
    struct error error = {};
    if (rpc_server_start(&options, &it->server, &error) != STATUS_OK) fail_msg("%s", error.text);
}

/* --- the worker --------------------------------------------------------------------------------
 */

static int64_t clock_of(void *context)
{
    return ((const struct fixture *)context)->now_ms;
}

static void on_run(struct worker_job *job, void *context)
{
    struct fixture *it = context;
    assert_true(it->job_count < JOBS_MAX);
    it->jobs[it->job_count++] = job;
}

static void on_cancel(struct worker_job *job, void *context)
{
    struct fixture *it                   = context;
    it->cancelled[it->cancelled_count++] = job;
}

static void on_ready(void *context)
{
    ((struct fixture *)context)->ready++;
}

static int begin_after(void **state, const uint64_t *dead)
{
    static unsigned number; /* cmocka runs one test after the other */
    static const ProtobufCServiceDescriptor *const services[] = {&pb__jobs__descriptor,
                                                                 &pb__system__descriptor, NULL};
    static const char *const queues[]                         = {"tools", NULL};
    struct fixture *it                                        = calloc(1, sizeof *it);
    struct error error                                        = {};
    it->job_id                                                = "job";
    it->now_ms                                                = 1'000;
    it->predecessors                                          = dead;
    it->beats_refused                                         = dead ? 2 : 0;
    (void)pthread_mutex_init(&it->mutex, NULL);
    (void)snprintf(it->url, sizeof it->url, "inproc://worker-test-%u", number++);
    start_scheduler(it);
    const struct loop_options loop_options = {.clock = clock_of, .clock_context = it};
    assert_int_equal(loop_new(&loop_options, &it->loop, &error), STATUS_OK);
    const struct rpc_client_options client = {
        .endpoints = it->url, .choice = RPC_OWNER, .services = services};
    assert_int_equal(rpc_client_open(&client, &it->client, &error), STATUS_OK);
    const struct worker_options options = {.loop      = it->loop,
                                           .scheduler = it->client,
                                           .queues    = queues,
                                           .name      = "tester",
                                           .kind      = "tools",
                                           .dead      = it->predecessors,
                                           .slots     = SLOTS,
                                           .lease_ms  = LEASE_MS,
                                           .run       = on_run,
                                           .cancel    = on_cancel,
                                           .ready     = on_ready,
                                           .context   = it};
    it->worker                          = worker_new(&options);
    *state                              = it;
    return 0;
}

static int begin(void **state)
{
    return begin_after(state, NULL);
}

static int begin_anew(void **state)
{
    static const uint64_t dead[] = {DEAD, DEAD - 1, DEAD - 2, 0};
    return begin_after(state, dead);
}

static int end(void **state)
{
    struct fixture *it = *state;
    worker_stop(it->worker);
    rpc_client_closep(&it->client);
    loop_turn(it->loop, 0);
    worker_freep(&it->worker);
    loop_freep(&it->loop);
    rpc_server_stopp(&it->server);
    (void)pthread_mutex_destroy(&it->mutex);
    free(it);
    return 0;
}

static unsigned value(struct fixture *it, const unsigned *counter)
{
    (void)pthread_mutex_lock(&it->mutex);
    unsigned now = *counter;
    (void)pthread_mutex_unlock(&it->mutex);
    return now;
}

/* Turns the loop until `*counter` has come to `count`. */
static void await(struct fixture *it, const unsigned *counter, unsigned count)
{
    for (int i = 0; value(it, counter) < count; i++) {
        if (i == TURNS_MAX) fail_msg("waited in vain");
        it->now_ms++;
        loop_turn(it->loop, 1);
    }
}

static void await_size(struct fixture *it, const size_t *count, size_t wanted)
{
    for (int i = 0; *count < wanted; i++) {
        if (i == TURNS_MAX) fail_msg("waited in vain");
        it->now_ms++;
        loop_turn(it->loop, 1);
    }
}

static void await_idle(struct fixture *it)
{
    for (int i = 0; worker_busy(it->worker) > 0; i++) {
        if (i == TURNS_MAX) fail_msg("waited in vain");
        it->now_ms++;
        loop_turn(it->loop, 1);
    }
}

/* Hands jobs to the poll that is parked, or to the next one. */
static void offer(struct fixture *it, unsigned count, const char *id)
{
    await(it, &it->polls, 1);
    (void)pthread_mutex_lock(&it->mutex);
    it->to_lease          = count;
    it->job_id            = id;
    struct rpc_call *call = it->parked;
    it->parked            = NULL;
    if (call) give(it, call);
    (void)pthread_mutex_unlock(&it->mutex);
    if (call) rpc_reply(call, STATUS_OK, NULL);
}

static void complete(struct worker_job *job, const char *output)
{
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    completed.output_json = (ProtobufCBinaryData){strlen(output), (uint8_t *)(uintptr_t)output};
    worker_complete(job, &completed);
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void a_job_is_leased_run_and_reported(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    assert_int_equal(it->ready, 1);
    assert_int_equal(worker_busy(it->worker), 1);
    assert_string_equal(it->jobs[0]->leased->id, "job-1");
    await(it, &it->polls, 2);
    assert_int_equal(value(it, &it->last_count_max), SLOTS - 1);
    complete(it->jobs[0], "{\"a\":1}");
    await_idle(it);
    assert_string_equal(it->result, "{\"a\":1}");
    assert_string_equal(it->token, "token");
    assert_int_equal(it->reports, 1);
}

static void reports_of_a_turn_go_together_and_bring_what_follows(void **state)
{
    struct fixture *it = *state;
    offer(it, SLOTS, "job");
    await_size(it, &it->job_count, SLOTS);
    (void)pthread_mutex_lock(&it->mutex);
    it->to_follow = 2;
    it->job_id    = "next";
    (void)pthread_mutex_unlock(&it->mutex);
    for (unsigned i = 0; i < 3; i++) complete(it->jobs[i], "1");
    await_size(it, &it->job_count, SLOTS + 2);
    assert_int_equal(value(it, &it->reports), 3);
    assert_int_equal(value(it, &it->report_calls), 1);
    assert_int_equal(value(it, &it->last_next_max), 3); /* as many as have ended */
    assert_string_equal(it->jobs[SLOTS]->leased->id, "next-2");
    await(it, &it->polls, 2); /* for the slot that is left */
    assert_int_equal(value(it, &it->last_count_max), 1);
    for (unsigned i = 3; i < SLOTS + 2; i++) complete(it->jobs[i], "2");
    await_idle(it);
    assert_int_equal(it->reports, SLOTS + 2);
}

static void what_was_refused_together_is_said_again_alone(void **state)
{
    struct fixture *it   = *state;
    it->refuses_together = true;
    offer(it, 3, "job");
    await_size(it, &it->job_count, 3);
    for (unsigned i = 0; i < 3; i++) complete(it->jobs[i], "1");
    await_idle(it);
    assert_int_equal(it->report_calls, 1 + 3);
}

static void a_worker_that_drains_takes_nothing_in_place(void **state)
{
    struct fixture *it = *state;
    it->to_follow      = 1;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    worker_drain(it->worker);
    complete(it->jobs[0], "1");
    await_idle(it);
    assert_int_equal(it->last_next_max, 0);
    assert_int_equal(it->job_count, 1);
}

static void full_slots_end_the_polls(void **state)
{
    struct fixture *it = *state;
    offer(it, SLOTS, "job");
    await_size(it, &it->job_count, SLOTS);
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 0);
    assert_int_equal(value(it, &it->polls), 1);
    complete(it->jobs[0], "1"); /* a free slot starts them again */
    await(it, &it->polls, 2);
    assert_int_equal(value(it, &it->last_count_max), 1);
}

static void heartbeats_come_every_third_of_a_lease(void **state)
{
    struct fixture *it = *state;
    offer(it, 2, "job");
    await_size(it, &it->job_count, 2);
    assert_int_equal(value(it, &it->beats), 0);
    it->now_ms += LEASE_MS / 3;
    await(it, &it->beats, 1);
    assert_int_equal(value(it, &it->beaten_jobs), 2);
    complete(it->jobs[0], "1");
    it->now_ms += LEASE_MS / 3;
    await(it, &it->beats, 2);
    assert_int_equal(value(it, &it->beaten_jobs), 3); /* what has ended is not kept alive */
}

/* The first is said at once, further ones in a while, and the last of them counts. */
static void progress_goes_out_once_in_a_while(void **state)
{
    static char large[WORKER_PROGRESS_MAX + 1];
    struct fixture *it = *state;
    offer(it, 2, "job");
    await_size(it, &it->job_count, 2);
    worker_progress(it->jobs[0], str_from("{\"progress\":1}"));
    await(it, &it->beats, 1);
    assert_string_equal(it->progress, "{\"progress\":1}");
    assert_int_equal(value(it, &it->beaten_jobs), 1); /* nobody else has something to say */
    worker_progress(it->jobs[0], str_from("{\"progress\":2}"));
    worker_progress(it->jobs[0], str_from("{\"progress\":3}"));
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 0);
    assert_int_equal(value(it, &it->beats), 1);
    it->now_ms += WORKER_PROGRESS_MS;
    await(it, &it->beats, 2);
    assert_string_equal(it->progress, "{\"progress\":3}");
    memset(large, '1', sizeof large);
    worker_progress(it->jobs[1], (str){.ptr = large, .len = sizeof large});
    it->now_ms += WORKER_PROGRESS_MS;
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 0);
    assert_int_equal(value(it, &it->beats), 2);
}

static void a_cancellation_is_told_once(void **state)
{
    struct fixture *it = *state;
    it->says_cancel    = true;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    it->now_ms += LEASE_MS / 3;
    await_size(it, &it->cancelled_count, 1);
    it->now_ms += LEASE_MS / 3;
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 0);
    assert_int_equal(it->cancelled_count, 1);
    assert_ptr_equal(it->cancelled[0], it->jobs[0]);
    worker_release(it->jobs[0], 0, "cancelled");
    await_idle(it);
    assert_string_equal(it->result, "cancelled");
}

static void a_lost_lease_cancels_and_its_report_ends_the_job(void **state)
{
    struct fixture *it = *state;
    it->says_lost      = true;
    it->item_status    = STATUS_FAILED_PRECONDITION;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    it->now_ms += LEASE_MS / 3;
    await_size(it, &it->cancelled_count, 1);
    complete(it->jobs[0], "1");
    await_idle(it);
    assert_int_equal(it->reports, 1);
}

static void a_job_that_comes_again_cancels_its_old_lease(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "same");
    await_size(it, &it->job_count, 1);
    await(it, &it->polls, 2);
    offer(it, 1, "same");
    await_size(it, &it->job_count, 2);
    assert_int_equal(it->cancelled_count, 1);
    assert_ptr_equal(it->cancelled[0], it->jobs[0]);
    it->says_cancel = true; /* now the newer one is meant */
    it->now_ms += LEASE_MS / 3;
    await_size(it, &it->cancelled_count, 2);
    assert_ptr_equal(it->cancelled[1], it->jobs[1]);
}

/* Both leases of a job are here, and the scheduler says that the older one is lost. */
static void hold_twice(struct fixture *it)
{
    it->next_token = "old";
    offer(it, 1, "same");
    await_size(it, &it->job_count, 1);
    await(it, &it->polls, 2);
}

static void lease_again(struct fixture *it)
{
    (void)pthread_mutex_lock(&it->mutex);
    it->next_token = "new";
    it->lost_token = "old";
    (void)pthread_mutex_unlock(&it->mutex);
    offer(it, 1, "same");
    await_size(it, &it->job_count, 2);
    assert_int_equal(it->cancelled_count, 1);
}

static void an_answer_about_the_old_lease_leaves_the_new_one(void **state)
{
    struct fixture *it = *state;
    hold_twice(it);
    it->lost_token = "old";
    it->beats_wait = true;
    it->now_ms += LEASE_MS / 3;
    await(it, &it->beats, 1);
    lease_again(it);
    it->beats_wait = false;
    rpc_reply(it->beat, STATUS_OK, NULL); /* that of the old one */
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 1);
    assert_int_equal(it->cancelled_count, 1);
    worker_release(it->jobs[0], 0, "lost");
    complete(it->jobs[1], "\"new\"");
    await_idle(it);
}

static void after_a_lost_answer_the_old_lease_is_not_told(void **state)
{
    struct fixture *it = *state;
    hold_twice(it);
    lease_again(it);
    await(it, &it->polls, 3);
    rpc_server_stopp(&it->server);
    start_scheduler(it);
    await(it, &it->tellings, 1);
    await(it, &it->polls, 4);
    assert_int_equal(value(it, &it->beaten_jobs), 1);
    assert_int_equal(it->cancelled_count, 1);
    worker_release(it->jobs[0], 0, "lost");
    complete(it->jobs[1], "\"new\"");
    await_idle(it);
}

/* An answer may be lost while it is told what we hold: then it is told once more. */
static void what_is_lost_during_the_telling_is_told_again(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    await(it, &it->polls, 2);
    rpc_server_stopp(&it->server);
    it->beats_wait = true;
    it->parked     = NULL;
    start_scheduler(it);
    await(it, &it->tellings, 1);
    it->report_answer = STATUS_UNAVAILABLE;
    it->last_next_max = 99;
    complete(it->jobs[0], "1");
    await(it, &it->reports, 2); /* the first is known to have failed */
    assert_int_equal(value(it, &it->last_next_max), 0);
    (void)pthread_mutex_lock(&it->mutex);
    it->beats_wait    = false;
    it->report_answer = STATUS_OK;
    (void)pthread_mutex_unlock(&it->mutex);
    rpc_reply(it->beat, STATUS_OK, NULL);
    await(it, &it->tellings, 2);
    await_idle(it);
}

static void a_report_is_repeated_until_somebody_takes_it(void **state)
{
    struct fixture *it = *state;
    it->report_answer  = STATUS_UNAVAILABLE;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    complete(it->jobs[0], "\"kept\"");
    await(it, &it->reports, 3);
    assert_int_equal(worker_busy(it->worker), 1); /* it keeps its slot */
    (void)pthread_mutex_lock(&it->mutex);
    it->report_answer = STATUS_OK;
    (void)pthread_mutex_unlock(&it->mutex);
    await_idle(it);
    assert_string_equal(it->result, "\"kept\"");
}

static void a_report_outlives_the_scheduler(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    rpc_server_stopp(&it->server);
    complete(it->jobs[0], "\"kept\"");
    for (int i = 0; i < 500; i++) {
        it->now_ms += 10;
        loop_turn(it->loop, 0);
    }
    assert_int_equal(worker_busy(it->worker), 1);
    start_scheduler(it);
    await_idle(it);
    assert_string_equal(it->result, "\"kept\"");
}

static void a_report_that_nobody_takes_is_given_up(void **state)
{
    struct fixture *it = *state;
    it->report_answer  = STATUS_UNAVAILABLE;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    complete(it->jobs[0], "1");
    await(it, &it->reports, 1);
    it->now_ms += WORKER_REPORT_MS;
    await_idle(it);
}

static void a_refused_report_ends_the_job(void **state)
{
    struct fixture *it = *state;
    it->report_answer  = STATUS_INVALID_ARGUMENT;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    complete(it->jobs[0], "1");
    await_idle(it);
    assert_int_equal(it->reports, 1);
}

static void an_output_over_the_limit_becomes_a_failure(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    size_t size = (17U << 20) + 1;
    char *large = mem_new(size + 1, 1);
    memset(large, ' ', size);
    complete(it->jobs[0], large);
    free(large);
    await_idle(it);
    assert_non_null(strstr(it->result, "too large"));
}

static void a_drain_leases_no_more_and_finishes(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    await(it, &it->polls, 2);
    worker_drain(it->worker);
    for (int i = 0; i < 100; i++) {
        it->now_ms += 100;
        loop_turn(it->loop, 0);
    }
    assert_int_equal(value(it, &it->polls), 2);
    complete(it->jobs[0], "1");
    await_idle(it);
    assert_int_equal(value(it, &it->polls), 2);
}

static void what_a_poll_still_brings_is_handed_back(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job"); /* on its way to the loop */
    for (int i = 0; value(it, &it->leased) == 0; i++) assert_true(i < TURNS_MAX);
    worker_drain(it->worker); /* it may also come as cancelled: then the lease runs out */
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 1);
    await_idle(it);
    assert_int_equal(it->job_count, 0);
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

static void a_worker_asks_until_it_is_answered(void **state)
{
    struct fixture *it = *state;
    (void)pthread_mutex_lock(&it->mutex);
    it->topologies_refused = 3;
    (void)pthread_mutex_unlock(&it->mutex);
    await(it, &it->ready, 1);
    assert_int_equal(value(it, &it->topologies_refused), 0);
}

/* Before it asks for work, until somebody has heard it, and only once. */
static void the_next_process_says_whose_place_it_takes(void **state)
{
    struct fixture *it = *state;
    await(it, &it->tellings, 3); /* two are refused */
    assert_int_equal(it->dead, DEAD);
    assert_int_equal(it->dead_before, 2);
    assert_int_equal(it->oldest, DEAD - 2);
    assert_int_equal(value(it, &it->polls_before), 0);
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    rpc_server_stopp(&it->server);
    start_scheduler(it);
    await(it, &it->tellings, 4); /* what an answer may have brought was lost */
    assert_int_equal(it->dead, 0);
    assert_int_equal(it->dead_before, 0);
    complete(it->jobs[0], "1");
    await_idle(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_next_process_says_whose_place_it_takes, begin_anew,
                                        end),
        FIXTURE_TEST(a_worker_asks_until_it_is_answered),
        FIXTURE_TEST(a_job_is_leased_run_and_reported),
        FIXTURE_TEST(reports_of_a_turn_go_together_and_bring_what_follows),
        FIXTURE_TEST(what_was_refused_together_is_said_again_alone),
        FIXTURE_TEST(a_worker_that_drains_takes_nothing_in_place),
        FIXTURE_TEST(full_slots_end_the_polls),
        FIXTURE_TEST(heartbeats_come_every_third_of_a_lease),
        FIXTURE_TEST(progress_goes_out_once_in_a_while),
        FIXTURE_TEST(a_cancellation_is_told_once),
        FIXTURE_TEST(a_lost_lease_cancels_and_its_report_ends_the_job),
        FIXTURE_TEST(a_job_that_comes_again_cancels_its_old_lease),
        FIXTURE_TEST(an_answer_about_the_old_lease_leaves_the_new_one),
        FIXTURE_TEST(after_a_lost_answer_the_old_lease_is_not_told),
        FIXTURE_TEST(what_is_lost_during_the_telling_is_told_again),
        FIXTURE_TEST(a_report_is_repeated_until_somebody_takes_it),
        FIXTURE_TEST(a_report_outlives_the_scheduler),
        FIXTURE_TEST(a_report_that_nobody_takes_is_given_up),
        FIXTURE_TEST(a_refused_report_ends_the_job),
        FIXTURE_TEST(an_output_over_the_limit_becomes_a_failure),
        FIXTURE_TEST(a_drain_leases_no_more_and_finishes),
        FIXTURE_TEST(what_a_poll_still_brings_is_handed_back),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
