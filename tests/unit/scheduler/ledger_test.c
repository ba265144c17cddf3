/* Budgets in memory: what is granted, who waits, what is refused; and that whatever happens in any
 * order, with crashes in between, no more is spent than there is. */
#include "cmocka.h"

#include "base/random.h"
#include "scheduler/engine/budgets/ledger.h"

#include <stdio.h>
#include <string.h>

enum { JOBS = 24, ROUNDS = 100, STEPS = 400, ARENA_MAX = 8 << 20 };
#define DAY_US INT64_C(86'400'000'000)
#define NOW_US (INT64_C(20'000) * DAY_US + 5)

#define GRANTED PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED
#define WAITING PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING
#define PAUSED  PB__BUDGET_VERDICT__BUDGET_VERDICT_PAUSED
#define REFUSED PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED

static struct id job_id(unsigned number)
{
    struct id_source source = {.last_ms = 1};
    return id_next(&source, 1'000 + number, number);
}

static struct ledger_budget *put(struct ledger *ledger, const char *name, int64_t tokens,
                                 int64_t nanos, bool pauses, bool daily)
{
    Pb__BudgetSpec spec          = PB__BUDGET_SPEC__INIT;
    struct ledger_budget *budget = NULL;
    struct error error           = {};
    spec.tokens                  = tokens;
    spec.usd_nanos               = nanos;
    spec.pauses                  = pauses;
    spec.daily                   = daily;
    assert_int_equal(ledger_put(ledger, "default", name, &spec, NOW_US, &budget, &error),
                     STATUS_OK);
    return budget;
}

struct call {
    const char *budgets[3];
    int64_t input, output;
    int64_t picos; /* per token; -1: not known */
};

static void ask(struct ledger *ledger, unsigned job, uint32_t number, const struct call *call)
{
    const struct id id   = job_id(job);
    Pb__BudgetAsk asked  = PB__BUDGET_ASK__INIT;
    Pb__ModelPrice price = PB__MODEL_PRICE__INIT;
    asked.job            = id.text;
    asked.number         = number;
    asked.namespace_     = "default";
    asked.budgets        = (const char **)(uintptr_t)call->budgets;
    while (asked.n_budgets < 3 && call->budgets[asked.n_budgets]) asked.n_budgets++;
    asked.input_tokens  = call->input;
    asked.output_tokens = call->output;
    price.input_picos = price.output_picos = call->picos;
    if (call->picos >= 0) asked.price = &price;
    ledger_ask(ledger, &asked);
}

static void end(struct ledger *ledger, unsigned job, uint32_t number, int64_t tokens, int64_t nanos)
{
    static const char *names[] = {"a", "b"};
    const struct id id         = job_id(job);
    Pb__BudgetEnd ended        = PB__BUDGET_END__INIT;
    ended.job                  = id.text;
    ended.number               = number;
    ended.namespace_           = "default";
    ended.budgets              = names;
    ended.n_budgets            = 2;
    ended.used_tokens          = tokens;
    ended.used_nanos           = nanos;
    ledger_end(ledger, &ended);
}

/* "1 granted, 2 waiting" */
static const char *told(struct ledger *ledger, struct buf *out)
{
    static const char *const verdicts[] = {"granted", "waiting", "paused", "refused"};
    struct ledger_answer answer;
    buf_clear(out);
    while (ledger_take_answer(ledger, &answer)) {
        unsigned job = 0;
        while (strcmp(job_id(job).text, answer.job.text) != 0) job++;
        (void)buf_printf(out, "%s%u %s%s%s", out->len > 0 ? ", " : "", job,
                         verdicts[answer.verdict], *answer.budget ? " " : "", answer.budget);
    }
    return out->len > 0 ? out->ptr : "";
}

static void test_waits_for_others(void **)
{
    struct buf out              = buf_init(1'000);
    struct ledger *ledger       = ledger_new();
    struct ledger_budget *a     = put(ledger, "a", 100, 0, false, false);
    const struct call forty     = {{"a"}, 10, 30, -1};
    const struct call ten       = {{"a"}, 5, 5, -1};
    const struct call too_large = {{"a"}, 50, 51, -1};
    ask(ledger, 1, 1, &forty);
    ask(ledger, 2, 1, &forty);
    ask(ledger, 3, 1, &forty);
    ask(ledger, 4, 1, &ten); /* would fit, but does not overtake */
    ask(ledger, 5, 1, &too_large);
    assert_string_equal(told(ledger, &out),
                        "1 granted, 2 granted, 3 waiting a, 4 waiting a, 5 refused a");
    assert_int_equal(a->account.reserved.tokens, 80);
    assert_int_equal(a->waiting_count, 2);
    end(ledger, 1, 1, 20, 0);
    assert_string_equal(told(ledger, &out), "3 granted"); /* 20 + 40 + 40: nothing is left */
    end(ledger, 1, 1, 0, 0);                              /* again: no change */
    end(ledger, 2, 1, 35, 0);
    assert_string_equal(told(ledger, &out), "");
    end(ledger, 3, 1, 36, 0); /* 91 */
    assert_string_equal(told(ledger, &out), "4 refused a");
    assert_int_equal(a->account.spent.tokens, 91);
    assert_int_equal(a->account.reserved.tokens, 0);
    assert_int_equal(ledger_ask_count(ledger), 0);
    ledger_free(ledger);
    buf_done(&out);
}

static struct spend draw(struct ledger *ledger, unsigned job, uint32_t number, int64_t output)
{
    const struct id id   = job_id(job);
    Pb__BudgetDraw drawn = PB__BUDGET_DRAW__INIT;
    struct spend room    = {};
    drawn.job            = id.text;
    drawn.number         = number;
    drawn.output_tokens  = output;
    ledger_draw(ledger, &drawn, &room);
    return room;
}

/* What is set aside for it: the least of its budgets; nothing of who is refused. It draws what is
 * missing, and then what is left, before those who wait; all of it comes back with its end. */
static void test_says_how_much_a_job_may_cost(void **)
{
    struct ledger *ledger       = ledger_new();
    struct ledger_budget *a     = put(ledger, "a", 10'000, 0, false, false);
    const struct call open      = {{"a", "b"}, 10, -1, 1'000};
    const struct call too_large = {{"a"}, 9'000, 5'000, -1};
    struct ledger_answer answer;
    (void)put(ledger, "b", 0, 5'000, false, false);
    ask(ledger, 1, 1, &open);
    assert_true(ledger_take_answer(ledger, &answer));
    assert_int_equal(answer.verdict, GRANTED);
    assert_int_equal(a->account.reserved.tokens, 10 + BUDGET_OUTPUT_TOKENS);
    assert_int_equal(answer.room.tokens, 10 + BUDGET_OUTPUT_TOKENS);
    assert_int_equal(answer.room.nanos, 10 + BUDGET_OUTPUT_TOKENS);
    ask(ledger, 2, 1, &(struct call){{"a"}, 10, -1, -1});
    assert_true(ledger_take_answer(ledger, &answer));
    assert_int_equal(answer.room.tokens, 10 + BUDGET_OUTPUT_TOKENS);
    assert_int_equal(answer.room.nanos, -1);
    ask(ledger, 3, 1, &too_large);
    assert_true(ledger_take_answer(ledger, &answer));
    assert_int_equal(answer.verdict, REFUSED);
    assert_int_equal(answer.room.tokens, -1);

    ask(ledger, 4, 1, &(struct call){{"a"}, 10, 4'000, -1});
    assert_true(ledger_take_answer(ledger, &answer));
    assert_int_equal(answer.verdict, WAITING);
    for (int i = 0; i < 2; i++) { /* once more changes nothing */
        assert_int_equal(draw(ledger, 1, 1, 4'500).tokens, 4'510);
        assert_int_equal(draw(ledger, 1, 1, 4'500).nanos, 4'510);
    }
    assert_int_equal(draw(ledger, 1, 1, 9'000).nanos, 5'000); /* all there is of b */
    assert_int_equal(a->account.reserved.tokens, 10'000);
    assert_int_equal(draw(ledger, 2, 1, 9'000).tokens, 10 + BUDGET_OUTPUT_TOKENS);
    assert_int_equal(draw(ledger, 4, 1, 9'000).tokens, -1); /* it was not let go */
    assert_int_equal(draw(ledger, 1, 2, 9'000).tokens, -1);
    assert_int_equal(a->account.reserved.tokens, 10'000);
    end(ledger, 1, 1, 7, 7);
    end(ledger, 2, 1, 7, 0);
    assert_true(ledger_take_answer(ledger, &answer));
    assert_int_equal(answer.verdict, GRANTED);
    end(ledger, 4, 1, 0, 0);
    assert_int_equal(a->account.reserved.tokens, 0);
    assert_int_equal(a->account.spent.tokens, 14);
    ledger_free(ledger);
}

static void test_pauses_until_there_is_more(void **)
{
    struct buf out          = buf_init(1'000);
    struct ledger *ledger   = ledger_new();
    struct ledger_budget *a = put(ledger, "a", 100, 0, true, false);
    const struct call sixty = {{"a"}, 10, 50, -1};
    ask(ledger, 1, 1, &sixty);
    end(ledger, 1, 1, 60, 0);
    ask(ledger, 2, 1, &sixty);
    ask(ledger, 3, 1, &sixty);
    assert_string_equal(told(ledger, &out), "1 granted, 2 paused a, 3 paused a");
    assert_int_equal(a->paused_count, 2);
    (void)put(ledger, "a", 120, 0, true, false);
    assert_string_equal(told(ledger, &out), "2 granted, 3 waiting a");
    end(ledger, 2, 1, 59, 0);
    assert_string_equal(told(ledger, &out), "3 paused a");
    (void)put(ledger, "a", 120, 0, false, false); /* now it refuses */
    assert_string_equal(told(ledger, &out), "3 refused a");
    ledger_free(ledger);
    buf_done(&out);
}

static void test_days(void **)
{
    struct buf out          = buf_init(1'000);
    struct ledger *ledger   = ledger_new();
    struct ledger_budget *a = put(ledger, "a", 100, 0, true, true);
    const struct call all   = {{"a"}, 50, 50, -1};
    assert_int_equal(ledger_due_us(ledger), INT64_C(20'001) * DAY_US);
    ask(ledger, 1, 1, &all);
    end(ledger, 1, 1, 100, 0);
    ask(ledger, 2, 1, &all);
    assert_string_equal(told(ledger, &out), "1 granted, 2 paused a");
    ledger_advance(ledger, INT64_C(20'001) * DAY_US - 1);
    assert_string_equal(told(ledger, &out), "");
    ledger_advance(ledger, INT64_C(20'001) * DAY_US);
    assert_string_equal(told(ledger, &out), "2 granted");
    assert_int_equal(a->account.spent.tokens, 0);
    assert_int_equal(ledger_due_us(ledger), INT64_C(20'002) * DAY_US);
    Pb__BudgetSpec spec = PB__BUDGET_SPEC__INIT;
    struct error error  = {};
    spec.tokens         = 1;
    spec.daily          = true;
    spec.time_zone      = "Nowhere/Land";
    assert_int_equal(ledger_put(ledger, "default", "b", &spec, NOW_US, &a, &error),
                     STATUS_NOT_FOUND);
    assert_null(ledger_find(ledger, str_from("default"), str_from("b")));
    ledger_free(ledger);
    buf_done(&out);
}

/* All or none; and one that goes frees those who waited for it. */
static void test_several_budgets(void **)
{
    struct buf out          = buf_init(1'000);
    struct ledger *ledger   = ledger_new();
    struct ledger_budget *a = put(ledger, "a", 100, 0, false, false);
    struct ledger_budget *b = put(ledger, "b", 0, 1'000, false, false);
    const struct call both  = {{"a", "b"}, 30, 30, 10'000};
    const struct call in_b  = {{"b"}, 30, 30, 10'000};
    ask(ledger, 1, 1, &both);
    ask(ledger, 2, 1, &both);
    assert_string_equal(told(ledger, &out), "1 granted, 2 waiting a");
    assert_int_equal(b->account.reserved.nanos, 600);
    assert_int_equal(a->waiting_count, 1);
    assert_int_equal(b->waiting_count, 1); /* 600 + 600 do not fit either */
    ask(ledger, 3, 1, &in_b);
    assert_string_equal(told(ledger, &out), "3 waiting b");
    ledger_drop(ledger, b);
    assert_string_equal(told(ledger, &out), "3 granted"); /* 2 still waits for a */
    end(ledger, 1, 1, 10, 100);
    assert_string_equal(told(ledger, &out), "2 granted");
    end(ledger, 2, 1, 10, 100);
    end(ledger, 3, 1, 10, 100);
    assert_int_equal(a->account.spent.tokens, 20);
    assert_int_equal(a->account.spent.nanos, 200);
    ledger_free(ledger);
    buf_done(&out);
}

/* A run and its child runs: made by whoever comes first, and gone with the run. */
static void test_purses(void **)
{
    struct buf out         = buf_init(1'000);
    struct ledger *ledger  = ledger_new();
    const struct id run    = job_id(100);
    Pb__RunPurse purse     = PB__RUN_PURSE__INIT;
    Pb__RunPurse *purses[] = {&purse, &purse};
    Pb__BudgetAsk asked    = PB__BUDGET_ASK__INIT;
    Pb__BudgetEnd late     = PB__BUDGET_END__INIT;
    Pb__RunPurse odd       = PB__RUN_PURSE__INIT;
    purse.run              = run.text;
    purse.tokens           = 100;
    odd.run                = "no id";
    for (unsigned i = 1; i <= 2; i++) {
        const struct id id  = job_id(i);
        asked.job           = id.text;
        asked.number        = 1;
        asked.namespace_    = i == 1 ? "default" : "other"; /* one purse for all of them */
        asked.purses        = purses;
        asked.n_purses      = 2;
        asked.input_tokens  = 60;
        asked.output_tokens = 0;
        ledger_ask(ledger, &asked);
    }
    const char *list = told(ledger, &out);
    assert_true(str_starts_with(str_from(list), str_from("1 granted, 2 waiting run/")));
    assert_non_null(strstr(list, run.text));
    late.purses        = purses;
    late.n_purses      = 1;
    late.used_tokens   = 30;
    const struct id id = job_id(3);
    late.job           = id.text;
    ledger_end(ledger, &late); /* a compensation, which asks nobody */
    const struct ledger_budget *there = ledger_purse(ledger, str_from(run.text));
    assert_non_null(there);
    assert_int_equal(there->account.spent.tokens, 30);
    purses[0] = &odd;
    ledger_end(ledger, &late);
    assert_int_equal(there->account.spent.tokens, 30);
    end(ledger, 1, 1, 50, 0);
    list = told(ledger, &out);
    assert_true(str_starts_with(str_from(list), str_from("2 refused run/")));
    assert_null(ledger_find(ledger, str_from("default"), str_from("run")));
    ledger_drop(ledger, ledger_purse(ledger, str_from(run.text)));
    assert_null(ledger_purse(ledger, str_from(run.text)));
    ledger_free(ledger);
    buf_done(&out);
}

/* --- any order ---------------------------------------------------------------------------------
 */

/* What a partition believes of a job. */
struct believed {
    uint32_t number;
    enum { NOTHING, ASKED, MAY_GO } state;
    struct call call;
};

struct world {
    struct prng random;
    struct ledger *ledger;
    struct believed jobs[JOBS];
    struct spend overrun[2]; /* of a and b: what single calls cost beyond their estimates */
    int64_t spent[2];
};

static unsigned below(struct world *world, unsigned max)
{
    return (unsigned)(prng_next(&world->random) % max);
}

static void hear(struct world *world)
{
    struct ledger_answer answer;
    while (ledger_take_answer(world->ledger, &answer)) {
        unsigned job = 0;
        while (strcmp(job_id(job).text, answer.job.text) != 0) job++;
        struct believed *believed = &world->jobs[job];
        if (answer.number != believed->number || believed->state != ASKED) continue;
        if (answer.verdict == GRANTED) believed->state = MAY_GO;
        if (answer.verdict == REFUSED) believed->state = NOTHING;
    }
}

/* It goes, and everything comes back from its rows. */
static void crash(struct world *world)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct ledger *after                     = ledger_new();
    size_t cursor                            = 0;
    struct ledger_budget *budget;
    hear(world); /* what was told is in the outbox */
    while ((budget = ledger_next(world->ledger, &cursor))) {
        Pb__BudgetView row;
        ledger_view(budget, &row);
        ledger_restore_budget(after, &row);
    }
    for (unsigned i = 0; i < JOBS; i++) { /* every row is written in the turn that changes it */
        const struct ledger_ask *there = ledger_ask_find(world->ledger, str_from(job_id(i).text));
        Pb__BudgetAskRecord row;
        if (!there) continue;
        assert_int_equal(ledger_ask_row(there, arena, &row, NULL), STATUS_OK);
        ledger_restore_ask(after, &row);
    }
    cursor = 0;
    while ((budget = ledger_next(world->ledger, &cursor))) {
        const struct ledger_budget *same =
            ledger_find(after, str_from("default"), str_from(budget->name));
        assert_memory_equal(&same->account, &budget->account, sizeof same->account);
    }
    ledger_free(world->ledger);
    world->ledger = after;
    ledger_restored(after); /* who waited is looked at anew, and may be refused sooner */
    hear(world);
}

static void end_job(struct world *world, unsigned job)
{
    struct believed *believed = &world->jobs[job];
    const struct call *call   = &believed->call;
    int64_t tokens            = 0;
    int64_t nanos             = 0;
    if (believed->state == MAY_GO && below(world, 4) > 0) { /* else it is released */
        int64_t output = call->output >= 0 ? call->output : 5'000;
        tokens         = call->input + (int64_t)below(world, (unsigned)output + 1);
        if (below(world, 10) == 0) tokens += below(world, 50); /* more than it said */
        nanos = tokens * (call->picos >= 0 ? call->picos : 3'000) / 1'000;
        if (call->picos < 0) nanos = (int64_t)below(world, 3'000);
        for (size_t i = 0; i < 2 && call->budgets[i]; i++) {
            const struct ledger_ask *there =
                ledger_ask_find(world->ledger, str_from(job_id(job).text));
            struct spend most = ledger_ask_reserved(there, str_from(call->budgets[i]));
            if (tokens > most.tokens) world->overrun[i].tokens += tokens - most.tokens;
            if (nanos > most.nanos) world->overrun[i].nanos += nanos - most.nanos;
        }
        world->spent[0] += tokens;
        world->spent[1] += nanos;
    }
    end(world->ledger, job, believed->number, tokens, nanos);
    if (below(world, 5) == 0) end(world->ledger, job, believed->number, 0, 0); /* told twice */
    believed->state = NOTHING;
}

static void check(const struct world *world)
{
    static const char *const names[] = {"a", "b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct ledger_budget *budget =
            ledger_find(world->ledger, str_from("default"), str_from(names[i]));
        const struct budget *account = &budget->account;
        assert_true(account->reserved.tokens >= 0 && account->reserved.nanos >= 0);
        if (account->limit.tokens > 0) {
            assert_true(account->spent.tokens + account->reserved.tokens <=
                        account->limit.tokens + world->overrun[i].tokens);
        }
        if (account->limit.nanos > 0) {
            assert_true(account->spent.nanos + account->reserved.nanos <=
                        account->limit.nanos + world->overrun[i].nanos);
        }
    }
}

static void step(struct world *world)
{
    unsigned job              = below(world, JOBS);
    struct believed *believed = &world->jobs[job];
    hear(world);
    if (below(world, 40) == 0) {
        crash(world);
    } else if (believed->state == NOTHING) {
        believed->call = (struct call){
            .budgets = {"a", "b"},
            .input   = (int64_t)below(world, 400),
            .output  = below(world, 3) == 0 ? -1 : (int64_t)below(world, 600),
            .picos   = below(world, 3) == 0 ? -1 : (int64_t)below(world, 4'000),
        };
        if (below(world, 3) == 0) believed->call.budgets[1] = NULL;
        believed->number++;
        believed->state = ASKED;
        ask(world->ledger, job, believed->number, &believed->call);
        if (below(world, 5) == 0) ask(world->ledger, job, believed->number, &believed->call);
    } else {
        end_job(world, job);
    }
    check(world);
}

static void test_any_order(void **)
{
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct world world = {.random = {.state = seed}, .ledger = ledger_new()};
        bool pauses        = below(&world, 2) == 0;
        (void)put(world.ledger, "a", 1 + below(&world, 50'000), 1 + below(&world, 100'000), pauses,
                  false);
        (void)put(world.ledger, "b", 0, 1 + below(&world, 60'000), !pauses, false);
        for (unsigned i = 0; i < STEPS; i++) step(&world);
        for (unsigned i = 0; i < JOBS; i++) {
            hear(&world);
            if (world.jobs[i].state != NOTHING) end_job(&world, i);
        }
        assert_int_equal(ledger_ask_count(world.ledger), 0);
        const struct ledger_budget *a =
            ledger_find(world.ledger, str_from("default"), str_from("a"));
        const struct ledger_budget *b =
            ledger_find(world.ledger, str_from("default"), str_from("b"));
        assert_true(spend_is_none(a->account.reserved) && spend_is_none(b->account.reserved));
        assert_int_equal(a->account.spent.tokens, world.spent[0]); /* each call is charged to a */
        assert_int_equal(a->account.spent.nanos, world.spent[1]);
        assert_int_equal(a->waiting_count + a->paused_count, 0);
        ledger_free(world.ledger);
    }
}

static void test_hostile_messages(void **)
{
    struct ledger *ledger   = ledger_new();
    struct ledger_budget *a = put(ledger, "a", 100, 0, false, false);
    Pb__BudgetAsk asked     = PB__BUDGET_ASK__INIT;
    Pb__BudgetEnd ended     = PB__BUDGET_END__INIT;
    const char *names[BUDGET_PAYERS_MAX + 1];
    struct ledger_answer answer;
    asked.job = "no id at all, and longer than any id that there is or will be";
    ledger_ask(ledger, &asked);
    assert_true(ledger_take_answer(ledger, &answer));
    assert_int_equal(answer.verdict, REFUSED);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) names[i] = "a";
    const struct id id = job_id(1);
    asked.job          = id.text;
    asked.namespace_   = "default";
    asked.budgets      = names;
    asked.n_budgets    = ARRAY_LEN(names);
    ledger_ask(ledger, &asked);
    assert_true(ledger_take_answer(ledger, &answer));
    assert_int_equal(answer.verdict, REFUSED);
    asked.n_budgets    = 2; /* the same one twice is one */
    asked.input_tokens = 60;
    ledger_ask(ledger, &asked);
    assert_true(ledger_take_answer(ledger, &answer));
    assert_int_equal(answer.verdict, GRANTED);
    assert_int_equal(a->account.reserved.tokens, 60);
    ended.job         = id.text;
    ended.used_tokens = -5;
    ended.used_nanos  = INT64_MIN;
    ledger_end(ledger, &ended);
    assert_int_equal(a->account.spent.tokens, 0);
    ended.namespace_  = "default";
    ended.budgets     = names;
    ended.n_budgets   = 1;
    ended.used_tokens = INT64_MAX;
    ledger_end(ledger, &ended);
    ledger_end(ledger, &ended);
    assert_int_equal(a->account.spent.tokens, INT64_MAX);
    assert_int_equal(budget_left(&a->account).tokens, 0);
    ledger_free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_for_others),
        cmocka_unit_test(test_says_how_much_a_job_may_cost),
        cmocka_unit_test(test_pauses_until_there_is_more),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_several_budgets),
        cmocka_unit_test(test_purses),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_hostile_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
