/* 24 h of fake clock for limits and budgets: buckets of starts and of tokens against an exact
 * count, over restarts and with what comes back; and a budget of a day over midnight. */
#include "cmocka.h"

#include "base/random.h"
#include "scheduler/engine/budgets/ledger.h"
#include "scheduler/engine/limits/limit.h"
#include "scheduler/engine/limits/token_limit.h"

#include <string.h>

#define SECOND_US INT64_C(1'000'000)
#define MINUTE_US (60 * SECOND_US)
#define DAY_US    (1'440 * MINUTE_US)
#define NOON_US   (INT64_C(20'000) * DAY_US + DAY_US / 2)

enum { STEP_SECONDS_MAX = 20, RESTART_EVERY = 500 /* steps */ };

/* --- limits ------------------------------------------------------------------------------------
 */

/* What a bucket holds, exactly: in microseconds, of which `step_us` make a permit. A permit takes
 * whole ones, so that nobody is faster than the rule. */
struct exact {
    int64_t count, step_us, held_us, at_us;
};

static struct exact exact_begin(const struct queue_limits *rule)
{
    int64_t count   = rule->rate_count;
    int64_t step_us = (rule->rate_period_us + count - 1) / count;
    return (struct exact){
        .count = count, .step_us = step_us, .held_us = count * step_us, .at_us = NOON_US};
}

static void exact_fill(struct exact *exact, int64_t now_us)
{
    int64_t full_us = exact->count * exact->step_us;
    exact->held_us += now_us - exact->at_us;
    exact->at_us = now_us;
    if (exact->held_us > full_us) exact->held_us = full_us;
}

static void exact_take(struct exact *exact, int64_t permits)
{
    exact->held_us -= permits * exact->step_us;
}

static int64_t exact_room(const struct exact *exact)
{
    return exact->held_us > 0 ? exact->held_us / exact->step_us : 0;
}

static struct limit *begin(struct limits *limits, const struct queue_limits *rule, int64_t now_us)
{
    struct limit *limit = limits_at(limits, str_from("tokens:llm:p/m"));
    assert_non_null(limit);
    limit_set(limits, limit, rule, now_us);
    return limit;
}

/* The process dies; its row is read by the next one. */
static struct limit *restart(struct limits **limits, const struct limit *limit, int64_t now_us)
{
    const struct queue_limits rule = limit->rule;
    int64_t full_us                = limit->rate.full_us;
    limits_free(*limits);
    *limits            = limits_new(true, 1);
    struct limit *next = begin(*limits, &rule, now_us);
    limit_owe(*limits, next, full_us, now_us);
    return next;
}

/* Asks for more than there is, all day; gives some back, and owes some. */
static void live_a_day(const struct queue_limits *rule, uint64_t seed)
{
    struct prng prng      = {.state = seed};
    struct limits *limits = limits_new(true, 1);
    struct limit *limit   = begin(limits, rule, NOON_US);
    struct exact exact    = exact_begin(rule);
    int64_t now_us        = NOON_US;
    int64_t granted       = 0;
    for (unsigned step = 1; now_us < NOON_US + DAY_US; step++) {
        now_us += (int64_t)(prng_next(&prng) % (STEP_SECONDS_MAX * SECOND_US));
        limits_advance(limits, now_us);
        exact_fill(&exact, now_us);
        if (step % RESTART_EVERY == 0) limit = restart(&limits, limit, now_us);
        uint32_t room = limit_room(limits, limit, rule->rate_count, now_us);
        int64_t most  = exact_room(&exact);
        if (room != most) fail_msg("step %u: %u permits, not %lld", step, room, (long long)most);
        limit_spend(limits, limit, room, now_us);
        exact_take(&exact, room);
        granted += room;
        uint32_t back = room > 0 && step % 3 == 0 ? (uint32_t)(prng_next(&prng) % room) : 0;
        limit_unspend(limits, limit, back, now_us);
        exact_take(&exact, -(int64_t)back);
        granted -= back;
        uint32_t owed = step % 7 == 0 ? (uint32_t)(prng_next(&prng) % 5) : 0;
        limit_spend(limits, limit, owed, now_us);
        exact_take(&exact, owed);
    }
    int64_t all = rule->rate_count +
                  (int64_t)((__int128)(now_us - NOON_US) * rule->rate_count / rule->rate_period_us);
    assert_true(granted > 0 && granted <= all);
    limits_free(limits);
}

