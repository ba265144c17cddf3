/* Calls that are over: for a while, and so many of them. */
#include "scheduler/engine/budgets/over_calls.h"

#include "base/id.h"
#include "cmocka.h"

static struct id call_id(unsigned number)
{
    struct id_source source = {.last_ms = 1};
    return id_next(&source, 1'000 + number, number);
}

static void add(struct over_calls *calls, unsigned number, int64_t now_us)
{
    const struct id call = call_id(number);
    over_calls_add(calls, str_from(call.text), now_us);
}

static bool have(struct over_calls *calls, unsigned number, int64_t now_us)
{
    const struct id call = call_id(number);
    return over_calls_have(calls, str_from(call.text), now_us);
}

static void they_are_forgotten_after_a_while(void **)
{
    struct over_calls *calls = over_calls_new();
    add(calls, 1, 100);
    add(calls, 2, 200);
    add(calls, 1, 300); /* again: it was over before */
    assert_true(have(calls, 1, 99 + OVER_CALLS_US));
    assert_false(have(calls, 1, 100 + OVER_CALLS_US));
    assert_true(have(calls, 2, 100 + OVER_CALLS_US));
    assert_false(have(calls, 2, 200 + OVER_CALLS_US));
    assert_int_equal(over_calls_count(calls), 0);
    add(calls, 1, 200 + OVER_CALLS_US);
    assert_true(have(calls, 1, 200 + OVER_CALLS_US));
    over_calls_free(calls);
}

static void the_oldest_goes_when_there_are_too_many(void **)
{
    struct over_calls *calls = over_calls_new();
    for (unsigned i = 0; i <= OVER_CALLS_MAX; i++) add(calls, i, 100);
    assert_int_equal(over_calls_count(calls), OVER_CALLS_MAX);
    assert_false(have(calls, 0, 100));
    assert_true(have(calls, 1, 100));
    assert_true(have(calls, OVER_CALLS_MAX, 100));
    over_calls_free(calls);
}

static void what_is_no_id_is_none(void **)
{
    struct over_calls *calls = over_calls_new();
    over_calls_add(calls, str_from("call"), 100);
    over_calls_add(calls, (str){}, 100);
    assert_int_equal(over_calls_count(calls), 0);
    assert_false(over_calls_have(calls, str_from("call"), 100));
    over_calls_free(calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_forgotten_after_a_while),
        cmocka_unit_test(the_oldest_goes_when_there_are_too_many),
        cmocka_unit_test(what_is_no_id_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
