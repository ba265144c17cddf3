/* Limits of API keys, over crashes and a day of the clock; and when keys were last used. */
#include "show.h"

#include "auth/key_limits.h"
#include "key.pb-c.h"
#include "limit.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "system.pb-c.h"
#include "usage.pb-c.h"

#include <stdio.h>

#define KEY "aB3dE6gH9jK2"

static int setup(void **state)
{
    *state = show_new(1);
    return 0;
}

static void restart(struct show *show)
{
    stage_crash(show->stage);
    assert_int_equal(stage_restart(show->stage, NULL), STATUS_OK);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
}

static void sleep_for(struct show *show, int64_t us)
{
    stage_pass(show->stage, us);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
}

/* --- what is asked -----------------------------------------------------------------------------
 */

struct wish {
    enum key_limit limit;
    uint32_t most, count;
};

static const Pb__PassedLimits *ask_for(struct show *show, const char *holder,
                                       const struct wish *wishes, size_t count)
{
    struct stage_call *call    = call_new(show, COMMAND_PASS_LIMITS, 0);
    Pb__PassLimits *request    = stage_call_alloc(call, sizeof *request);
    Pb__PassedLimits *response = stage_call_alloc(call, sizeof *response);
    Pb__LimitPass *items       = stage_call_alloc(call, count * sizeof *items);
    Pb__LimitRule *rules       = stage_call_alloc(call, count * sizeof *rules);
    *request                   = (Pb__PassLimits)PB__PASS_LIMITS__INIT;
    *response                  = (Pb__PassedLimits)PB__PASSED_LIMITS__INIT;
    request->holder            = holder;
    request->limits            = stage_call_alloc(call, count * sizeof *request->limits);
    request->n_limits          = count;
    for (size_t i = 0; i < count; i++) {
        char *name  = stage_call_alloc(call, KEY_LIMIT_NAME_SIZE);
        rules[i]    = (Pb__LimitRule)PB__LIMIT_RULE__INIT;
        items[i]    = (Pb__LimitPass)PB__LIMIT_PASS__INIT;
        bool is_key = key_limit_name(wishes[i].limit, KEY, name);
        assert_true(is_key);
        if (wishes[i].limit == KEY_PARALLEL) {
            rules[i].concurrency = wishes[i].most;
        } else {
            rules[i].rate_count     = key_limit_bucket(wishes[i].limit, wishes[i].most);
            rules[i].rate_period_us = KEY_LIMIT_PERIOD_US;
        }
        items[i].name      = name;
        items[i].rule      = &rules[i];
        items[i].count     = wishes[i].count;
        request->limits[i] = &items[i];
    }
    assert_int_equal(ask(show, 0, call, request, response), STATUS_OK);
    assert_int_equal(response->n_standings, count);
    return response;
}

static const Pb__PassedLimits *ask_one(struct show *show, enum key_limit limit, uint32_t most,
                                       uint32_t count, const char *holder)
{
    const struct wish wish = {limit, most, count};
    return ask_for(show, holder, &wish, 1);
}

static bool passes(struct show *show, enum key_limit limit, uint32_t most)
{
    return ask_one(show, limit, most, 1, "h")->granted;
}

static void say(struct show *show, const char *holder, bool is_over)
{
    struct stage_call *call  = call_new(show, COMMAND_HOLD_LIMITS, 0);
    Pb__HoldLimits *request  = stage_call_alloc(call, sizeof *request);
    Pb__HeldLimits *response = stage_call_alloc(call, sizeof *response);
    Pb__LimitHold *hold      = stage_call_alloc(call, sizeof *hold);
    *request                 = (Pb__HoldLimits)PB__HOLD_LIMITS__INIT;
    *response                = (Pb__HeldLimits)PB__HELD_LIMITS__INIT;
    *hold                    = (Pb__LimitHold)PB__LIMIT_HOLD__INIT;
    hold->name               = "apikey:" KEY ":parallel";
    hold->holder             = holder;
    hold->is_over            = is_over;
    request->holds           = stage_call_alloc(call, sizeof *request->holds);
    request->holds[0]        = hold;
    request->n_holds         = 1;
    assert_int_equal(ask(show, 0, call, request, response), STATUS_OK);
}

/* --- rates -------------------------------------------------------------------------------------
 */

