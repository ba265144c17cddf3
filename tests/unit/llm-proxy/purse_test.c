/* More of a budget, drawn in the middle of an event: the answer never comes inside of it. */
#include "llm-proxy/guard/purse.h"

#include "cmocka.h"

struct fixture {
    struct loop *loop;
    struct guard *guard;
    struct purse purse;
    unsigned granted, refused;
};

static const Pb__Usage nothing = PB__USAGE__INIT;

static void on_drawn(bool is_granted, void *context)
{
    struct fixture *it = context;
    it->granted += is_granted;
    it->refused += !is_granted;
}

static void begin(struct fixture *it)
{
    static const struct catalog catalog = {};
    *it                                 = (struct fixture){};
    assert_int_equal(loop_new(NULL, &it->loop, NULL), STATUS_OK);
    it->guard = guard_new(it->loop, &catalog); /* nobody to ask: all is granted at once */
    it->purse = (struct purse){.guard = it->guard, .drawn = on_drawn, .context = it};
    pb__reserve_budgets__init(&it->purse.asked);
}

static void end(struct fixture *it)
{
    guard_stop(it->guard);
    guard_freep(&it->guard);
    loop_freep(&it->loop);
}

static void test_it_is_said_on_the_next_turn(void **)
{
    struct fixture it;
    begin(&it);
    assert_true(purse_draw(&it.purse, 1));
    assert_int_equal(it.granted + it.refused, 0);
    assert_false(purse_draw(&it.purse, 1)); /* it is drawing */
    while (it.granted + it.refused == 0) loop_turn(it.loop, 100);
    assert_int_equal(it.granted, 1);
    assert_true(purse_draw(&it.purse, 1));
    purse_settle(&it.purse, NULL, &nothing);
    end(&it);
}

static void test_a_call_that_is_over_is_not_told(void **)
{
    struct fixture it;
    begin(&it);
    assert_true(purse_draw(&it.purse, 1));
    purse_settle(&it.purse, NULL, &nothing);
    loop_turn(it.loop, 0);
    loop_turn(it.loop, 0);
    assert_int_equal(it.granted + it.refused, 0);
    end(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_said_on_the_next_turn),
        cmocka_unit_test(test_a_call_that_is_over_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
