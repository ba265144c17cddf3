/* A host on a loop with a thread of its own, and a scheduler that gives it one job. */
#include "cmocka.h"

#include "job.pb-c.h"
#include "rpc/rpc.h"
#include "system.pb-c.h"
#include "worker/host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DRAIN_MS = 20'000, LOOKS_MAX = 20'000 };

struct fixture {
    char url[64];
    struct rpc_server *server;
    struct loop *loop;
    struct worker_host *host;
    struct config_rpc rpc;

    struct worker_job *job; /* the loop's thread only */
    atomic_uint has_job;
    atomic_uint asked;  /* how often `busy` was called */
    unsigned busy_asks; /* says "busy" that many times */

    pthread_mutex_t mutex; /* guards what follows: the scheduler's side */
    struct rpc_call *parked;
    unsigned to_give;
    char result[64];
};

/* --- the scheduler -----------------------------------------------------------------------------
 */

static status lease(struct rpc_call *call, struct error *)
{
    static const uint8_t token[] = "token";
    struct fixture *it           = call->context;
    Pb__LeasedJobs *answer       = call->response;
    (void)pthread_mutex_lock(&it->mutex);
    bool gives = it->to_give > 0;
    if (gives) {
        Pb__LeasedJob *job = arena_alloc(call->arena, sizeof *job);
        pb__leased_job__init(job);
        job->id          = "job";
        job->lease_token = (ProtobufCBinaryData){sizeof token - 1, (uint8_t *)(uintptr_t)token};
        answer->jobs     = arena_alloc(call->arena, sizeof *answer->jobs);
        answer->jobs[answer->n_jobs++] = job;
        it->to_give--;
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

static status heartbeat(struct rpc_call *call, struct error *)
{
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static status report(struct rpc_call *call, struct error *)
{
    struct fixture *it            = call->context;
    const Pb__JobReports *request = call->request;
    Pb__JobReportAnswers *answer  = call->response;
    Pb__JobReportAnswer *item     = arena_alloc(call->arena, sizeof *item);
    pb__job_report_answer__init(item);
    item->job          = request->reports[0]->job;
    answer->reports    = arena_alloc(call->arena, sizeof *answer->reports);
    answer->reports[0] = item;
    answer->n_reports  = 1;
    (void)pthread_mutex_lock(&it->mutex);
    (void)snprintf(it->result, sizeof it->result, "%s", request->reports[0]->released->reason);
    (void)pthread_mutex_unlock(&it->mutex);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static status topology(struct rpc_call *call, struct error *)
{
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

/* --- the host ----------------------------------------------------------------------------------
 */

static void on_run(struct worker_job *job, void *context)
{
    struct fixture *it = context;
    it->job            = job;
    atomic_store(&it->has_job, 1);
}

static void on_cancel(struct worker_job *, void *)
{
}

static int begin(void **state)
{
    static unsigned number; /* cmocka runs one test after the other */
    struct fixture *it = calloc(1, sizeof *it);
    struct error error = {};
    (void)pthread_mutex_init(&it->mutex, NULL);
    (void)snprintf(it->url, sizeof it->url, "inproc://host-test-%u", number++);
    const struct rpc_service services[]     = {{&pb__jobs__descriptor, job_methods, it},
                                               {&pb__system__descriptor, system_methods, it},
                                               {}};
    const struct rpc_server_options options = {
        .url = it->url, .services = services, .drain_ms = 100};
    if (rpc_server_start(&options, &it->server, &error) != STATUS_OK) fail_msg("%s", error.text);
    assert_int_equal(loop_new(NULL, &it->loop, &error), STATUS_OK);
    *state = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    loop_stop(it->loop);
    loop_join(it->loop);
    worker_host_close(it->host);
    worker_host_freep(&it->host);
    loop_freep(&it->loop);
    rpc_server_stopp(&it->server);
    (void)pthread_mutex_destroy(&it->mutex);
    free(it);
    return 0;
}

static void start(struct fixture *it, const char *name)
{
    static const char *const queues[]        = {"tools", NULL};
    const struct worker_host_options options = {.service   = "tester",
                                                .kind      = "tools",
                                                .queues    = queues,
                                                .scheduler = it->url,
                                                .name      = name,
                                                .rpc       = &it->rpc,
                                                .slots     = 2,
                                                .lease_ms  = 60'000,
                                                .loop      = it->loop,
                                                .run       = on_run,
                                                .cancel    = on_cancel,
                                                .context   = it};
    struct error error                       = {};
    if (worker_host_start(&options, &it->host, &error) != STATUS_OK) fail_msg("%s", error.text);
    assert_int_equal(loop_start(it->loop, "host", &error), STATUS_OK);
}

/* Yields to the loop's thread until it has the job. */
static void await_job(struct fixture *it)
{
    for (int i = 0; atomic_load(&it->has_job) == 0; i++) {
        if (i == LOOKS_MAX) fail_msg("waited in vain");
        const struct timespec look = {.tv_nsec = 1'000'000};
        (void)nanosleep(&look, NULL);
    }
}

static void hand_back(void *context)
{
    struct fixture *it = context;
    worker_release(it->job, 0, "the process ends");
}

static size_t count(void *context)
{
    struct fixture *it = context;
    return atomic_fetch_add(&it->asked, 1) + 1 < it->busy_asks ? 1 : 0;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void names_itself(void **state)
{
    struct fixture *it = *state;
    start(it, "mine");
    assert_string_equal(worker_host_name(it->host), "mine");
}

static void is_named_after_its_machine(void **state)
{
    struct fixture *it = *state;
    char machine[256]  = "";
    char expected[64];
    assert_int_equal(gethostname(machine, sizeof machine - 1), 0);
    (void)snprintf(expected, sizeof expected, "tester@%.40s", machine);
    start(it, NULL);
    assert_string_equal(worker_host_name(it->host), expected);
}

static void a_bad_endpoint_is_refused(void **state)
{
    struct fixture *it                       = *state;
    static const char *const queues[]        = {"tools", NULL};
    const struct worker_host_options options = {.service   = "tester",
                                                .queues    = queues,
                                                .scheduler = "carrier-pigeon://home",
                                                .rpc       = &it->rpc,
                                                .slots     = 1,
                                                .lease_ms  = 1'000,
                                                .loop      = it->loop};
    struct error error                       = {};
    assert_int_equal(worker_host_start(&options, &it->host, &error), STATUS_INVALID_ARGUMENT);
    assert_null(it->host);
}

static void a_drain_of_nothing_is_over_at_once(void **state)
{
    struct fixture *it                 = *state;
    const struct worker_host_drain how = {.limit_ms = DRAIN_MS};
    start(it, NULL);
    assert_true(worker_host_drain(it->host, &how));
}

static void a_drain_waits_for_jobs_and_for_others(void **state)
{
    struct fixture *it                 = *state;
    const struct worker_host_drain how = {
        .limit_ms = DRAIN_MS, .begin = hand_back, .busy = count, .context = it};
    it->to_give   = 1;
    it->busy_asks = 3;
    start(it, NULL);
    await_job(it);
    assert_true(worker_host_drain(it->host, &how));
    assert_true(atomic_load(&it->asked) >= it->busy_asks);
    (void)pthread_mutex_lock(&it->mutex);
    assert_string_equal(it->result, "the process ends");
    (void)pthread_mutex_unlock(&it->mutex);
}

static void a_drain_ends_with_its_time(void **state)
{
    struct fixture *it                 = *state;
    const struct worker_host_drain how = {.limit_ms = 0};
    it->to_give                        = 1;
    start(it, NULL);
    await_job(it);
    assert_false(worker_host_drain(it->host, &how));
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(names_itself),
        FIXTURE_TEST(is_named_after_its_machine),
        FIXTURE_TEST(a_bad_endpoint_is_refused),
        FIXTURE_TEST(a_drain_of_nothing_is_over_at_once),
        FIXTURE_TEST(a_drain_waits_for_jobs_and_for_others),
        FIXTURE_TEST(a_drain_ends_with_its_time),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