static void so_many_requests_pass(void **state)
{
    struct show *show = *state;
    for (int i = 0; i < 6; i++) assert_true(passes(show, KEY_REQUESTS, 6));
    const Pb__PassedLimits *refused = ask_one(show, KEY_REQUESTS, 6, 1, "h");
    assert_false(refused->granted);
    assert_string_equal(refused->refused, "apikey:" KEY ":requests");
    assert_int_equal(refused->retry_us, stage_now_us(show->stage) + 10 * SECOND);
    assert_int_equal(refused->standings[0]->left, 0);
    assert_int_equal(refused->standings[0]->full_us, stage_now_us(show->stage) + MINUTE);
    restart(show);
    assert_false(passes(show, KEY_REQUESTS, 6));
    sleep_for(show, 10 * SECOND - 1);
    assert_false(passes(show, KEY_REQUESTS, 6));
    sleep_for(show, 1);
    assert_true(passes(show, KEY_REQUESTS, 6));
    assert_false(passes(show, KEY_REQUESTS, 6));
}

static void all_pass_or_none(void **state)
{
    struct show *show         = *state;
    const struct wish both[]  = {{KEY_REQUESTS, 10, 1}, {KEY_STARTS, 1, 1}, {KEY_PARALLEL, 5, 1}};
    const Pb__PassedLimits *a = ask_for(show, "a", both, ARRAY_LEN(both));
    assert_true(a->granted);
    assert_int_equal(a->standings[0]->left, 9);
    assert_int_equal(a->standings[2]->left, 4);
    const Pb__PassedLimits *b = ask_for(show, "b", both, ARRAY_LEN(both));
    assert_false(b->granted);
    assert_string_equal(b->refused, "apikey:" KEY ":starts");
    assert_int_equal(b->standings[0]->left, 9);
    assert_int_equal(b->standings[2]->left, 4);
}

/* Else a batch of five could never be started with two a minute. */
static void more_than_there_can_be_passes_when_all_is_there(void **state)
{
    struct show *show = *state;
    assert_true(ask_one(show, KEY_STARTS, 2, 5, "h")->granted);
    const Pb__PassedLimits *refused = ask_one(show, KEY_STARTS, 2, 1, "h");
    assert_int_equal(refused->retry_us, stage_now_us(show->stage) + 120 * SECOND);
    restart(show); /* which forgives nothing */
    sleep_for(show, 120 * SECOND - 1);
    assert_false(passes(show, KEY_STARTS, 2));
    sleep_for(show, 1);
    assert_true(passes(show, KEY_STARTS, 2));
}

static void a_day_lets_no_more_pass(void **state)
{
    enum { A_MINUTE = 3, MINUTES = 24 * 60 };
    struct show *show = *state;
    uint32_t count    = 0;
    for (int i = 0; i < MINUTES; i++) {
        while (passes(show, KEY_REQUESTS, A_MINUTE)) count++;
        if (i % 97 == 5) restart(show);
        sleep_for(show, MINUTE);
    }
    assert_int_equal(count, A_MINUTE * MINUTES);
    const struct job_queues *queues = stage_engine(show->stage, 0)->queues;
    sleep_for(show, 2 * MINUTE);
    assert_int_equal(limits_count(job_queues_limits(queues)), 0); /* nothing is left of it */
}

/* --- at a time ---------------------------------------------------------------------------------
 */

static bool begins(struct show *show, const char *holder)
{
    return ask_one(show, KEY_PARALLEL, 2, 1, holder)->granted;
}

static void so_many_are_under_way(void **state)
{
    struct show *show = *state;
    assert_true(begins(show, "a"));
    assert_true(begins(show, "b"));
    const Pb__PassedLimits *refused = ask_one(show, KEY_PARALLEL, 2, 1, "c");
    assert_false(refused->granted);
    assert_int_equal(refused->retry_us, 0);
    say(show, "c", true); /* it has none */
    assert_false(begins(show, "c"));
    say(show, "a", true);
    assert_true(begins(show, "c"));
    say(show, "a", true); /* said again */
    assert_false(begins(show, "d"));
}

static void who_is_silent_holds_nothing(void **state)
{
    struct show *show = *state;
    assert_true(begins(show, "a"));
    assert_true(begins(show, "b"));
    for (int i = 0; i < 5; i++) {
        sleep_for(show, 20 * SECOND);
        say(show, "a", false);
        restart(show); /* b could not say anything */
        assert_false(begins(show, "c"));
        say(show, "b", false);
    }
    sleep_for(show, 20 * SECOND);
    say(show, "a", false);
    sleep_for(show, 12 * SECOND);
    assert_true(begins(show, "c"));
    assert_false(begins(show, "d"));
}

/* --- tokens, and uses --------------------------------------------------------------------------
 */

