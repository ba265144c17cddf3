/* A breaker as a table of scripts: what happens when, and what state that leaves. */
#include "cmocka.h"

#include "base/attr.h"
#include "base/random.h"
#include "fleet/breaker.h"

#include <string.h>

enum { S = 1'000'000, START = 1'000 * S, STEPS_MAX = 24 };

enum input {
    END,
    FAIL,
    TAKE_PROBE,
    NO_PROBE,
    PROBE_OK,
    PROBE_BAD,
    PROBE_BACK,
    HOLD,
    OPEN,
    RESET,
    TICK
};

struct step {
    enum input input;
    int64_t at_s; /* after START */
    enum breaker_state state;
    bool passes;
    int64_t due_s; /* after START; 0: nothing is due */
    int64_t value; /* FAIL: how many (0: one); HOLD: until, in seconds after START */
};

struct row {
    const char *name;
    struct breaker_settings settings; /* empty: the defaults */
    struct step steps[STEPS_MAX];
};

#define CLOSED    BREAKER_CLOSED
#define OPENED    BREAKER_OPEN
#define HALF_OPEN BREAKER_HALF_OPEN

static const struct row rows[] = {
    {"opens at the fifth failure",
     {},
     {{FAIL, 0, CLOSED, true, 0, 0},
      {FAIL, 1, CLOSED, true, 0, 0},
      {FAIL, 2, CLOSED, true, 0, 0},
      {FAIL, 3, CLOSED, true, 0, 0},
      {FAIL, 4, OPENED, false, 64, 0}}},
    {"opens by one report of five",
     {},
     {{FAIL, 0, CLOSED, true, 0, 4},
      {TICK, 1, CLOSED, true, 0, 0},
      {FAIL, 2, OPENED, false, 62, 9}}},
    {"a failure at the window's end is out of it",
     {},
     {{FAIL, 0, CLOSED, true, 0, 4},
      {FAIL, 60, CLOSED, true, 0, 4},
      {FAIL, 61, OPENED, false, 121, 0}}},
    {"a failure just inside the window counts",
     {},
     {{FAIL, 0, CLOSED, true, 0, 4}, {FAIL, 59, OPENED, false, 119, 0}}},
    {"half-open after its time, closed after two probes",
     {},
     {{FAIL, 0, OPENED, false, 60, 5},
      {NO_PROBE, 59, OPENED, false, 60, 0},
      {TICK, 59, OPENED, false, 60, 0},
      {TICK, 60, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 61, HALF_OPEN, false, 241, 0},
      {NO_PROBE, 62, HALF_OPEN, false, 241, 0},
      {PROBE_OK, 63, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 64, HALF_OPEN, false, 244, 0},
      {PROBE_OK, 65, CLOSED, true, 0, 0}}},
    {"a failed probe opens it again",
     {},
     {{FAIL, 0, OPENED, false, 60, 5},
      {TICK, 60, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 60, HALF_OPEN, false, 240, 0},
      {PROBE_OK, 61, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 61, HALF_OPEN, false, 241, 0},
      {PROBE_BAD, 62, OPENED, false, 122, 0},
      {TICK, 122, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 122, HALF_OPEN, false, 302, 0},
      {PROBE_OK, 123, HALF_OPEN, false, 0, 0}}}, /* the success of the first time is forgotten */
    {"a returned probe says nothing",
     {},
     {{FAIL, 0, OPENED, false, 60, 5},
      {TICK, 60, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 60, HALF_OPEN, false, 240, 0},
      {PROBE_BACK, 61, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 62, HALF_OPEN, false, 242, 0}}},
    {"a silent probe is given up, and its late end is none",
     {},
     {{FAIL, 0, OPENED, false, 60, 5},
      {TICK, 60, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 60, HALF_OPEN, false, 240, 0},
      {TICK, 240, HALF_OPEN, false, 0, 0},
      {PROBE_BAD, 241, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 242, HALF_OPEN, false, 422, 0}}},
    {"late failures are no news while it is open or half-open",
     {},
     {{FAIL, 0, OPENED, false, 60, 5},
      {FAIL, 30, OPENED, false, 60, 5},
      {TICK, 60, HALF_OPEN, false, 0, 0},
      {FAIL, 61, HALF_OPEN, false, 0, 5}}},
    {"opened by hand, it stays so until it is reset",
     {},
     {{OPEN, 0, OPENED, false, 0, 0},
      {TICK, 9'999, OPENED, false, 0, 0},
      {FAIL, 10'000, OPENED, false, 0, 5},
      {RESET, 10'001, CLOSED, true, 0, 0},
      {FAIL, 10'002, CLOSED, true, 0, 4}}},
    {"open by itself, then by hand",
     {},
     {{FAIL, 0, OPENED, false, 60, 5},
      {OPEN, 1, OPENED, false, 0, 0},
      {TICK, 100, OPENED, false, 0, 0}}},
    {"a reset forgets failures",
     {},
     {{FAIL, 0, CLOSED, true, 0, 4},
      {RESET, 1, CLOSED, true, 0, 0},
      {FAIL, 2, CLOSED, true, 0, 4}}},
    {"a target that rests is left alone, and its breaker closed",
     {},
     {{HOLD, 0, CLOSED, false, 30, 30},
      {HOLD, 1, CLOSED, false, 30, 20}, /* the later time stays */
      {TICK, 29, CLOSED, false, 30, 0},
      {TICK, 30, CLOSED, true, 0, 0}}},
    {"a rest is a day at most",
     {},
     {{HOLD, 0, CLOSED, false, 86'400, 999'999}, {RESET, 1, CLOSED, true, 0, 0}}},
    {"no probe while the target rests",
     {},
     {{FAIL, 0, OPENED, false, 60, 5},
      {HOLD, 1, OPENED, false, 60, 90},
      {TICK, 60, HALF_OPEN, false, 90, 0},
      {NO_PROBE, 61, HALF_OPEN, false, 90, 0},
      {TICK, 90, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 90, HALF_OPEN, false, 270, 0}}},
    {"own settings",
     {.failures = 1, .window_us = S, .open_us = 2 * S, .successes = 1},
     {{FAIL, 0, OPENED, false, 2, 0},
      {TICK, 2, HALF_OPEN, false, 0, 0},
      {TAKE_PROBE, 2, HALF_OPEN, false, 182, 0},
      {PROBE_OK, 3, CLOSED, true, 0, 0}}},
    {"as many failures as may be counted",
     {.failures = BREAKER_FAILURES_MAX, .window_us = S, .open_us = S, .successes = 1},
     {{FAIL, 0, CLOSED, true, 0, BREAKER_FAILURES_MAX - 1}, {FAIL, 0, OPENED, false, 1, 0}}},
};

static void play(struct breaker *breaker, const struct breaker_settings *settings,
                 const struct step *step)
{
    int64_t now_us = START + step->at_s * S;
    switch (step->input) {
    case END: break;
    case FAIL:
        (void)breaker_fail(breaker, settings, step->value ? (uint32_t)step->value : 1, now_us);
        break;
    case TAKE_PROBE: assert_true(breaker_take_probe(breaker, now_us)); break;
    case NO_PROBE: assert_false(breaker_take_probe(breaker, now_us)); break;
    case PROBE_OK: (void)breaker_end_probe(breaker, settings, PROBE_SUCCEEDED, now_us); break;
    case PROBE_BAD: (void)breaker_end_probe(breaker, settings, PROBE_FAILED, now_us); break;
    case PROBE_BACK: (void)breaker_end_probe(breaker, settings, PROBE_RETURNED, now_us); break;
    case HOLD: (void)breaker_hold(breaker, START + step->value * S, now_us); break;
    case OPEN: (void)breaker_open(breaker, now_us); break;
    case RESET: (void)breaker_reset(breaker, now_us); break;
    case TICK: (void)breaker_advance(breaker, now_us); break;
    }
}

static void test_row(void **state)
{
    const struct row *row                   = *state;
    const struct breaker_settings *settings = &row->settings;
    struct breaker breaker                  = {};
    if (settings->failures == 0) settings = &breaker_settings_default;
    for (size_t i = 0; i < STEPS_MAX && row->steps[i].input != END; i++) {
        const struct step *step = &row->steps[i];
        int64_t due_us          = step->due_s ? START + step->due_s * S : INT64_MAX;
        play(&breaker, settings, step);
        if (breaker.state != step->state) {
            fail_msg("step %zu: %s", i, breaker_state_name(breaker.state));
        }
        assert_int_equal(breaker_lets_pass(&breaker, START + step->at_s * S), step->passes);
        assert_int_equal(breaker_due_us(&breaker), due_us);
    }
}

/* What the others hear of: a change is said exactly when the state, or who may call, is another. */
static void test_changes_are_told(void **)
{
    const struct breaker_settings *settings = &breaker_settings_default;
    struct breaker breaker                  = {};
    struct prng random                      = {.state = 7};
    int64_t now_us                          = START;
    for (int i = 0; i < 200'000; i++) {
        enum breaker_state before = breaker.state;
        bool is_told              = false;
        now_us += (int64_t)(prng_next(&random) % (10 * S));
        switch (prng_next(&random) % 7) {
        case 0:
        case 1: is_told = breaker_fail(&breaker, settings, 2, now_us); break;
        case 2: (void)breaker_take_probe(&breaker, now_us); break;
        case 3:
        case 4:
            is_told = breaker_end_probe(&breaker, settings,
                                        (enum probe_end)(prng_next(&random) % 3), now_us);
            break;
        case 5: is_told = breaker_advance(&breaker, now_us); break;
        case 6: is_told = prng_next(&random) % 50 == 0 && breaker_reset(&breaker, now_us); break;
        }
        if (breaker.state != before) assert_true(is_told);
        assert_true(breaker.failure_count < settings->failures);
        assert_true(breaker.state == BREAKER_HALF_OPEN || breaker.probe_until_us == 0);
        assert_int_equal(breaker.state == BREAKER_OPEN, breaker.half_open_us > 0);
    }
}

static void test_names(void **)
{
    assert_string_equal(breaker_state_name(BREAKER_CLOSED), "closed");
    assert_string_equal(breaker_state_name(BREAKER_OPEN), "open");
    assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half_open");
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 2];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] =
            (struct CMUnitTest){rows[i].name, test_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    }
    tests[ARRAY_LEN(rows)]     = (struct CMUnitTest)cmocka_unit_test(test_changes_are_told);
    tests[ARRAY_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(test_names);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
