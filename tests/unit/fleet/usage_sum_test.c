/* Sums of usage: groups, what is too much of them, and counters at their end. */
#include "fleet/usage_sum.h"

#include "cmocka.h"

#include <stdio.h>

static Pb__UsageCounters of(int64_t calls, int64_t nanos)
{
    Pb__UsageCounters counters = PB__USAGE_COUNTERS__INIT;
    counters.calls             = calls;
    counters.input_tokens      = 10 * calls;
    counters.cost_usd_nanos    = nanos;
    return counters;
}

static void groups_are_added_up(void **)
{
    struct usage_sum sum;
    Pb__UsageCounters one = of(1, 5);
    Pb__UsageCounters two = of(2, 7);
    usage_sum_init(&sum);
    usage_sum_add(&sum, str_from("b"), &one);
    usage_sum_add(&sum, (str){}, &one);
    usage_sum_add(&sum, str_from("b"), &two);
    assert_int_equal(sum.count, 2);
    assert_string_equal(sum.groups[0].value, "b");
    assert_int_equal(sum.groups[0].counters.calls, 3);
    assert_int_equal(sum.groups[0].counters.input_tokens, 30);
    assert_int_equal(sum.groups[0].counters.cost_usd_nanos, 12);
    assert_string_equal(sum.groups[1].value, "");
    usage_sum_done(&sum);
}

static void too_many_groups_become_one(void **)
{
    struct usage_sum sum;
    Pb__UsageCounters one = of(1, 1);
    int64_t calls         = 0;
    usage_sum_init(&sum);
    for (int i = 0; i < USAGE_GROUPS_MAX + 5; i++) {
        char value[16];
        (void)snprintf(value, sizeof value, "%d", i);
        usage_sum_add(&sum, str_from(value), &one);
    }
    usage_sum_add(&sum, str_from("0"), &one);
    assert_int_equal(sum.count, USAGE_GROUPS_MAX + 1);
    assert_string_equal(sum.groups[USAGE_GROUPS_MAX].value, "(others)");
    assert_int_equal(sum.groups[USAGE_GROUPS_MAX].counters.calls, 5);
    assert_int_equal(sum.groups[0].counters.calls, 2);
    for (size_t i = 0; i < sum.count; i++) calls += sum.groups[i].counters.calls;
    assert_int_equal(calls, USAGE_GROUPS_MAX + 6); /* nothing is lost */
    usage_sum_done(&sum);
}

static void counters_stop_at_their_end(void **)
{
    Pb__UsageCounters sum  = of(INT64_MAX / 10, INT64_MAX - 1);
    Pb__UsageCounters more = of(1, 2);
    Pb__UsageCounters none = PB__USAGE_COUNTERS__INIT;
    assert_true(usage_counters_are_zero(&none));
    assert_false(usage_counters_are_zero(&more));
    usage_counters_add(&sum, &more);
    assert_int_equal(sum.cost_usd_nanos, INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_added_up),
        cmocka_unit_test(too_many_groups_become_one),
        cmocka_unit_test(counters_stop_at_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