static void put_key(struct show *show, uint32_t tokens_per_minute)
{
    static const uint8_t digest[SHA256_SIZE] = {1};
    struct stage_call *call                  = call_new(show, COMMAND_PUT_KEY, 0);
    Pb__ApiKey *key                          = stage_call_alloc(call, sizeof *key);
    Pb__ApiKey *response                     = stage_call_alloc(call, sizeof *response);
    Pb__KeyLimits *limits                    = stage_call_alloc(call, sizeof *limits);
    *key                                     = (Pb__ApiKey)PB__API_KEY__INIT;
    *response                                = (Pb__ApiKey)PB__API_KEY__INIT;
    *limits                                  = (Pb__KeyLimits)PB__KEY_LIMITS__INIT;
    limits->tokens_per_minute                = tokens_per_minute;
    key->id                                  = KEY;
    key->limits                              = limits;
    key->secret_sha256 =
        (ProtobufCBinaryData){.len = SHA256_SIZE, .data = (uint8_t *)(uintptr_t)digest};
    assert_int_equal(ask(show, 0, call, key, response), STATUS_OK);
}

static void report(struct show *show, uint64_t number, const char *key, int64_t tokens)
{
    struct stage_call *call     = call_new(show, COMMAND_REPORT_USAGE, 0);
    Pb__UsageReport *request    = stage_call_alloc(call, sizeof *request);
    Pb__UsageReported *response = stage_call_alloc(call, sizeof *response);
    Pb__UsageRecord *row        = stage_call_alloc(call, sizeof *row);
    Pb__UsageCounters *counters = stage_call_alloc(call, sizeof *counters);
    *request                    = (Pb__UsageReport)PB__USAGE_REPORT__INIT;
    *response                   = (Pb__UsageReported)PB__USAGE_REPORTED__INIT;
    *row                        = (Pb__UsageRecord)PB__USAGE_RECORD__INIT;
    *counters                   = (Pb__UsageCounters)PB__USAGE_COUNTERS__INIT;
    counters->calls             = 1;
    counters->input_tokens      = tokens - tokens / 4;
    counters->output_tokens     = tokens / 4;
    row->namespace_             = "default";
    row->key                    = key;
    row->counters               = counters;
    request->source             = "0123456789abcdef0123456789abcdef";
    request->number             = number;
    request->rows               = stage_call_alloc(call, sizeof *request->rows);
    request->rows[0]            = row;
    request->n_rows             = 1;
    assert_int_equal(ask(show, 0, call, request, response), STATUS_OK);
}

