/* How many per second, as seconds go by. */
#include "cmocka.h"

#include "scheduler/engine/queues/queue_flow.h"

#define SECOND INT64_C(1'000'000)
#define NOW    (INT64_C(1'795'341'600) * SECOND)

static void test_the_last_ten_seconds_count(void **)
{
    struct queue_flow flow = {};
    assert_true(queue_flow_per_second(&flow, NOW) == 0);
    for (int i = 0; i < 50; i++) queue_flow_add(&flow, NOW + i);
    assert_true(queue_flow_per_second(&flow, NOW + SECOND - 1) == 0); /* it is not over */
    for (int i = 1; i <= QUEUE_FLOW_SECONDS; i++) {
        assert_true(queue_flow_per_second(&flow, NOW + i * SECOND) == 5);
    }
    assert_true(queue_flow_per_second(&flow, NOW + 11 * SECOND) == 0);
}

static void test_a_steady_flow(void **)
{
    struct queue_flow flow = {};
    for (int i = 0; i < 100; i++) {
        for (int n = 0; n < 7; n++) queue_flow_add(&flow, NOW + i * SECOND + n);
        if (i >= 10) assert_true(queue_flow_per_second(&flow, NOW + i * SECOND) == 7);
    }
}

static void test_after_a_rest(void **)
{
    static const int rests[] = {9, 10, 11, 12, 1'000};
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        struct queue_flow flow = {};
        int64_t later_us       = NOW + rests[i] * SECOND;
        for (int n = 0; n < 30; n++) queue_flow_add(&flow, NOW);
        for (int n = 0; n < 10; n++) queue_flow_add(&flow, later_us);
        double expected = rests[i] == 9 ? 4 : 1;
        assert_true(queue_flow_per_second(&flow, later_us + SECOND) == expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_ten_seconds_count),
        cmocka_unit_test(test_a_steady_flow),
        cmocka_unit_test(test_after_a_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
