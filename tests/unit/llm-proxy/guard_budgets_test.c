/* The guard and budgets: who may call, and that what a call has cost is told until somebody has it.
 */
#include "cmocka.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "support/llm-proxy/guard_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct heard {
    struct guard_fund fund;
    bool is_decided;
    enum guard_verdict verdict;
    char reason[64];
    bool needs_price;
    int64_t resets_us;
};

static void on_funded(enum guard_verdict verdict, const struct guard_refusal *refusal,
                      void *context)
{
    struct heard *heard = context;
    assert_false(heard->is_decided);
    heard->is_decided  = true;
    heard->verdict     = verdict;
    heard->needs_price = refusal->needs_price;
    heard->resets_us   = refusal->resets_us;
    (void)snprintf(heard->reason, sizeof heard->reason, STR_FMT, STR_ARG(refusal->reason));
}

static enum guard_verdict ask(struct world *world, struct heard *heard)
{
    Pb__ReserveBudgets asked = PB__RESERVE_BUDGETS__INIT;
    *heard                   = (struct heard){.fund = {.decided = on_funded, .context = heard}};
    asked.namespace_         = "default";
    asked.key                = "key1";
    asked.input_tokens       = 10;
    return guard_reserve(world->guard, &asked, &heard->fund);
}

static enum guard_verdict asked_and_decided(struct world *world, struct heard *heard)
{
    enum guard_verdict verdict = ask(world, heard);
    if (verdict != GUARD_WAIT) return verdict;
    for (int i = 0; i < TURNS_MAX && !heard->is_decided; i++) loop_turn(world->loop, 1);
    assert_true(heard->is_decided);
    return heard->verdict;
}

/* As purse_settle() does. */
static void settle(struct world *world, struct heard *heard, const Pb__Usage *used)
{
    const Pb__Usage nothing  = PB__USAGE__INIT;
    const Pb__CallEnd *end   = guard_end(world->guard, &heard->fund, used);
    struct usage_owner owner = {
        .namespace_ = "default", .key = "key1", .ends = &end, .end_count = end ? 1 : 0};
    guard_note_usage(world->guard, &owner, used ? used : &nothing);
    guard_settle(world->guard, &heard->fund);
}

static Pb__Usage usage_of(int64_t tokens, int64_t nanos, bool is_priced)
{
    Pb__Usage usage      = PB__USAGE__INIT;
    usage.calls          = 1;
    usage.provider       = "p";
    usage.model          = "m";
    usage.input_tokens   = tokens - 1;
    usage.output_tokens  = 1;
    usage.cost_usd_nanos = nanos;
    usage.cost_source =
        is_priced ? PB__COST_SOURCE__COST_SOURCE_REPORTED : PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    return usage;
}

static void where_there_are_no_budgets_nobody_is_asked(void **)
{
    struct world world;
    struct heard heard;
    guard_world_begin(&world, (struct said){.budgets = 0, .verdict = REFUSED});
    assert_int_equal(ask(&world, &heard), GUARD_GO);
    settle(&world, &heard, NULL);
    assert_int_equal(guard_world_look(&world).reserved, 0);
    assert_int_equal(guard_unsettled(world.guard), 0);
    guard_world_end(&world);
}

/* What it cost is told until somebody hears it, and then no more: with what it has used, in one
 * report; to a scheduler that does not say whom it charges, apart from that. */
