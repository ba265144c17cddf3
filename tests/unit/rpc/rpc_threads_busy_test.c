/* rpc_threads where nobody is left to serve: those that rest go back. A program of its own, since
 * threads rest once per process. */
#include "rpc/rpc_threads.h"

#include "cmocka.h"
#include "support/task.h"

#include "base/process.h"

#include <unistd.h>

static void without_another_one_nobody_rests(void **)
{
    struct task stuck[2 * RPC_THREADS_REST_MAX];
    struct task other;
    assert_int_equal(process_block_signals(NULL), STATUS_OK);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = 0; i < 2 * count; i++) task_start(&stuck[i], false);
    for (long i = 0; i < 2 * count; i++) task_await(&stuck[i]);

    struct rpc_threads *threads = rpc_threads_rest();
    assert_non_null(threads);
    for (long i = 0; i < count; i++) task_end(&stuck[i]); /* as many as want to rest */
    task_start(&other, true);
    task_await(&other); /* the others are still stuck */

    struct rpc_threads_stats stats;
    rpc_threads_stats(threads, &stats);
    assert_int_equal(stats.resting, 0);
    for (long i = count; i < 2 * count; i++) task_end(&stuck[i]);
    task_end(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_another_one_nobody_rests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