static void buckets_keep_to_their_rate_for_a_day(void **)
{
    const struct queue_limits rules[] = {
        {.rate_count = 60, .rate_period_us = MINUTE_US},
        {.rate_count = 7, .rate_period_us = 13 * SECOND_US},
        {.rate_count = 1'000, .rate_period_us = DAY_US},
        token_limit_rule(90'000, MINUTE_US),
        token_limit_rule(900'000'000, MINUTE_US),
        token_limit_rule(1'234'567, DAY_US),
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) live_a_day(&rules[i], seed * 7'919 + i);
    }
}

/* --- budgets -----------------------------------------------------------------------------------
 */

enum { DAILY = 50'000, A_CALL = 400 /* tokens at most */, UNDER_WAY_MAX = 8 };

struct under_way {
    struct id id;
    int64_t ends_us;
};

static struct ledger_budget *put(struct ledger *ledger)
{
    Pb__BudgetSpec spec          = PB__BUDGET_SPEC__INIT;
    struct ledger_budget *budget = NULL;
    struct error error           = {};
    spec.tokens                  = DAILY;
    spec.daily                   = true;
    assert_int_equal(ledger_put(ledger, "default", "day", &spec, NOON_US, &budget, &error),
                     STATUS_OK);
    return budget;
}

/* Says whether it may go. */
static bool reserve(struct ledger *ledger, const struct id *id, int64_t now_us, int64_t midnight_us)
{
    static const char *names[] = {"day"};
    Pb__BudgetAsk ask          = PB__BUDGET_ASK__INIT;
    struct ledger_answer answer;
    ask.job           = id->text;
    ask.number        = 1;
    ask.namespace_    = "default";
    ask.budgets       = names;
    ask.n_budgets     = 1;
    ask.input_tokens  = A_CALL / 4;
    ask.output_tokens = A_CALL - A_CALL / 4;
    ask.model         = "m";
    ask.holder        = "proxy";
    ask.until_us      = now_us + 10 * MINUTE_US;
    ledger_reserve(ledger, &ask, now_us, &answer);
    bool is_refused = answer.verdict == PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED;
    if (is_refused) assert_true(answer.resets_us == midnight_us);
    return answer.verdict == PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED;
}

static int64_t finish(struct ledger *ledger, const struct under_way *call, int64_t now_us,
                      struct prng *prng)
{
    Pb__CallEnd end = PB__CALL_END__INIT;
    end.call        = call->id.text;
    end.used_tokens = (int64_t)(prng_next(prng) % (A_CALL + 1));
    ledger_end_call(ledger, &end, now_us);
    return end.used_tokens;
}

/* Never more than there is; from midnight on all of it again, less what calls from before have used
 * that end then. */
static void a_daily_budget_begins_anew_at_midnight(void **)
{
    struct prng prng                      = {.state = 5};
    struct ledger *ledger                 = ledger_new();
    struct ledger_budget *budget          = put(ledger);
    struct under_way calls[UNDER_WAY_MAX] = {};
    struct id_source ids                  = {.last_ms = 1};
    int64_t now_us                        = NOON_US;
    int64_t midnight_us                   = NOON_US + DAY_US / 2;
    int64_t used                          = 0; /* since midnight */
    unsigned days                         = 0;
    unsigned granted                      = 0;
    while (now_us < NOON_US + DAY_US) {
        now_us += 1 + (int64_t)(prng_next(&prng) % (STEP_SECONDS_MAX * SECOND_US));
        ledger_hear(ledger, "proxy", now_us);
        ledger_advance(ledger, now_us);
        if (now_us >= midnight_us) {
            assert_true(used > DAILY - A_CALL - UNDER_WAY_MAX); /* the day was spent */
            assert_true(used <= DAILY);
            midnight_us += DAY_US;
            used = 0;
            days++;
        }
        assert_true(budget->resets_us == midnight_us);
        for (size_t i = 0; i < UNDER_WAY_MAX; i++) {
            if (calls[i].ends_us > 0 && calls[i].ends_us <= now_us) {
                used += finish(ledger, &calls[i], now_us, &prng);
                calls[i].ends_us = 0;
            }
            if (calls[i].ends_us > 0) continue;
            calls[i].id = id_next(&ids, now_us / 1'000, (uint32_t)prng_next(&prng));
            if (!reserve(ledger, &calls[i].id, now_us, midnight_us)) continue;
            calls[i].ends_us = now_us + 1 + (int64_t)(prng_next(&prng) % (2 * MINUTE_US));
            granted++;
        }
        const struct budget *account = &budget->account;
        assert_true(account->spent.tokens == used);
        assert_true(account->spent.tokens + account->reserved.tokens <= DAILY);
    }
    assert_int_equal(days, 1);
    assert_true(used > DAILY - A_CALL - UNDER_WAY_MAX && used <= DAILY);
    assert_true(granted > 2 * DAILY / A_CALL);
    ledger_free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_keep_to_their_rate_for_a_day),
        cmocka_unit_test(a_daily_budget_begins_anew_at_midnight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
