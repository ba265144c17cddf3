/* A pause lasts as long as it says, unless it is ended: before it begins, or by another thread. */
#include "base/pause.h"

#include "base/clock.h"

#include "support/cmocka.h"

#include <pthread.h>

enum { NEVER_MS = 3'600'000 };

static void test_lasts_as_long_as_it_says(void **state)
{
    (void)state;
    struct pause pause;
    pause_init(&pause);
    int64_t began_ms = clock_mono_ms();
    assert_true(pause_for(&pause, 20));
    assert_true(clock_mono_ms() - began_ms >= 20);
    assert_true(pause_for(&pause, 0));
    pause_destroy(&pause);
}

static void *ender(void *context)
{
    pause_end(context);
    return NULL;
}

static void test_is_ended_by_another_thread(void **state)
{
    (void)state;
    struct pause pause;
    pthread_t thread;
    pause_init(&pause);
    assert_int_equal(pthread_create(&thread, NULL, ender, &pause), 0);
    assert_false(pause_for(&pause, NEVER_MS));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(pause_for(&pause, NEVER_MS)); /* for good */
    pause_destroy(&pause);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lasts_as_long_as_it_says),
        cmocka_unit_test(test_is_ended_by_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