/* Each question takes one. */
static void what_was_used_is_taken_off(void **state)
{
    struct show *show = *state;
    put_key(show, 1'200);
    assert_true(passes(show, KEY_TOKENS, 1'200));
    report(show, 1, KEY, 500);
    assert_true(passes(show, KEY_TOKENS, 1'200));
    report(show, 2, KEY, 500);
    report(show, 2, KEY, 500); /* said again */
    const Pb__PassedLimits *third = ask_one(show, KEY_TOKENS, 1'200, 1, "h");
    assert_true(third->granted);
    assert_int_equal(third->standings[0]->left, 1'200 - 1'000 - 3);
    report(show, 3, KEY, 500);
    report(show, 4, "zzzzzzzzzzzz", 5'000); /* nobody's */
    report(show, 5, "-", 5'000);
    int64_t owed_us                 = (303 + 1) * 50 * INT64_C(1'000); /* a token each 50 ms */
    const Pb__PassedLimits *refused = ask_one(show, KEY_TOKENS, 1'200, 1, "h");
    assert_false(refused->granted);
    assert_int_equal(refused->retry_us, stage_now_us(show->stage) + owed_us);
    restart(show);
    assert_false(passes(show, KEY_TOKENS, 1'200));
    sleep_for(show, owed_us);
    assert_true(passes(show, KEY_TOKENS, 1'200));
    put_key(show, 0); /* it has no limit any more */
    report(show, 6, KEY, 5'000);
    sleep_for(show, 50 * INT64_C(1'000));
    assert_true(passes(show, KEY_TOKENS, 1'200));
}

static void note(struct show *show, int64_t at_us)
{
    struct stage_call *call      = call_new(show, COMMAND_NOTE_KEYS, 0);
    Pb__KeysUsed *request        = stage_call_alloc(call, sizeof *request);
    Pb__KeysUsedAnswer *response = stage_call_alloc(call, sizeof *response);
    Pb__KeyUse *use              = stage_call_alloc(call, 2 * sizeof *use);
    *request                     = (Pb__KeysUsed)PB__KEYS_USED__INIT;
    *response                    = (Pb__KeysUsedAnswer)PB__KEYS_USED_ANSWER__INIT;
    use[0]                       = (Pb__KeyUse)PB__KEY_USE__INIT;
    use[1]                       = (Pb__KeyUse)PB__KEY_USE__INIT;
    use[0].id                    = KEY;
    use[0].at_us                 = at_us;
    use[1].id                    = "zzzzzzzzzzzz"; /* nobody's */
    use[1].at_us                 = at_us;
    request->keys                = stage_call_alloc(call, 2 * sizeof *request->keys);
    request->keys[0]             = &use[0];
    request->keys[1]             = &use[1];
    request->n_keys              = 2;
    assert_int_equal(ask(show, 0, call, request, response), STATUS_OK);
}

static int64_t last_used(struct show *show)
{
    struct stage_call *call = call_new(show, COMMAND_ROTATE_KEY, 0);
    Pb__RotateKey *request  = stage_call_alloc(call, sizeof *request);
    Pb__ApiKey *response    = stage_call_alloc(call, sizeof *response);
    *request                = (Pb__RotateKey)PB__ROTATE_KEY__INIT;
    *response               = (Pb__ApiKey)PB__API_KEY__INIT;
    request->namespace_     = "*";
    request->id             = KEY;
    assert_int_equal(ask(show, 0, call, request, response), STATUS_OK);
    return response->last_used_us;
}

static void uses_are_kept_to_the_minute(void **state)
{
    struct show *show = *state;
    put_key(show, 5);
    assert_int_equal(last_used(show), 0);
    int64_t now_us    = stage_now_us(show->stage);
    int64_t minute_us = now_us - now_us % MINUTE;
    note(show, now_us);
    assert_int_equal(last_used(show), minute_us);
    note(show, now_us - 5 * MINUTE); /* heard late */
    restart(show);
    assert_int_equal(last_used(show), minute_us);
    note(show, now_us + 60 * MINUTE); /* a clock that is wrong */
    assert_int_equal(last_used(show), minute_us);
    sleep_for(show, MINUTE);
    note(show, now_us + MINUTE);
    assert_int_equal(last_used(show), minute_us + MINUTE);
}

static void names_and_units(void **)
{
    char name[KEY_LIMIT_NAME_SIZE];
    assert_false(key_limit_name(KEY_REQUESTS, "short", name));
    assert_false(key_limit_name(KEY_REQUESTS, KEY "x", name));
    assert_true(key_limit_name(KEY_PARALLEL, KEY, name));
    assert_string_equal(name, "apikey:" KEY ":parallel");
    static const struct {
        enum key_limit limit;
        uint32_t most, unit, bucket;
        int64_t count;
        uint32_t permits;
    } rows[] = {
        {KEY_REQUESTS, 1'000'000, 1, 1'000'000, 7, 7},
        {KEY_TOKENS, 1'000'000, 1, 1'000'000, 7, 7},
        {KEY_TOKENS, 1'000'001, 2, 500'000, 7, 4},
        {KEY_TOKENS, KEY_LIMIT_TOKENS_MAX, 1'000, 1'000'000, 1, 1},
        {KEY_TOKENS, 5, 1, 5, INT64_MAX, UINT32_MAX},
        {KEY_TOKENS, 5, 1, 5, -1, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(key_limit_unit(rows[i].limit, rows[i].most), rows[i].unit);
        assert_int_equal(key_limit_bucket(rows[i].limit, rows[i].most), rows[i].bucket);
        assert_int_equal(key_limit_permits(rows[i].limit, rows[i].most, rows[i].count),
                         rows[i].permits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(so_many_requests_pass, setup, show_teardown),
        cmocka_unit_test_setup_teardown(all_pass_or_none, setup, show_teardown),
        cmocka_unit_test_setup_teardown(more_than_there_can_be_passes_when_all_is_there, setup,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(a_day_lets_no_more_pass, setup, show_teardown),
        cmocka_unit_test_setup_teardown(so_many_are_under_way, setup, show_teardown),
        cmocka_unit_test_setup_teardown(who_is_silent_holds_nothing, setup, show_teardown),
        cmocka_unit_test_setup_teardown(what_was_used_is_taken_off, setup, show_teardown),
        cmocka_unit_test_setup_teardown(uses_are_kept_to_the_minute, setup, show_teardown),
        cmocka_unit_test(names_and_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
