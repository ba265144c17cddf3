#include "cmocka.h"

#include "scheduler/engine/gather.h"

enum { BEGUN_US = 1'000'000, TOOK_US = 800, ENDED_US = BEGUN_US + TOOK_US };

static struct gather gather_after(size_t parts)
{
    struct gather gather = {};
    gather_turned(&gather, parts, BEGUN_US, ENDED_US);
    return gather;
}

static void test_few_are_not_waited_for(void **)
{
    struct gather gather = {};
    assert_int_equal(gather_enough(&gather, 0), 0); /* the first turn */
    gather = gather_after(1);
    assert_int_equal(gather_enough(&gather, 0), 0); /* one caller */
    assert_int_equal(gather_enough(&gather, 1), 0);
    gather = gather_after(GATHER_PARTS_MIN);
    assert_int_equal(gather_enough(&gather, 0), 0); /* most of them would be fewer */
}

static void test_waits_for_most_of_both_groups(void **)
{
    struct gather gather = gather_after(54);
    assert_int_equal(gather_enough(&gather, 10), 48);
    assert_int_equal(gather_enough(&gather, 48), 76); /* these may be others */
    gather = gather_after(10);
    assert_int_equal(gather_enough(&gather, 54), 0); /* most are there */
}

static void test_patience_is_half_a_turn(void **)
{
    struct gather gather = gather_after(64);
    assert_int_equal(gather.until_us, ENDED_US + TOOK_US / 2);
    gather_turned(&gather, 64, BEGUN_US, BEGUN_US + 1'000'000); /* a slow disk */
    assert_int_equal(gather.until_us, BEGUN_US + 1'000'000 + GATHER_US_MAX);
}

/* How many turns pass until it waits again. */
static unsigned turns_until_wait(struct gather *gather)
{
    unsigned turns = 1;
    while (gather_enough(gather, 0) == 0) turns++;
    return turns;
}

static void test_waits_in_vain_become_rare(void **)
{
    struct gather gather = gather_after(64);
    unsigned expected    = 1;
    for (unsigned i = 0; i < GATHER_MISSES_MAX; i++) {
        assert_int_equal(turns_until_wait(&gather), expected);
        gather_met(&gather, false);
        expected = (2U << i) + 1;
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(turns_until_wait(&gather), (1U << GATHER_MISSES_MAX) + 1);
        gather_met(&gather, false);
    }
    assert_int_equal(turns_until_wait(&gather), (1U << GATHER_MISSES_MAX) + 1);
    gather_met(&gather, true); /* they came: at once again */
    assert_int_equal(turns_until_wait(&gather), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_are_not_waited_for),
        cmocka_unit_test(test_waits_for_most_of_both_groups),
        cmocka_unit_test(test_patience_is_half_a_turn),
        cmocka_unit_test(test_waits_in_vain_become_rare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