static void a_call_is_charged_once(void **)
{
    static const struct {
        struct said said;
        unsigned payers; /* named with the end */
    } rows[] = {
        {{.fails_to_settle = 3, .fails_to_count = 3}, 2},
        {{.loses_counted = 3}, 2},
        {{.is_old = true, .fails_to_settle = 3, .fails_to_count = 3, .loses_counted = 1}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world world;
        struct heard heard;
        struct said begin    = rows[i].said;
        const Pb__Usage used = usage_of(30, 500, true);
        begin.budgets        = 1;
        begin.verdict        = GRANTED;
        begin.charged        = true;
        guard_world_begin(&world, begin);
        assert_int_equal(asked_and_decided(&world, &heard), GUARD_GO);
        assert_int_equal(guard_unsettled(world.guard), 1);
        guard_world_refresh(&world);
        assert_true(guard_world_look(&world).settled > 0); /* that it is still there */
        assert_int_equal(guard_world_look(&world).end_count, 0);
        settle(&world, &heard, &used);
        guard_settle(world.guard, &heard.fund); /* once is enough */
        guard_world_settle(&world);
        const struct said said = guard_world_look(&world);
        assert_int_equal(said.loses_counted + said.fails_to_count, 0);
        assert_int_equal(said.counted_tokens, 30);
        assert_int_equal(said.end_count, 1);
        assert_int_equal(said.ends[0].tokens, 30);
        assert_int_equal(said.ends[0].nanos, 500);
        assert_int_equal(said.ends[0].payers, rows[i].payers);
        assert_false(said.ends[0].is_unpriced);
        assert_true(id_is_valid(str_from(said.ends[0].call)));
        guard_world_end(&world);
    }
}

static void what_has_no_price_says_so(void **)
{
    struct world world;
    struct heard heard;
    const Pb__Usage used = usage_of(30, 0, false);
    guard_world_begin(&world, (struct said){.budgets = 1, .verdict = GRANTED, .charged = true});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_GO);
    settle(&world, &heard, &used);
    guard_world_settle(&world);
    assert_true(guard_world_look(&world).ends[0].is_unpriced);
    guard_world_end(&world);
}

static void whom_no_budget_charges_settles_nothing(void **)
{
    struct world world;
    struct heard heard;
    const Pb__Usage used = usage_of(30, 0, true);
    guard_world_begin(&world, (struct said){.budgets = 1, .verdict = GRANTED});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_GO);
    assert_int_equal(guard_unsettled(world.guard), 0);
    settle(&world, &heard, &used);
    assert_int_equal(guard_unsettled(world.guard), 0);
    guard_world_end(&world);
}

static void refusals_say_why(void **)
{
    struct world world;
    struct heard heard;
    guard_world_begin(
        &world,
        (struct said){.budgets = 1, .verdict = REFUSED, .needs_price = true, .resets_us = 77});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_BUDGET);
    assert_string_equal(heard.reason, "budget `b`: it is spent");
    assert_true(heard.needs_price);
    assert_int_equal(heard.resets_us, 77);
    settle(&world, &heard, NULL);
    assert_int_equal(guard_unsettled(world.guard), 0);
    guard_world_end(&world);

    guard_world_begin(&world, (struct said){.budgets = 1, .verdict = WAITING});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_LIMIT);
    assert_int_equal(guard_unsettled(world.guard), 0);
    guard_world_end(&world);
}

/* It may have been set aside: the end is told all the same, and costs nothing. */
static void an_answer_that_never_comes_lets_nobody_go(void **)
{
    struct world world;
    struct heard heard;
    guard_world_begin(&world,
                      (struct said){.budgets = 1, .charged = true, .fails_to_reserve = true});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_UNKNOWN);
    guard_world_settle(&world);
    assert_int_equal(guard_world_look(&world).end_count, 1);
    assert_int_equal(guard_world_look(&world).ends[0].tokens, 0);
    guard_world_end(&world);
}

static void whoever_goes_before_the_answer_pays_nothing(void **)
{
    struct world world;
    struct heard heard;
    guard_world_begin(&world, (struct said){.budgets = 1, .verdict = GRANTED, .charged = true});
    assert_int_equal(ask(&world, &heard), GUARD_WAIT);
    settle(&world, &heard, NULL);
    guard_world_settle(&world);
    assert_false(heard.is_decided);
    assert_int_equal(guard_world_look(&world).end_count, 1);
    assert_int_equal(guard_world_look(&world).ends[0].tokens, 0);
    guard_world_end(&world);
}

static void on_run(enum guard_verdict verdict, const struct guard_refusal *, void *context)
{
    *(enum guard_verdict *)context = verdict;
}

