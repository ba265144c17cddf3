/* When the next request of a connection may leave. The clock is the test's. */
#include "tool-adapter/connections/turnstile.h"

#include "cmocka.h"

struct day {
    int64_t now_ms;
    struct loop *loop;
    struct turnstile turnstile;
};

static int64_t clock_of(void *context)
{
    return *(int64_t *)context;
}

static void day_begin(struct day *day, const struct turnstile_rules *rules)
{
    *day                              = (struct day){.now_ms = 1'000, .turnstile.rules = *rules};
    const struct loop_options options = {.clock = clock_of, .clock_context = &day->now_ms};
    assert_int_equal(loop_new(&options, &day->loop, NULL), STATUS_OK);
    loop_turn(day->loop, 0);
}

static void day_end(struct day *day)
{
    loop_timer_clear(day->loop, &day->turnstile.timer);
    loop_freep(&day->loop);
}

static void pass_by(struct day *day, int64_t ms)
{
    day->now_ms += ms;
    loop_turn(day->loop, 0);
    loop_turn(day->loop, 0); /* what was set in a turn fires in the next */
}

struct guest {
    struct turnstile_pass pass;
    int entered;
};

static void on_enter(void *context)
{
    ((struct guest *)context)->entered++;
}

static bool ask(struct day *day, struct guest *guest, bool is_write)
{
    *guest = (struct guest){.pass = {.is_write = is_write, .enter = on_enter, .context = guest}};
    return turnstile_ask(&day->turnstile, day->loop, &guest->pass);
}

static void leave(struct day *day, struct guest *guest)
{
    turnstile_leave(&day->turnstile, &guest->pass);
}

static void test_without_limits_everybody_goes(void **)
{
    struct day day;
    struct guest guests[3];
    day_begin(&day, &(struct turnstile_rules){});
    for (size_t i = 0; i < 3; i++) assert_true(ask(&day, &guests[i], i == 1));
    for (size_t i = 0; i < 3; i++) leave(&day, &guests[i]);
    leave(&day, &guests[0]); /* outside: nothing happens */
    assert_int_equal(day.turnstile.inside, 0);
    day_end(&day);
}

static void test_so_many_at_once(void **)
{
    struct day day;
    struct guest guests[5];
    day_begin(&day, &(struct turnstile_rules){.concurrency = 2});
    for (size_t i = 0; i < 5; i++) assert_int_equal(ask(&day, &guests[i], false), i < 2);
    leave(&day, &guests[3]); /* gives up waiting */
    leave(&day, &guests[0]);
    assert_int_equal(guests[2].entered, 0); /* not from inside another one's end */
    pass_by(&day, 1);
    assert_int_equal(guests[2].entered, 1);
    assert_int_equal(guests[4].entered, 0);
    leave(&day, &guests[1]);
    pass_by(&day, 1);
    assert_int_equal(guests[4].entered, 1);
    assert_int_equal(guests[3].entered, 0);
    leave(&day, &guests[2]);
    leave(&day, &guests[4]);
    assert_true(ask(&day, &guests[0], false));
    leave(&day, &guests[0]);
    day_end(&day);
}

static void test_so_far_apart(void **)
{
    struct day day;
    struct guest guests[4];
    day_begin(&day, &(struct turnstile_rules){.gap_write_ms = 100});
    assert_true(ask(&day, &guests[0], true));
    leave(&day, &guests[0]);
    assert_true(ask(&day, &guests[3], false)); /* reads have no gap */
    assert_false(ask(&day, &guests[1], true));
    assert_false(ask(&day, &guests[2], true));
    assert_true(turnstile_wait_ms(&day.turnstile, true) >= 300);
    pass_by(&day, 99);
    assert_int_equal(guests[1].entered, 0);
    pass_by(&day, 1);
    assert_int_equal(guests[1].entered, 1);
    assert_int_equal(guests[2].entered, 0);
    pass_by(&day, 100);
    assert_int_equal(guests[2].entered, 1);
    for (size_t i = 1; i < 4; i++) leave(&day, &guests[i]);
    day_end(&day);
}

static void test_so_many_per_time(void **)
{
    struct day day;
    struct guest guests[5];
    day_begin(&day, &(struct turnstile_rules){.rate_count = 10, .rate_per_ms = 1'000, .burst = 2});
    for (size_t i = 0; i < 4; i++) assert_int_equal(ask(&day, &guests[i], false), i < 2);
    pass_by(&day, 100);
    assert_int_equal(guests[2].entered, 1);
    assert_int_equal(guests[3].entered, 0);
    pass_by(&day, 100);
    assert_int_equal(guests[3].entered, 1);
    pass_by(&day, 60'000); /* no more than the burst is saved up */
    assert_true(day.turnstile.tokens <= 2.0);
    for (size_t i = 0; i < 4; i++) leave(&day, &guests[i]);
    for (size_t i = 0; i < 3; i++) assert_int_equal(ask(&day, &guests[i], false), i < 2);
    for (size_t i = 0; i < 3; i++) leave(&day, &guests[i]);
    day_end(&day);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_limits_everybody_goes),
        cmocka_unit_test(test_so_many_at_once),
        cmocka_unit_test(test_so_far_apart),
        cmocka_unit_test(test_so_many_per_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
