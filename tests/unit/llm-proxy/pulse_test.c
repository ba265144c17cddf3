/* How fast providers answer of late. */
#include "llm-proxy/call/pulse.h"

#include "cmocka.h"

#include <stdio.h>

static void test_means(void **)
{
    struct pulse *pulse = pulse_new();
    assert_int_equal(pulse_look(pulse, "a").answer_ms, -1);
    pulse_began(pulse, "a", 100);
    assert_int_equal(pulse_look(pulse, "a").answer_ms, -1);
    assert_int_equal(pulse_look(pulse, "a").first_event_ms, 100);
    pulse_answered(pulse, "a", 800);
    pulse_answered(pulse, "b", 7);
    assert_int_equal(pulse_look(pulse, "a").answer_ms, 800);
    pulse_answered(pulse, "a", 1'600); /* an eighth of it */
    assert_int_equal(pulse_look(pulse, "a").answer_ms, 900);
    assert_int_equal(pulse_look(pulse, "a").calls, 2);
    for (int i = 0; i < 200; i++) pulse_answered(pulse, "a", 40);
    assert_int_equal(pulse_look(pulse, "a").answer_ms, 40);
    assert_int_equal(pulse_look(pulse, "b").answer_ms, 7);
    pulse_answered(NULL, "a", 1);
    assert_int_equal(pulse_look(NULL, "a").calls, 0);
    pulse_freep(&pulse);
}

static void test_too_many(void **)
{
    struct pulse *pulse = pulse_new();
    char name[16];
    for (int i = 0; i <= PULSE_PROVIDERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "p%d", i);
        pulse_answered(pulse, name, i);
    }
    assert_int_equal(pulse_look(pulse, "p127").answer_ms, 127);
    assert_int_equal(pulse_look(pulse, name).answer_ms, -1);
    pulse_freep(&pulse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_means),
                                       cmocka_unit_test(test_too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