/* Its run may have set something aside: the call is not made, and that is told. */
static void a_run_without_an_answer_hears_that_the_call_is_over(void **)
{
    struct world world;
    Pb__ReserveBudgets asked   = PB__RESERVE_BUDGETS__INIT;
    enum guard_verdict verdict = GUARD_WAIT;
    struct guard_run run       = {
              .name = "01ARZ3NDEKTSV4RRFFQ69G5FAV", .decided = on_run, .context = &verdict};
    guard_world_begin(&world, (struct said){.budgets = 1});
    asked.namespace_ = "default";
    assert_int_equal(guard_ask_run(world.guard, &run, &asked, false), GUARD_WAIT);
    for (int i = 0; i < TURNS_MAX && verdict == GUARD_WAIT; i++) loop_turn(world.loop, 1);
    assert_int_equal(verdict, GUARD_UNKNOWN);
    guard_leave_run(world.guard, &run);
    guard_world_settle(&world);
    assert_int_equal(guard_world_look(&world).run_ends, 1);
    guard_world_end(&world);
}

static void turn_until_told(struct world *world, const unsigned *decided, unsigned count)
{
    for (int i = 0; i < TURNS_MAX && *decided < count; i++) loop_turn(world->loop, 1);
    assert_int_equal(*decided, count);
}

static void count_funded(enum guard_verdict, const struct guard_refusal *, void *context)
{
    ++*(unsigned *)context;
}

/* The scheduler is away, and clients ask again and again. */
static void what_nobody_hears_is_bounded(void **)
{
    enum { ASKED = GUARD_LOST_MAX + 50 };
    struct world world;
    unsigned decided         = 0;
    Pb__ReserveBudgets asked = PB__RESERVE_BUDGETS__INIT;
    struct guard_fund *funds = mem_new(ASKED, sizeof *funds);
    struct guard_run *runs   = mem_new(ASKED, sizeof *runs);
    guard_world_begin(&world, (struct said){.budgets          = 1,
                                            .charged          = true,
                                            .fails_to_reserve = true,
                                            .fails_to_settle  = UINT_MAX,
                                            .fails_to_count   = UINT_MAX});
    asked.namespace_ = "default";
    for (int i = 0; i < ASKED; i++) {
        funds[i] = (struct guard_fund){.decided = count_funded, .context = &decided};
        runs[i]  = (struct guard_run){
             .name = "01ARZ3NDEKTSV4RRFFQ69G5FAV", .decided = count_funded, .context = &decided};
        assert_int_equal(guard_reserve(world.guard, &asked, &funds[i]), GUARD_WAIT);
        assert_int_equal(guard_ask_run(world.guard, &runs[i], &asked, false), GUARD_WAIT);
    }
    turn_until_told(&world, &decided, 2 * ASKED);
    assert_int_equal(guard_unsettled(world.guard), GUARD_LOST_MAX);
    (void)pthread_mutex_lock(&world.mutex);
    world.said.fails_to_settle = world.said.fails_to_count = 0;
    (void)pthread_mutex_unlock(&world.mutex);
    guard_world_settle(&world);
    assert_int_equal(guard_unsettled(world.guard), 0);
    assert_int_equal(guard_world_look(&world).run_ends, GUARD_LOST_MAX);
    guard_world_end(&world);
    free(funds);
    free(runs);
}

static void before_the_start_nobody_is_asked(void **)
{
    struct loop *loop       = NULL;
    struct heard heard      = {};
    struct catalog *catalog = mem_new(1, sizeof *catalog);
    catalog->provider_count = 1;
    catalog->providers[0]   = (struct provider){.name = "one"};
    assert_int_equal(loop_new(NULL, &loop, NULL), STATUS_OK);
    struct world world = {.guard = guard_new(loop, catalog)};
    assert_int_equal(ask(&world, &heard), GUARD_GO);
    guard_freep(&world.guard);
    loop_free(loop);
    free(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_there_are_no_budgets_nobody_is_asked),
        cmocka_unit_test(a_call_is_charged_once),
        cmocka_unit_test(what_has_no_price_says_so),
        cmocka_unit_test(whom_no_budget_charges_settles_nothing),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(an_answer_that_never_comes_lets_nobody_go),
        cmocka_unit_test(whoever_goes_before_the_answer_pays_nothing),
        cmocka_unit_test(a_run_without_an_answer_hears_that_the_call_is_over),
        cmocka_unit_test(what_nobody_hears_is_bounded),
        cmocka_unit_test(before_the_start_nobody_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
