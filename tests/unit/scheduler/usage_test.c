/* usage_add(): sums that stop at the end of their range, and what is uncertain stays uncertain. */
#include "scheduler/run/usage.h"

#include "cmocka.h"

static void counters_add_up_and_stop_at_their_maximum(void **state)
{
    (void)state;
    struct usage total      = {.input_tokens = 5, .cost_usd_nanos = INT64_MAX - 1};
    const struct usage more = {.input_tokens   = 7,
                               .output_tokens  = 1,
                               .cost_usd_nanos = 9,
                               .cached_tokens  = -3,
                               .calls          = 1};
    usage_add(&total, &more);
    assert_int_equal(total.input_tokens, 12);
    assert_int_equal(total.output_tokens, 1);
    assert_int_equal(total.cached_tokens, 0); /* a worker's nonsense takes nothing away */
    assert_true(total.cost_usd_nanos == INT64_MAX);
    assert_int_equal(total.calls, 1);
}

static void the_least_certain_source_stays(void **state)
{
    (void)state;
    struct usage total           = {};
    const struct usage unknown   = {.source = COST_UNKNOWN};
    const struct usage simulated = {.source = COST_SIMULATED, .is_simulated = true};
    usage_add(&total, &simulated);
    assert_int_equal(total.source, COST_SIMULATED);
    usage_add(&total, &unknown);
    usage_add(&total, &simulated);
    assert_int_equal(total.source, COST_UNKNOWN);
    assert_true(total.is_simulated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_add_up_and_stop_at_their_maximum),
        cmocka_unit_test(the_least_certain_source_stays),
    };
    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
