/* rpc_threads: half of NNG's threads rest, and serve again when somebody is slow. */
#include "rpc/rpc_threads.h"

#include "cmocka.h"
#include "support/echo.h"
#include "support/task.h"

#include "base/clock.h"
#include "base/process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { TASKS = 200, WAIT_MS = 30'000 };

struct fixture {
    struct rpc_threads *threads; /* once per process, so the tests share them */
    uint32_t rest_count;
};

static uint32_t resting(const struct fixture *it)
{
    struct rpc_threads_stats stats;
    rpc_threads_stats(it->threads, &stats);
    return stats.resting;
}

static uint32_t wakes(const struct fixture *it)
{
    struct rpc_threads_stats stats;
    rpc_threads_stats(it->threads, &stats);
    return stats.wakes;
}

static void await_resting(const struct fixture *it)
{
    int64_t until_ms = clock_mono_ms() + WAIT_MS;
    while (resting(it) < it->rest_count) {
        if (clock_mono_ms() > until_ms) fail_msg("they do not rest");
    }
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void as_many_rest_as_the_library_counts_processors(void **state)
{
    const struct fixture *it = *state;
    await_resting(it);
    assert_int_equal(resting(it), it->rest_count);
}

/* With two threads they take turns; with more than two CPUs more than one may serve. */
static void what_is_left_serves_everything(void **state)
{
    const struct fixture *it = *state;
    pthread_t seen[TASKS];
    uint32_t seen_count = 0;
    await_resting(it);
    for (unsigned i = 0; i < TASKS; i++) {
        struct task task;
        uint32_t known = 0;
        task_start(&task, true);
        task_await(&task);
        while (known < seen_count && !pthread_equal(seen[known], task.thread)) known++;
        if (known == seen_count) seen[seen_count++] = task.thread;
        task_end(&task);
    }
    assert_int_equal(wakes(it), 0);
    assert_true(seen_count >= 1 && seen_count <= it->rest_count);
}

static void a_wake_lets_them_serve_behind_one_that_is_stuck(void **state)
{
    const struct fixture *it = *state;
    struct task stuck[RPC_THREADS_REST_MAX];
    struct task other;
    await_resting(it);
    for (uint32_t i = 0; i < it->rest_count; i++) task_start(&stuck[i], false);
    for (uint32_t i = 0; i < it->rest_count; i++) task_await(&stuck[i]);
    task_start(&other, true);
    rpc_threads_wake(it->threads);
    task_await(&other);
    assert_true(wakes(it) >= 1);
    for (uint32_t i = 0; i < it->rest_count; i++) task_end(&stuck[i]);
    task_end(&other);
}

static void they_rest_again(void **state)
{
    const struct fixture *it = *state;
    await_resting(it);
    rpc_threads_wake(it->threads);
    rpc_threads_wake(it->threads);
    await_resting(it);
}

static void nobody_rests_without_threads(void **)
{
    rpc_threads_wake(NULL);
}

static status slow(struct rpc_call *call, struct error *)
{
    int64_t until_us = clock_thread_cpu_us() + RPC_THREADS_SLOW_US + 1;
    while (clock_thread_cpu_us() <= until_us) continue;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static void a_slow_handler_wakes_them(void **state)
{
    const struct fixture *it = *state;
    await_resting(it);
    uint32_t before = wakes(it);
    char url[64];
    (void)snprintf(url, sizeof url, "abstract://tutti-threads-test-%d", (int)getpid());
    static const struct rpc_method methods[] = {{.name = "Say", .handle = slow}, {}};
    const struct rpc_service services[]      = {{&test__echo__descriptor, methods, NULL}, {}};
    const struct rpc_server_options options  = {.url      = url,
                                                .services = services,
                                                .contract = echo_contract,
                                                .threads  = it->threads,
                                                .drain_ms = 1};
    struct rpc_server *server                = NULL;
    struct rpc_client *client                = NULL;
    const struct rpc_client_options opening  = echo_client_options(url);
    Test__Saying message                     = TEST__SAYING__INIT;
    const struct rpc_request request         = {.service        = &test__echo__descriptor,
                                                .method         = "Say",
                                                .message        = &message,
                                                .wait_for_ready = true};
    assert_int_equal(rpc_server_start(&options, &server, NULL), STATUS_OK);
    assert_int_equal(rpc_client_open(&opening, &client, NULL), STATUS_OK);
    assert_int_equal(rpc_client_ask(client, &request, NULL, NULL), STATUS_OK);
    int64_t until_ms = clock_mono_ms() + WAIT_MS;
    while (wakes(it) == before) { /* after the reply */
        if (clock_mono_ms() > until_ms) fail_msg("nobody is woken");
    }
    rpc_client_closep(&client);
    rpc_server_stopp(&server);
}

static int begin(void **state)
{
    static struct fixture fixture;
    if (process_block_signals(NULL) != STATUS_OK) return 1;
    fixture.rest_count = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    fixture.threads    = rpc_threads_rest();
    *state             = &fixture;
    return fixture.threads ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_rest_as_the_library_counts_processors),
        cmocka_unit_test(what_is_left_serves_everything),
        cmocka_unit_test(a_wake_lets_them_serve_behind_one_that_is_stuck),
        cmocka_unit_test(they_rest_again),
        cmocka_unit_test(nobody_rests_without_threads),
        cmocka_unit_test(a_slow_handler_wakes_them),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
