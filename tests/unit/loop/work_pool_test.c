#include "loop/work_pool.h"

#include "cmocka.h"

#include <pthread.h>
#include <semaphore.h>

enum { WORKS = 200 };

struct counted {
    struct work work;
    struct loop *loop;
    sem_t *gate; /* waits for it; NULL: does not */
    bool has_run, is_done, was_on_loop;
};

static void run(void *context)
{
    struct counted *counted = context;
    if (counted->gate) (void)sem_wait(counted->gate);
    counted->was_on_loop = loop_is_own_thread(counted->loop);
    counted->has_run     = true;
}

static void done(void *context)
{
    struct counted *counted = context;
    assert_false(counted->is_done);
    counted->is_done = true;
}

static void counted_init(struct counted *counted, struct loop *loop, sem_t *gate)
{
    *counted      = (struct counted){.loop = loop, .gate = gate};
    counted->work = (struct work){.run = run, .done = done, .context = counted};
}

static void test_works_run_elsewhere_and_end_on_the_loop(void **)
{
    struct loop *loop      = NULL;
    struct work_pool *pool = NULL;
    struct counted works[WORKS];
    assert_int_equal(loop_new(NULL, &loop, NULL), STATUS_OK);
    assert_int_equal(work_pool_new(loop, 3, &pool, NULL), STATUS_OK);
    for (int i = 0; i < WORKS; i++) {
        counted_init(&works[i], loop, NULL);
        work_pool_run(pool, &works[i].work);
    }
    while (work_pool_busy(pool) > 0) loop_turn(loop, 100);
    for (int i = 0; i < WORKS; i++) {
        assert_true(works[i].has_run && works[i].is_done);
        assert_false(works[i].was_on_loop);
    }
    work_pool_freep(&pool);
    loop_freep(&loop);
}

static void test_what_has_not_begun_is_taken_back(void **)
{
    struct loop *loop      = NULL;
    struct work_pool *pool = NULL;
    struct counted first;
    struct counted second;
    struct counted third;
    sem_t gate;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(loop_new(NULL, &loop, NULL), STATUS_OK);
    assert_int_equal(work_pool_new(loop, 1, &pool, NULL), STATUS_OK);
    counted_init(&first, loop, &gate);
    counted_init(&second, loop, NULL);
    counted_init(&third, loop, NULL);
    work_pool_run(pool, &first.work);
    work_pool_run(pool, &second.work);
    work_pool_run(pool, &third.work);
    assert_true(work_pool_take_back(pool, &third.work)); /* the only thread is busy, or not yet */
    work_pool_run(pool, &third.work);
    assert_true(work_pool_take_back(pool, &second.work));
    assert_int_equal(sem_post(&gate), 0);
    while (work_pool_busy(pool) > 0) loop_turn(loop, 100);
    assert_true(first.has_run && first.is_done && third.has_run && third.is_done);
    assert_false(second.has_run || second.is_done);
    assert_false(work_pool_take_back(pool, &first.work));
    work_pool_freep(&pool);
    loop_freep(&loop);
    assert_int_equal(sem_destroy(&gate), 0);
}

static void test_the_end_tells_everybody(void **)
{
    struct loop *loop      = NULL;
    struct work_pool *pool = NULL;
    struct counted first;
    struct counted second;
    sem_t gate;
    assert_int_equal(sem_init(&gate, 0, 1), 0);
    assert_int_equal(loop_new(NULL, &loop, NULL), STATUS_OK);
    assert_int_equal(work_pool_new(loop, 1, &pool, NULL), STATUS_OK);
    counted_init(&first, loop, &gate);
    counted_init(&second, loop, NULL);
    work_pool_run(pool, &first.work);
    work_pool_run(pool, &second.work);
    work_pool_freep(&pool);
    assert_null(pool);
    assert_true(first.is_done && second.is_done);
    work_pool_freep(&pool);
    loop_freep(&loop);
    assert_int_equal(sem_destroy(&gate), 0);
}

static void test_counts_are_checked(void **)
{
    struct loop *loop      = NULL;
    struct work_pool *pool = NULL;
    struct error error     = {};
    assert_int_equal(loop_new(NULL, &loop, NULL), STATUS_OK);
    assert_int_equal(work_pool_new(loop, 0, &pool, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(work_pool_new(loop, WORK_POOL_THREADS_MAX + 1, &pool, &error),
                     STATUS_INVALID_ARGUMENT);
    loop_freep(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_works_run_elsewhere_and_end_on_the_loop),
        cmocka_unit_test(test_what_has_not_begun_is_taken_back),
        cmocka_unit_test(test_the_end_tells_everybody),
        cmocka_unit_test(test_counts_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
