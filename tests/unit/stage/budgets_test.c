/* Budgets in an engine: in one turn, and of calls that are no jobs, over crashes. */
#include "cmocka.h"

#include "budget.pb-c.h"
#include "scheduler/engine/budgets/ledger.h"
#include "scheduler/engine/engine_internal.h"
#include "stage/stage.h"
#include "usage.pb-c.h"

static struct stage *stage_new(void)
{
    struct stage *stage                = NULL;
    const struct stage_options options = {
        .partitions = 1, .seed = 7, .now_us = INT64_C(1'795'341'600'000'000)};
    assert_int_equal(stage_open(&options, &stage, NULL), STATUS_OK);
    return stage;
}

static struct stage_call *post(struct stage *stage, enum command_kind kind, const void *request,
                               void *response)
{
    struct stage_call *call = stage_call_new(kind, 0);
    call->command.namespace = str_from("*");
    call->command.request   = request;
    call->command.response  = response;
    assert_int_equal(stage_post(stage, 0, call, NULL), STATUS_OK);
    return call;
}

static Pb__PutBudget put_of(Pb__BudgetSpec *spec)
{
    Pb__PutBudget put = PB__PUT_BUDGET__INIT;
    *spec             = (Pb__BudgetSpec)PB__BUDGET_SPEC__INIT;
    spec->scope       = PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE;
    spec->tokens      = 100;
    put.namespace_    = "default";
    put.name          = "b";
    put.spec          = spec;
    return put;
}

/* It has no row yet when it goes. */
static void one_that_comes_and_goes_in_a_turn_leaves_nothing(void **)
{
    struct stage *stage = stage_new();
    Pb__BudgetSpec spec;
    const Pb__PutBudget put       = put_of(&spec);
    Pb__DeleteBudget gone         = PB__DELETE_BUDGET__INIT;
    Pb__BudgetView view           = PB__BUDGET_VIEW__INIT;
    Pb__DeletedBudget deleted     = PB__DELETED_BUDGET__INIT;
    gone.namespace_               = put.namespace_;
    gone.name                     = put.name;
    struct stage_call *const made = post(stage, COMMAND_PUT_BUDGET, &put, &view);
    struct stage_call *const over = post(stage, COMMAND_DELETE_BUDGET, &gone, &deleted);
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_false(stage_has_failed(stage));
    assert_int_equal(made->command.code, STATUS_OK);
    assert_int_equal(over->command.code, STATUS_OK);
    struct stage_call *const again = post(stage, COMMAND_DELETE_BUDGET, &gone, &deleted);
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(again->command.code, STATUS_NOT_FOUND);
    stage_call_free(made);
    stage_call_free(over);
    stage_call_free(again);
    stage_close(stage);
}

/* --- calls that are no jobs --------------------------------------------------------------------
 */

#define SECOND INT64_C(1'000'000)
enum { CALL_S = 600 /* the time of a call */ };

#define GRANTED PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED
#define WAITING PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING
#define REFUSED PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED

static struct id call_id(unsigned number)
{
    struct id_source source = {.last_ms = 1};
    return id_next(&source, 1'000 + number, number);
}

/* Answered and freed. */
static void post_one(struct stage *stage, enum command_kind kind, const void *request,
                     void *response)
{
    struct stage_call *call = post(stage, kind, request, response);
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(call->command.code, STATUS_OK);
    stage_call_free(call);
}

static void put_budget(struct stage *stage, const char *name, Pb__BudgetSpec spec)
{
    Pb__PutBudget put   = PB__PUT_BUDGET__INIT;
    Pb__BudgetView view = PB__BUDGET_VIEW__INIT;
    put.namespace_      = "default";
    put.name            = name;
    put.spec            = &spec;
    post_one(stage, COMMAND_PUT_BUDGET, &put, &view);
}

static Pb__BudgetSpec spec_of(Pb__BudgetScope scope, const char *value, int64_t tokens)
{
    Pb__BudgetSpec spec = PB__BUDGET_SPEC__INIT;
    spec.scope          = scope;
    spec.label          = scope == PB__BUDGET_SCOPE__BUDGET_SCOPE_LABEL ? "team" : "";
    spec.value          = value;
    spec.tokens         = tokens;
    return spec;
}

/* What a call may take, and who makes it. */
struct caller {
    const char *holder, *key, *team;
    int64_t tokens, picos; /* -1: no price */
};

static Pb__BudgetVerdict reserve(struct stage *stage, unsigned number, const struct caller *caller,
                                 bool is_charged)
{
    const struct id id           = call_id(number);
    Pb__Label team               = PB__LABEL__INIT;
    Pb__Label *labels[]          = {&team};
    Pb__ModelPrice price         = PB__MODEL_PRICE__INIT;
    Pb__ReserveBudgets request   = PB__RESERVE_BUDGETS__INIT;
    Pb__ReservedBudgets response = PB__RESERVED_BUDGETS__INIT;
    team.key                     = "team";
    team.value                   = caller->team;
    request.holder               = caller->holder;
    request.call                 = id.text;
    request.namespace_           = "default";
    request.key                  = caller->key;
    request.labels               = labels;
    request.n_labels             = 1;
    request.model                = "m";
    request.input_tokens         = caller->tokens;
    request.deadline_us          = stage_now_us(stage) + CALL_S * SECOND;
    price.input_picos            = caller->picos;
    if (caller->picos >= 0) request.price = &price;
    post_one(stage, COMMAND_RESERVE_BUDGETS, &request, &response);
    assert_int_equal(response.charged, is_charged);
    return response.verdict;
}

/* `number` 0: none has ended. */
/* Who pays is heard in a UsageReport only: this one has no number. */
static void settle(struct stage *stage, const char *holder, unsigned number, int64_t tokens)
{
    static const char *budgets[] = {"k", "n"};
    const struct id id           = call_id(number);
    Pb__CallEnd end              = PB__CALL_END__INIT;
    Pb__CallEnd *ends[]          = {&end};
    Pb__SettleBudgets request    = PB__SETTLE_BUDGETS__INIT;
    Pb__SettledBudgets response  = PB__SETTLED_BUDGETS__INIT;
    request.holder               = holder;
    request.ends                 = ends;
    request.n_ends               = number > 0 ? 1 : 0;
    end.call                     = id.text;
    end.used_tokens              = tokens;
    end.namespace_               = "default";
    end.budgets                  = budgets;
    end.n_budgets                = ARRAY_LEN(budgets);
    post_one(stage, COMMAND_SETTLE_BUDGETS, &request, &response);
}

static void assert_budget(struct stage *stage, const char *name, int64_t spent, int64_t reserved)
{
    const struct ledger_budget *budget =
        ledger_find(stage_engine(stage, 0)->ledger, str_from("default"), str_from(name));
    assert_non_null(budget);
    assert_int_equal(budget->account.spent.tokens, spent);
    assert_int_equal(budget->account.reserved.tokens, reserved);
}

static void restart(struct stage *stage)
{
    stage_crash(stage);
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
}

/* What a call has used, and with it what budgets are charged that it names. */
static void count(struct stage *stage, uint64_t report, unsigned number, int64_t tokens)
{
    static const char *budgets[] = {"k", "n", "nobody's"};
    const struct id id           = call_id(number);
    Pb__CallEnd end              = PB__CALL_END__INIT;
    Pb__CallEnd *ends[]          = {&end};
    Pb__UsageCounters counters   = PB__USAGE_COUNTERS__INIT;
    Pb__UsageRecord row          = PB__USAGE_RECORD__INIT;
    Pb__UsageRecord *rows[]      = {&row};
    Pb__UsageReport request      = PB__USAGE_REPORT__INIT;
    Pb__UsageReported response   = PB__USAGE_REPORTED__INIT;
    end.call                     = id.text;
    end.used_tokens              = tokens;
    end.namespace_               = "default";
    end.budgets                  = budgets;
    end.n_budgets                = ARRAY_LEN(budgets);
    counters.calls               = 1;
    counters.input_tokens        = tokens;
    row.namespace_               = "default";
    row.counters                 = &counters;
    request.source               = "0123456789abcdef0123456789abcdef";
    request.number               = report;
    request.rows                 = rows;
    request.n_rows               = tokens > 0 ? 1 : 0;
    request.ends                 = ends;
    request.n_ends               = 1;
    post_one(stage, COMMAND_REPORT_USAGE, &request, &response);
    assert_int_equal(response.last, report);
}

/* The scheduler dies between asking and settling, and after both. */
static void a_call_is_charged_once_over_crashes(void **)
{
    const struct caller caller = {"proxy", "key1", "blue", 60, 0};
    struct stage *stage        = stage_new();
    assert_int_equal(reserve(stage, 1, &caller, false), GRANTED); /* there is no budget */
    put_budget(stage, "k", spec_of(PB__BUDGET_SCOPE__BUDGET_SCOPE_KEY, "key1", 100));
    put_budget(stage, "t", spec_of(PB__BUDGET_SCOPE__BUDGET_SCOPE_LABEL, "blue", 1'000));
    put_budget(stage, "n", spec_of(PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE, "", 1'000));
    put_budget(stage, "x", spec_of(PB__BUDGET_SCOPE__BUDGET_SCOPE_KEY, "key2", 1'000));
    assert_int_equal(reserve(stage, 2, &caller, true), GRANTED);
    restart(stage);
    assert_budget(stage, "k", 0, 60);
    assert_budget(stage, "t", 0, 60);
    assert_budget(stage, "n", 0, 60);
    assert_budget(stage, "x", 0, 0);
    assert_int_equal(reserve(stage, 2, &caller, true), GRANTED); /* its answer was lost */
    assert_int_equal(reserve(stage, 3, &caller, false), WAITING);
    assert_budget(stage, "n", 0, 60);
    settle(stage, "proxy", 2, 45);
    restart(stage);
    settle(stage, "proxy", 2, 45);
    settle(stage, "proxy", 3, 45); /* it was never let go */
    assert_budget(stage, "k", 45, 0);
    assert_budget(stage, "n", 45, 0);
    assert_int_equal(reserve(stage, 4, &caller, false), REFUSED); /* 45 + 60 > 100 */
    assert_int_equal(reserve(stage, 5, &(struct caller){"proxy", "key2", "red", 60, 0}, true),
                     GRANTED);
    assert_budget(stage, "t", 45, 0);
    assert_budget(stage, "n", 45, 60);
    assert_int_equal(ledger_ask_count(stage_engine(stage, 0)->ledger), 1);
    stage_close(stage);
}

/* What the journal of a replica charges comes with what it counts: once, whenever it comes, also if
 * the replica has been gone for so long that nobody knows of the call. */
static void a_report_charges_in_full(void **)
{
    const struct caller caller = {"proxy", "key1", "", 60, 0};
    struct stage *stage        = stage_new();
    put_budget(stage, "k", spec_of(PB__BUDGET_SCOPE__BUDGET_SCOPE_KEY, "key1", 1'000));
    put_budget(stage, "n", spec_of(PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE, "", 1'000));
    for (unsigned number = 1; number <= 3; number++) {
        assert_int_equal(reserve(stage, number, &caller, true), GRANTED);
    }
    count(stage, 1, 1, 45);
    restart(stage);
    count(stage, 1, 1, 45); /* its answer was lost */
    assert_budget(stage, "k", 45, 120);
    assert_budget(stage, "n", 45, 120);
    for (int i = 0; i < 40; i++) {
        stage_pass(stage, SECOND);
        assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    }
    assert_budget(stage, "k", 45, 0); /* the replica is silent */
    count(stage, 2, 2, 30);
    assert_budget(stage, "k", 75, 0);
    stage_pass(stage, CALL_S * SECOND + LEDGER_KEPT_US);
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(ledger_ask_count(stage_engine(stage, 0)->ledger), 0);
    count(stage, 3, 3, 20);
    restart(stage);
    count(stage, 3, 3, 20);
    assert_budget(stage, "k", 95, 0);
    assert_budget(stage, "n", 95, 0);
    stage_close(stage);
}

/* Whoever has heard nothing has said that the call is over: nothing is set aside for it then. */
static void a_question_after_its_end_comes_too_late(void **)
{
    const struct caller caller = {"proxy", "key1", "", 60, 0};
    struct stage *stage        = stage_new();
    put_budget(stage, "n", spec_of(PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE, "", 100));
    settle(stage, "proxy", 1, 0);
    assert_int_equal(reserve(stage, 1, &caller, false), REFUSED);
    count(stage, 1, 2, 0);
    assert_int_equal(reserve(stage, 2, &caller, false), REFUSED);
    assert_int_equal(reserve(stage, 3, &caller, true), GRANTED);
    settle(stage, "proxy", 3, 10);
    assert_int_equal(reserve(stage, 3, &caller, false), REFUSED); /* its repetition */
    assert_budget(stage, "n", 10, 0);
    stage_close(stage);
}

/* A replica that dies has its calls given back, and charged if it was only silent. */
static void a_silent_replica_keeps_nothing(void **)
{
    const struct caller alive = {"alive", "key1", "", 40, 0};
    const struct caller dead  = {"dead", "key1", "", 40, 0};
    struct stage *stage       = stage_new();
    put_budget(stage, "n", spec_of(PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE, "", 100));
    assert_int_equal(reserve(stage, 1, &alive, true), GRANTED);
    assert_int_equal(reserve(stage, 2, &dead, true), GRANTED);
    restart(stage); /* it has the same time again */
    for (int i = 0; i < 40; i++) {
        stage_pass(stage, SECOND);
        settle(stage, "alive", 0, 0);
        if (i == 20) assert_budget(stage, "n", 0, 80);
    }
    assert_budget(stage, "n", 0, 40);
    settle(stage, "dead", 2, 30);
    settle(stage, "dead", 2, 30);
    assert_budget(stage, "n", 30, 40);
    for (int i = 0; i < CALL_S + 40; i += 5) { /* the answer was lost: nobody knows of it */
        stage_pass(stage, 5 * SECOND);
        settle(stage, "alive", 0, 0);
    }
    assert_budget(stage, "n", 30, 0);
    stage_pass(stage, LEDGER_KEPT_US);
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(ledger_ask_count(stage_engine(stage, 0)->ledger), 0);
    stage_close(stage);
}

/* What a call may answer with: of all that it is charged to, the least. */
static void a_grant_says_how_long_an_answer_may_be(void **)
{
    static const struct {
        int64_t tokens, nanos; /* of the budget; 0: no limit */
        int64_t output, room;  /* asked for, granted */
    } cases[] = {
        {1'000, 0, -1, 990}, {1'000'000, 0, -1, 4'096}, {1'000'000, 0, 50, 50}, {0, 100, -1, 90},
        {50, 100, -1, 40},   {500, 100, -1, 90},        {500, 100, 7, 7},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct stage *stage          = stage_new();
        const struct id id           = call_id(1);
        Pb__BudgetSpec spec          = spec_of(PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE, "", 0);
        Pb__ModelPrice price         = PB__MODEL_PRICE__INIT;
        Pb__ReserveBudgets request   = PB__RESERVE_BUDGETS__INIT;
        Pb__ReservedBudgets response = PB__RESERVED_BUDGETS__INIT;
        spec.tokens                  = cases[i].tokens;
        spec.usd_nanos               = cases[i].nanos;
        price.input_picos            = 1'000;
        price.output_picos           = 1'000;
        request.holder               = "proxy";
        request.call                 = id.text;
        request.namespace_           = "default";
        request.model                = "m";
        request.input_tokens         = 10;
        request.output_tokens        = cases[i].output;
        request.price                = &price;
        put_budget(stage, "n", spec);
        for (int again = 0; again < 2; again++) {
            post_one(stage, COMMAND_RESERVE_BUDGETS, &request, &response);
            assert_int_equal(response.verdict, GRANTED);
            if (response.output_tokens != cases[i].room) {
                fail_msg("%zu: %ld", i, (long)response.output_tokens);
            }
        }
        stage_close(stage);
    }
}

static void money_needs_a_price(void **)
{
    const struct caller priced   = {"proxy", "key1", "", 10, 1'000'000};
    const struct caller unpriced = {"proxy", "key1", "", 10, -1};
    struct stage *stage          = stage_new();
    Pb__BudgetSpec spec          = spec_of(PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE, "", 0);
    spec.usd_nanos               = 20'000;
    spec.daily                   = true;
    put_budget(stage, "n", spec);
    assert_int_equal(reserve(stage, 1, &unpriced, false), REFUSED);
    assert_int_equal(reserve(stage, 2, &priced, true), GRANTED);
    assert_int_equal(reserve(stage, 3, &priced, true), GRANTED);
    assert_int_equal(reserve(stage, 4, &priced, false), WAITING);
    spec.allows_unpriced = true;
    put_budget(stage, "n", spec);
    assert_int_equal(reserve(stage, 5, &unpriced, true), GRANTED); /* it takes nothing */
    stage_close(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_comes_and_goes_in_a_turn_leaves_nothing),
        cmocka_unit_test(a_call_is_charged_once_over_crashes),
        cmocka_unit_test(a_report_charges_in_full),
        cmocka_unit_test(a_question_after_its_end_comes_too_late),
        cmocka_unit_test(a_silent_replica_keeps_nothing),
        cmocka_unit_test(a_grant_says_how_long_an_answer_may_be),
        cmocka_unit_test(money_needs_a_price),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
