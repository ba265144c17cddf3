/* Shares of limits, their bounds, and the bucket of starts. */
#include "cmocka.h"

#include "base/arena.h"
#include "scheduler/engine/queues/queue_limits.h"

#define SECOND INT64_C(1'000'000)
#define NOW    INT64_C(1'000'000'000)

static void test_bounds(void **)
{
    static const struct {
        struct queue_limits limits;
        uint16_t partitions;
        status expected;
    } cases[] = {
        {{}, 1, STATUS_OK},
        {{}, 1'024, STATUS_OK},
        {{.concurrency = 1}, 1, STATUS_OK},
        {{.concurrency = 3}, 4, STATUS_INVALID_ARGUMENT},
        {{.concurrency = 4}, 4, STATUS_OK},
        {{.concurrency = QUEUE_CONCURRENCY_MAX}, 4, STATUS_OK},
        {{.concurrency = QUEUE_CONCURRENCY_MAX + 1}, 4, STATUS_INVALID_ARGUMENT},
        {{.rate_count = 1, .rate_period_us = SECOND}, 1, STATUS_OK},
        {{.rate_count = 1, .rate_period_us = SECOND}, 2, STATUS_INVALID_ARGUMENT},
        {{.rate_count = 1, .rate_period_us = SECOND - 1}, 1, STATUS_INVALID_ARGUMENT},
        {{.rate_count = 1, .rate_period_us = 86'400 * SECOND}, 1, STATUS_OK},
        {{.rate_count = 1, .rate_period_us = 86'400 * SECOND + 1}, 1, STATUS_INVALID_ARGUMENT},
        {{.rate_count = QUEUE_RATE_COUNT_MAX, .rate_period_us = SECOND}, 1, STATUS_OK},
        {{.rate_count = QUEUE_RATE_COUNT_MAX + 1, .rate_period_us = SECOND},
         1,
         STATUS_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(queue_limits_check(&cases[i].limits, cases[i].partitions, NULL),
                         cases[i].expected);
    }
}

static void test_shares_add_up(void **)
{
    for (uint16_t count = 1; count <= 7; count++) {
        const struct queue_limits whole = {
            .concurrency = 10, .rate_count = 23, .rate_period_us = SECOND};
        uint32_t concurrency = 0;
        uint32_t rate        = 0;
        for (uint16_t i = 0; i < count; i++) {
            struct queue_limits share = queue_limits_share(&whole, i, count);
            assert_true(share.concurrency > 0 && share.rate_count > 0);
            assert_int_equal(share.rate_period_us, SECOND);
            concurrency += share.concurrency;
            rate += share.rate_count;
        }
        assert_int_equal(concurrency, 10);
        assert_int_equal(rate, 23);
    }
    const struct queue_limits none = {};
    assert_int_equal(queue_limits_share(&none, 0, 4).concurrency, 0);
    assert_int_equal(queue_limits_share(&none, 0, 4).rate_count, 0);
}

/* How many starts a bucket allows until `until_us`, if everything starts as soon as it may. */
static unsigned starts(struct start_rate *rate, int64_t now_us, int64_t until_us)
{
    unsigned count = 0;
    while (now_us <= until_us) {
        int64_t opens_us = start_rate_opens_us(rate);
        if (opens_us > now_us) now_us = opens_us;
        if (now_us > until_us) break;
        start_rate_take(rate, 1, now_us);
        count++;
    }
    return count;
}

static void test_the_bucket(void **)
{
    static const uint32_t counts[] = {1, 2, 3, 7, 60, 999, 1'000'000};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        const struct queue_limits limits = {.rate_count = counts[i], .rate_period_us = 60 * SECOND};
        struct start_rate rate           = {};
        assert_int_equal(start_rate_opens_us(&rate), 0);
        start_rate_set(&rate, &limits, NOW);
        assert_int_equal(starts(&rate, NOW, NOW), counts[i]); /* full */
        assert_true(start_rate_opens_us(&rate) > NOW);
        unsigned more = starts(&rate, NOW, NOW + 60 * SECOND);
        assert_in_range(more, counts[i] - counts[i] / 60 - 1, counts[i]); /* never faster */
    }
}

static void test_another_limit_keeps_what_was_taken(void **)
{
    const struct queue_limits slow = {.rate_count = 1, .rate_period_us = 3'600 * SECOND};
    const struct queue_limits fast = {.rate_count = 10, .rate_period_us = 10 * SECOND};
    struct start_rate rate         = {};
    start_rate_set(&rate, &slow, NOW);
    start_rate_take(&rate, 1, NOW);
    assert_int_equal(start_rate_opens_us(&rate), NOW + 3'600 * SECOND);
    start_rate_set(&rate, &fast, NOW);
    assert_int_equal(start_rate_opens_us(&rate), NOW + SECOND); /* empty, but fast */
    const struct queue_limits none = {};
    start_rate_set(&rate, &none, NOW);
    assert_int_equal(start_rate_opens_us(&rate), 0);
}

/* Whoever changes it all the time, as two versions of a workflow do with a key of theirs, starts no
 * more than the larger limit allows. */
static void test_changes_fill_nothing(void **)
{
    static const struct {
        struct queue_limits one, other;
        unsigned most; /* in a minute: what the larger bucket holds, and what comes into it */
    } cases[] = {
        {{.rate_count = 10, .rate_period_us = 60 * SECOND},
         {.rate_count = 10, .rate_period_us = 600 * SECOND},
         20},
        {{.rate_count = 10, .rate_period_us = 60 * SECOND},
         {.rate_count = 20, .rate_period_us = 60 * SECOND},
         40},
        {{.rate_count = 1'000, .rate_period_us = 60 * SECOND},
         {.rate_count = 1, .rate_period_us = 3'600 * SECOND},
         2'000},
        {{.rate_count = 7, .rate_period_us = 60 * SECOND},
         {.rate_count = 7, .rate_period_us = 60 * SECOND},
         14},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct start_rate rate = {};
        unsigned count         = 0;
        for (int64_t at_us = 0; at_us < 60 * SECOND; at_us += SECOND / 10) {
            bool is_other = at_us / (SECOND / 10) % 2 > 0;
            start_rate_set(&rate, is_other ? &cases[i].other : &cases[i].one, NOW + at_us);
            while (start_rate_opens_us(&rate) <= NOW + at_us) {
                start_rate_take(&rate, 1, NOW + at_us);
                count++;
            }
        }
        assert_in_range(count, cases[i].one.rate_count, cases[i].most);
    }
}

/* A limit that is set as it was changes nothing; one that is set when a store is read neither. */
static void test_the_same_limit_changes_nothing(void **)
{
    const struct queue_limits limits = {.rate_count = 7, .rate_period_us = 60 * SECOND};
    struct start_rate rate           = {.full_us = NOW + 30 * SECOND};
    start_rate_set(&rate, &limits, NOW);
    assert_int_equal(rate.full_us, NOW + 30 * SECOND);
    start_rate_set(&rate, &limits, NOW + SECOND);
    assert_int_equal(rate.full_us, NOW + 30 * SECOND);
    assert_int_equal(start_rate_tokens(&rate, NOW), 3);
}

/* A small bucket of tokens, and a model that was not asked for few. */
static void test_debts_stay_in_what_a_time_can_say(void **)
{
    const struct queue_limits limits = {.rate_count     = 1,
                                        .rate_period_us = QUEUE_RATE_PERIOD_MAX_US};
    struct start_rate rate           = {};
    start_rate_set(&rate, &limits, NOW);
    for (int i = 0; i < 100; i++) start_rate_take(&rate, 1'000'000'000, NOW);
    assert_true(rate.full_us == NOW + START_RATE_OWED_US_MAX);
    assert_int_equal(start_rate_tokens(&rate, NOW), 0);
    assert_true(start_rate_due_us(&rate, 1) == rate.full_us);
    start_rate_return(&rate, 1, NOW);
    assert_true(rate.full_us == NOW + START_RATE_OWED_US_MAX - QUEUE_RATE_PERIOD_MAX_US);
    for (int i = 0; i < 100; i++) start_rate_return(&rate, 1'000'000'000, NOW);
    assert_true(rate.full_us == NOW);
    assert_int_equal(start_rate_tokens(&rate, NOW), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_shares_add_up),
        cmocka_unit_test(test_the_bucket),
        cmocka_unit_test(test_another_limit_keeps_what_was_taken),
        cmocka_unit_test(test_changes_fill_nothing),
        cmocka_unit_test(test_the_same_limit_changes_nothing),
        cmocka_unit_test(test_debts_stay_in_what_a_time_can_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
