/* A host on a loop with a thread of its own, and a scheduler that gives it one job. */
#include "cmocka.h"

#include "support/worker/played_scheduler.h"
#include "worker/host.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DRAIN_MS = 20'000, LOOKS_MAX = 20'000 };

struct fixture {
    struct played_scheduler played;
    struct loop *loop;
    struct worker_host *host;
    struct config_rpc rpc;

    struct worker_job *job; /* the loop's thread only */
    atomic_uint has_job;
    atomic_uint asked;  /* how often `busy` was called */
    unsigned busy_asks; /* says "busy" that many times */
};

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
    struct fixture *it = calloc(1, sizeof *it);
    struct error error = {};
    played_scheduler_init(&it->played);
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
    played_scheduler_done(&it->played);
    free(it);
    return 0;
}

static void start(struct fixture *it, const char *name)
{
    static const char *const queues[]        = {"tools", NULL};
    const struct worker_host_options options = {.service   = "tester",
                                                .kind      = "tools",
                                                .queues    = queues,
                                                .scheduler = it->played.url,
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
    it->played.to_lease = 1;
    it->busy_asks       = 3;
    start(it, NULL);
    await_job(it);
    assert_true(worker_host_drain(it->host, &how));
    assert_true(atomic_load(&it->asked) >= it->busy_asks);
    (void)pthread_mutex_lock(&it->played.mutex);
    assert_string_equal(it->played.result, "the process ends");
    (void)pthread_mutex_unlock(&it->played.mutex);
}

static void a_drain_ends_with_its_time(void **state)
{
    struct fixture *it                 = *state;
    const struct worker_host_drain how = {.limit_ms = 0};
    it->played.to_lease                = 1;
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
