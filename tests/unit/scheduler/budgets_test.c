/* Budgets at work, over a socket and over two partitions: what is set aside, who waits, what is
 * refused or paused, and what a restart leaves. */
#include "cmocka.h"

#include "base/clock.h"
#include "budget.pb-c.h"
#include "scheduler/engine/budgets/book.h"
#include "scheduler/scheduler.h"
#include "scheduler/tables/tables.h"
#include "support/scheduler/rig.h"

#include <stdio.h>

/* 1 token of text, 4 around it, and 91 of answer. */
#define CHAT "call: llm.chat\n      with: {model: smart, prompt: hi, max_tokens: 91}\n"

static const char one[]  = "  - a:\n      " CHAT;
static const char once[] = "  - a:\n      " CHAT "      metadata: {tutti: {retry: none}}\n";
static const char many[] = "  - all:\n      for: {each: i, in: '${ [range(0; 6)] }'}\n"
                           "      metadata: {tutti: {parallel: 6}}\n"
                           "      do:\n        - a:\n            call: llm.chat\n"
                           "            with: {model: smart, prompt: hi, max_tokens: 91}\n";
static const char tries[] =
    "  - a:\n      try:\n        - b:\n            call: llm.chat\n"
    "            with: {model: smart, prompt: hi, max_tokens: 91}\n"
    "      catch:\n        errors: {with: {type: 'https://tutti.dev/errors/budget', status: 402}}\n"
    "        do: [{other: {set: {way: other}}}]\n";
static const char family[] =
    "  - all:\n      for: {each: i, in: '${ [range(0; 6)] }'}\n"
    "      metadata: {tutti: {parallel: 6}}\n      do:\n        - a:\n"
    "            run: {workflow: {namespace: default, name: once, version: latest}}\n";
enum { CALL = 96 /* tokens that a call of these may take */ };

static void begin(struct rig *rig, uint16_t partitions, bool is_durable)
{
    uint32_t lease_ms = rig->lease_ms;
    *rig              = (struct rig){.lease_ms = lease_ms};
    rig_init(rig, partitions, is_durable);
    rig_put(rig, "one", one);
    rig_put(rig, "once", once);
    rig_put(rig, "many", many);
    rig_put(rig, "tries", tries);
    rig_put(rig, "family", family);
}

static void put(struct rig *rig, const char *name, const char *spec, status expected)
{
    Pb__PutBudget message       = PB__PUT_BUDGET__INIT;
    message.name                = name;
    message.namespace_          = "default";
    message.by                  = "test";
    message.spec_json           = rig_bytes(spec);
    const struct question asked = {.service  = &pb__budgets__descriptor,
                                   .method   = "Put",
                                   .message  = &message,
                                   .expected = expected};
    (void)rig_ask(rig, &asked);
}

static const Pb__BudgetView *get(struct rig *rig, const char *name)
{
    Pb__GetBudget message       = PB__GET_BUDGET__INIT;
    message.name                = name;
    message.namespace_          = "default";
    const struct question asked = {
        .service = &pb__budgets__descriptor, .method = "Get", .message = &message};
    return rig_ask(rig, &asked);
}

/* Other partitions' questions and settlements come a moment later. */
static void budget_when(struct rig *rig, const char *name, int64_t spent, int64_t reserved,
                        uint64_t waiting, uint64_t paused)
{
    int64_t until_ms           = clock_mono_ms() + RIG_WAIT_MS;
    const Pb__BudgetView *view = get(rig, name);
    while (view->spent_tokens != spent || view->reserved_tokens != reserved ||
           view->waiting != waiting || view->paused != paused) {
        bool is_late = clock_mono_ms() > until_ms;
        if (is_late) {
            print_error("%s: spent %lld, reserved %lld, waiting %llu, paused %llu\n", name,
                        (long long)view->spent_tokens, (long long)view->reserved_tokens,
                        (unsigned long long)view->waiting, (unsigned long long)view->paused);
        }
        assert_false(is_late);
        rig_forget(rig);
        rig_pause();
        view = get(rig, name);
    }
}

/* Client ids spread runs over the partitions. */
struct client_id {
    char text[32];
};
static struct client_id id_of(int number)
{
    struct client_id id;
    (void)snprintf(id.text, sizeof id.text, "r%d", number);
    return id;
}

static const char *start(struct rig *rig, const char *workflow, int number, int64_t tokens,
                         const char *label)
{
    const struct client_id client = id_of(number);
    const char *id                = client.text;
    Pb__Label team                = PB__LABEL__INIT;
    Pb__Label *labels[]           = {&team};
    Pb__StartRun message          = PB__START_RUN__INIT;
    team.key                      = "team";
    team.value                    = label ? label : "";
    message.workflow              = workflow;
    message.client_id             = id;
    message.created_by            = "key1";
    message.budget_tokens         = tokens;
    message.labels                = labels;
    message.n_labels              = label ? 1 : 0;
    return rig_start_as(rig, &message);
}

static uint32_t done(struct rig *rig, const Pb__LeasedJob *job, int64_t tokens, int64_t nanos,
                     int64_t picos)
{
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    Pb__JobReport made         = PB__JOB_REPORT__INIT;
    Pb__Usage usage            = PB__USAGE__INIT;
    Pb__ModelPrice price       = PB__MODEL_PRICE__INIT;
    usage.input_tokens         = 5;
    usage.output_tokens        = tokens - 5;
    usage.cost_usd_nanos       = nanos;
    usage.cost_source          = PB__COST_SOURCE__COST_SOURCE_REPORTED;
    price.input_picos = price.output_picos = picos;
    completed.output_json                  = rig_bytes("1");
    completed.usage                        = &usage;
    if (picos >= 0) completed.price = &price;
    made.result_case = PB__JOB_REPORT__RESULT_COMPLETED;
    made.completed   = &completed;
    return rig_report(rig, job, &made);
}

#define COMPLETED PB__RUN_STATUS__RUN_STATUS_COMPLETED
#define FAULTED   PB__RUN_STATUS__RUN_STATUS_FAULTED
#define SUSPENDED PB__RUN_STATUS__RUN_STATUS_SUSPENDED

/* --- a run's own budget ------------------------------------------------------------------------
 */

static void test_branches_of_one_run(void **)
{
    struct rig rig = {};
    begin(&rig, 1, true);
    const char *run            = start(&rig, "many", 1, 2 * CALL + 50, NULL);
    const Pb__LeasedJob *first = rig_lease_soon(&rig, "llm");
    const Pb__LeasedJob *next  = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm")); /* the third would not fit beside them */
    rig_restart(&rig);
    assert_null(rig_lease_any(&rig, "llm"));
    assert_int_equal(done(&rig, first, 20, 0, -1), STATUS_OK); /* 20 spent, 130 left */
    const Pb__LeasedJob *third = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm"));
    assert_int_equal(done(&rig, next, 60, 0, -1), STATUS_OK);   /* 80 spent, 70 left */
    assert_int_equal(done(&rig, third, 100, 0, -1), STATUS_OK); /* 180: another does not fit */
    rig_wait_for(&rig, run, FAULTED);
    static const char type[] = "{\"type\":\"https://tutti.dev/errors/budget\",\"status\":402";
    const Pb__RunView *ended = rig_get(&rig, run);
    assert_true(ended->error_json.len > strlen(type));
    assert_memory_equal(ended->error_json.data, type, strlen(type));
    rig_done(&rig);
}

/* Children that run at once spend of one budget, wherever they are. */
static void children_of_one_run(uint16_t partitions)
{
    struct rig rig = {};
    begin(&rig, partitions, true);
    const char *run            = start(&rig, "family", 1, 2 * CALL + 50, NULL);
    const Pb__LeasedJob *first = rig_lease_soon(&rig, "llm");
    const Pb__LeasedJob *next  = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm")); /* the third would not fit beside them */
    rig_restart(&rig);
    assert_null(rig_lease_any(&rig, "llm"));
    assert_int_equal(done(&rig, first, 20, 0, -1), STATUS_OK);
    const Pb__LeasedJob *third = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm"));
    assert_int_equal(done(&rig, next, 60, 0, -1), STATUS_OK);
    assert_int_equal(done(&rig, third, 100, 0, -1), STATUS_OK); /* 180: another does not fit */
    rig_wait_for(&rig, run, FAULTED);
    assert_null(rig_lease_any(&rig, "llm"));
    rig_done(&rig);
}

static void test_children_of_one_run(void **)
{
    children_of_one_run(1);
    children_of_one_run(3);
}

static uint64_t purse_count(const struct rig *rig)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    const struct shard *shard           = scheduler_shard(rig->scheduler, 0);
    uint64_t count                      = 0;
    assert_int_equal(txn_begin_read(shard->partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, TABLE_RUN_PURSES, &count, NULL), STATUS_OK);
    return count;
}

static void a_purse_goes_with_its_run(uint16_t partitions)
{
    struct rig rig = {};
    begin(&rig, partitions, false);
    const char *run  = start(&rig, "family", 1, 10'000, NULL);
    int64_t until_ms = clock_mono_ms() + RIG_WAIT_MS;
    for (int i = 0; i < 6; i++) {
        const Pb__LeasedJob *job = rig_lease_soon(&rig, "llm");
        assert_int_equal(purse_count(&rig), 1);
        assert_int_equal(done(&rig, job, 20, 0, -1), STATUS_OK);
    }
    rig_wait_for(&rig, run, COMPLETED);
    while (purse_count(&rig) > 0 && clock_mono_ms() < until_ms) rig_pause();
    assert_int_equal(purse_count(&rig), 0);
    rig_done(&rig);
}

static void test_a_purse_goes_with_its_run(void **)
{
    a_purse_goes_with_its_run(1);
    a_purse_goes_with_its_run(3);
}

/* --- budgets of many runs ----------------------------------------------------------------------
 */

static void test_set_aside_and_settled(void **)
{
    struct rig rig = {};
    begin(&rig, 1, true);
    put(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 250}", STATUS_OK);
    for (int i = 0; i < 6; i++) (void)start(&rig, "one", i, 0, NULL);
    budget_when(&rig, "all", 0, 2 * CALL, 4, 0);
    const Pb__LeasedJob *first = rig_lease_soon(&rig, "llm");
    const Pb__LeasedJob *next  = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm"));
    const Pb__RunView *waits = rig_get(&rig, start(&rig, "one", 7, 0, NULL));
    assert_string_equal(waits->waiting_for[0]->kind, "budget");

    rig_restart(&rig);
    budget_when(&rig, "all", 0, 2 * CALL, 5, 0);
    assert_null(rig_lease_any(&rig, "llm"));
    assert_int_equal(done(&rig, first, 50, 0, -1), STATUS_OK);
    assert_int_equal(done(&rig, first, 50, 0, -1), STATUS_FAILED_PRECONDITION); /* again */
    budget_when(&rig, "all", 50, 2 * CALL, 4, 0);
    assert_int_equal(done(&rig, next, 60, 0, -1), STATUS_OK); /* 110 */
    budget_when(&rig, "all", 110, CALL, 4, 0);
    assert_int_equal(done(&rig, rig_lease_soon(&rig, "llm"), 90, 0, -1), STATUS_OK); /* 200 */
    budget_when(&rig, "all", 200, 0, 0, 0);                                          /* refused */
    const char *refused = start(&rig, "tries", 100, 0, NULL);
    rig_wait_for(&rig, refused, COMPLETED);
    put(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 300}", STATUS_OK);
    (void)start(&rig, "one", 101, 0, NULL);
    budget_when(&rig, "all", 200, CALL, 0, 0);
    rig_done(&rig);
}

/* Everything that ends an attempt gives back what it had. */
static void test_given_back(void **)
{
    struct rig rig = {.lease_ms = 200};
    begin(&rig, 1, true);
    put(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 1000}", STATUS_OK);
    const char *silent = start(&rig, "once", 1, 0, NULL);
    (void)rig_lease_soon(&rig, "llm");
    rig_wait_for(&rig, silent, FAULTED); /* its worker fell silent */
    budget_when(&rig, "all", 0, 0, 0, 0);

    const char *stopped         = start(&rig, "one", 2, 0, NULL);
    Pb__CancelRun message       = PB__CANCEL_RUN__INIT;
    message.id                  = stopped;
    const struct question asked = {.service   = &pb__runs__descriptor,
                                   .method    = "Cancel",
                                   .message   = &message,
                                   .partition = id_partition(str_from(stopped))};
    budget_when(&rig, "all", 0, CALL, 0, 0);
    (void)rig_ask(&rig, &asked);
    budget_when(&rig, "all", 0, 0, 0, 0);
    rig_done(&rig);
}

static void test_pause_and_raise(void **)
{
    struct rig rig = {};
    begin(&rig, 1, true);
    put(&rig, "blue",
        "{\"scope\": {\"label\": {\"team\": \"blue\"}}, \"tokens\": 120, "
        "\"on_spent\": \"pause\"}",
        STATUS_OK);
    for (int i = 0; i < 4; i++) {
        const char *free = start(&rig, "one", 200 + i, 0, "red"); /* not charged */
        assert_int_equal(done(&rig, rig_lease_soon(&rig, "llm"), 90, 0, -1), STATUS_OK);
        rig_wait_for(&rig, free, COMPLETED);
    }
    (void)start(&rig, "one", 1, 0, "blue");
    assert_int_equal(done(&rig, rig_lease_soon(&rig, "llm"), 90, 0, -1), STATUS_OK);
    budget_when(&rig, "blue", 90, 0, 0, 0);
    const char *runs[4];
    for (int i = 0; i < 4; i++) runs[i] = start(&rig, "one", 10 + i, 0, "blue");
    for (int i = 0; i < 4; i++) rig_wait_for(&rig, runs[i], SUSPENDED);
    budget_when(&rig, "blue", 90, 0, 0, 4);
    rig_restart(&rig);
    budget_when(&rig, "blue", 90, 0, 0, 4);

    /* By hand it is asked again, and paused again. */
    Pb__StopRun message         = PB__STOP_RUN__INIT;
    message.id                  = runs[0];
    const struct question asked = {.service   = &pb__runs__descriptor,
                                   .method    = "Resume",
                                   .message   = &message,
                                   .partition = id_partition(str_from(runs[0]))};
    (void)rig_ask(&rig, &asked);
    rig_wait_for(&rig, runs[0], SUSPENDED);
    budget_when(&rig, "blue", 90, 0, 0, 4);

    put(&rig, "blue", "{\"scope\": {\"label\": {\"team\": \"blue\"}}, \"tokens\": 900}", STATUS_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(done(&rig, rig_lease_soon(&rig, "llm"), 10, 0, -1), STATUS_OK);
    }
    for (int i = 0; i < 4; i++) rig_wait_for(&rig, runs[i], COMPLETED);
    budget_when(&rig, "blue", 130, 0, 0, 0);
    rig_done(&rig);
}

/* Of a model whose price nobody knows yet one call goes at a time. */
static void test_unknown_price(void **)
{
    struct rig rig = {};
    begin(&rig, 1, false);
    put(&rig, "money", "{\"scope\": {\"key\": \"key1\"}, \"usd\": \"0.001\"}", STATUS_OK);
    for (int i = 0; i < 4; i++) (void)start(&rig, "one", 2 * i, 0, NULL);
    budget_when(&rig, "money", 0, 0, 3, 0);
    const Pb__LeasedJob *first = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm"));
    assert_true(first->needs_price);
    assert_int_equal(get(&rig, "money")->reserved_nanos, 1'000'000);
    /* 50 tokens for 5,000 nanos each: three more calls of 100 fit into what is left. */
    assert_int_equal(done(&rig, first, 50, 250'000, 2'000'000), STATUS_OK);
    budget_when(&rig, "money", 50, 0, 0, 0);
    rig_done(&rig);
}

/* The other partition hears of a budget a moment later; then its calls ask, too. */
static void test_two_partitions(void **)
{
    enum { SPENT = 10 };
    struct rig rig   = {};
    int64_t until_ms = clock_mono_ms() + RIG_WAIT_MS;
    int number       = 0;
    int64_t early    = 0;
    begin(&rig, 2, true);
    put(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 1000}", STATUS_OK);
    for (;;) { /* what goes before is charged all the same */
        assert_true(clock_mono_ms() < until_ms);
        while (partition_of_text(str_from("default"), str_from(id_of(++number).text), 2) != 1) {
        }
        (void)start(&rig, "one", number, 0, NULL);
        const Pb__LeasedJob *job = rig_lease_of(&rig, "llm", 1);
        if (!job) break;
        assert_int_equal(done(&rig, job, SPENT, 0, -1), STATUS_OK);
        early += SPENT;
    }
    budget_when(&rig, "all", early, CALL, 0, 0);
    rig_restart(&rig);
    budget_when(&rig, "all", early, CALL, 0, 0);
    assert_int_equal(done(&rig, rig_lease_soon(&rig, "llm"), 40, 0, -1), STATUS_OK);
    budget_when(&rig, "all", early + 40, 0, 0, 0);

    put(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 140, \"on_spent\": \"pause\"}",
        STATUS_OK);
    const char *runs[4];
    for (int i = 0; i < 4; i++) runs[i] = start(&rig, "one", 1'000 + i, 0, NULL);
    budget_when(&rig, "all", early + 40, early == 0 ? CALL : 0, early == 0 ? 3 : 0,
                early == 0 ? 0 : 4);
    put(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 10000}", STATUS_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(done(&rig, rig_lease_soon(&rig, "llm"), SPENT, 0, -1), STATUS_OK);
    }
    for (int i = 0; i < 4; i++) rig_wait_for(&rig, runs[i], COMPLETED);
    budget_when(&rig, "all", early + 40 + 4 * SPENT, 0, 0, 0);
    rig_done(&rig);
}

static void test_refused_specs(void **)
{
    static const char *const specs[] = {
        "[]",
        "{\"tokens\": 5}",
        "{\"scope\": \"all\", \"tokens\": 5}",
        "{\"scope\": \"namespace\"}",
        "{\"scope\": \"namespace\", \"tokens\": 0}",
        "{\"scope\": \"namespace\", \"tokens\": 1.5}",
        "{\"scope\": \"namespace\", \"usd\": \"-1\"}",
        "{\"scope\": \"namespace\", \"usd\": \"0.0000000001\"}",
        "{\"scope\": {\"label\": {}}, \"tokens\": 5}",
        "{\"scope\": {\"label\": {\"a\": \"b\", \"c\": \"d\"}}, \"tokens\": 5}",
        "{\"scope\": {\"run\": \"\"}, \"tokens\": 5}",
        "{\"scope\": {\"key\": \"a\\u0000b\"}, \"tokens\": 5}",
        "{\"scope\": \"namespace\", \"tokens\": 5, \"period\": \"week\"}",
        "{\"scope\": \"namespace\", \"tokens\": 5, \"time_zone\": \"Europe/Berlin\"}",
        "{\"scope\": \"namespace\", \"tokens\": 5, \"period\": \"day\", \"time_zone\": \"X\"}",
        "{\"scope\": \"namespace\", \"tokens\": 5, \"on_spent\": \"cry\"}",
    };
    struct rig rig = {};
    begin(&rig, 1, false);
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        put(&rig, "b", specs[i], STATUS_INVALID_ARGUMENT);
    }
    put(&rig, "Not A Name", "{\"scope\": \"namespace\", \"tokens\": 5}", STATUS_INVALID_ARGUMENT);
    put(&rig, "b", "{\"scope\": \"namespace\", \"tokens\": 5}", STATUS_OK);
    put(&rig, "b", "{\"scope\": {\"run\": \"r\"}, \"tokens\": 5}", STATUS_FAILED_PRECONDITION);
    Pb__DeleteBudget message = PB__DELETE_BUDGET__INIT;
    message.name             = "b";
    message.namespace_       = "default";
    struct question asked    = {
           .service = &pb__budgets__descriptor, .method = "Delete", .message = &message};
    (void)rig_ask(&rig, &asked);
    asked.expected = STATUS_NOT_FOUND;
    (void)rig_ask(&rig, &asked);
    rig_done(&rig);
}

/* What was asked for is refused; what has been spent without asking is charged to some. */
static void test_more_budgets_than_are_charged(void **)
{
    enum { COUNT = BUDGET_PAYERS_MAX + 1, SPENT = 10 };
    struct rig rig = {};
    begin(&rig, 1, false);
    const char *early        = start(&rig, "one", 1, 0, NULL);
    const Pb__LeasedJob *job = rig_lease_soon(&rig, "llm");
    int64_t charged          = 0;
    for (int i = 0; i < COUNT; i++) {
        put(&rig, id_of(i).text, "{\"scope\": \"namespace\", \"tokens\": 1000}", STATUS_OK);
    }
    assert_int_equal(done(&rig, job, SPENT, 0, -1), STATUS_OK);
    rig_wait_for(&rig, early, COMPLETED);
    for (int i = 0; i < COUNT; i++) charged += get(&rig, id_of(i).text)->spent_tokens;
    assert_int_equal(charged, BUDGET_PAYERS_MAX * SPENT);
    rig_wait_for(&rig, start(&rig, "tries", 2, 0, NULL), COMPLETED);
    rig_done(&rig);
}

/* --- what has no answer ------------------------------------------------------------------------
 */

/* Hands it back; says that so many tokens were used. */
static uint32_t hand_back(struct rig *rig, const Pb__LeasedJob *job, int64_t tokens)
{
    Pb__JobReleased released = PB__JOB_RELEASED__INIT;
    Pb__JobReport made       = PB__JOB_REPORT__INIT;
    Pb__Usage usage          = PB__USAGE__INIT;
    usage.calls              = 1;
    usage.input_tokens       = tokens;
    usage.cost_usd_nanos     = tokens * 1'000;
    usage.cost_source        = PB__COST_SOURCE__COST_SOURCE_REPORTED;
    released.reason          = "test";
    released.usage           = tokens > 0 ? &usage : NULL;
    made.result_case         = PB__JOB_REPORT__RESULT_RELEASED;
    made.released            = &released;
    return rig_report(rig, job, &made);
}

static void assert_used(struct rig *rig, const char *run, int64_t calls, int64_t tokens)
{
    const Pb__RunView *view = rig_get(rig, run);
    assert_int_equal(view->usage->calls, calls);
    assert_int_equal(view->usage->input_tokens + view->usage->output_tokens, tokens);
}

/* Whether it has asked anew by then or not. */
static void spent_when(struct rig *rig, const char *name, int64_t spent)
{
    int64_t until_ms = clock_mono_ms() + RIG_WAIT_MS;
    while (get(rig, name)->spent_tokens != spent) {
        assert_true(clock_mono_ms() < until_ms);
        rig_forget(rig);
        rig_pause();
    }
}

static void test_handed_back_is_paid(void **)
{
    struct rig rig = {};
    begin(&rig, 2, true);
    put(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    const char *last = NULL;
    for (int i = 0; i < 4; i++) { /* in both partitions */
        const char *run          = start(&rig, "one", i, 0, NULL);
        const Pb__LeasedJob *job = rig_lease_soon(&rig, "llm");
        assert_int_equal(hand_back(&rig, job, 0), STATUS_OK);
        job = rig_lease_soon(&rig, "llm");
        assert_int_equal(hand_back(&rig, job, 7), STATUS_OK);
        assert_int_equal(hand_back(&rig, job, 7), STATUS_FAILED_PRECONDITION);
        assert_used(&rig, run, 1, 7);
        spent_when(&rig, "all", i * 17 + 7);
        job = rig_lease_soon(&rig, "llm");
        assert_int_equal(done(&rig, job, 10, 0, -1), STATUS_OK);
        rig_wait_for(&rig, run, COMPLETED);
        assert_used(&rig, run, 1, 17); /* that answer names no call */
        last = run;
        budget_when(&rig, "all", i * 17 + 17, 0, 0, 0);
    }
    rig_restart(&rig);
    assert_used(&rig, last, 1, 17);
    rig_done(&rig);
}

static void cancel(struct rig *rig, const char *run)
{
    Pb__CancelRun message       = PB__CANCEL_RUN__INIT;
    message.id                  = run;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Cancel", .message = &message};
    (void)rig_ask(rig, &asked);
}

static void test_cancelled_is_paid_once(void **)
{
    struct rig rig = {};
    unsigned kept  = 0;
    begin(&rig, 2, true);
    put(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    for (int i = 0; i < 4; i++) {
        const char *run          = start(&rig, "one", i, 0, NULL);
        const Pb__LeasedJob *job = rig_lease_soon(&rig, "llm");
        int64_t aside            = get(&rig, "all")->reserved_tokens;
        kept += aside > 0; /* not if its partition has not heard of the budget yet */
        cancel(&rig, run);
        if (i % 2 > 0) rig_restart(&rig);
        budget_when(&rig, "all", i * 7, aside, 0, 0); /* its holder has not said yet */
        for (int k = 0; k < 2; k++) {                 /* its answer was lost */
            assert_int_equal(hand_back(&rig, job, 7), STATUS_FAILED_PRECONDITION);
        }
        assert_used(&rig, run, 1, 7);
        budget_when(&rig, "all", (i + 1) * 7, 0, 0, 0);
        rig_wait_for_event(&rig, run, "run.charged");
        if (i % 2 == 0) rig_restart(&rig);
        assert_int_equal(hand_back(&rig, job, 7), STATUS_FAILED_PRECONDITION);
        assert_used(&rig, run, 1, 7);
        assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_CANCELLED);
    }
    assert_true(kept > 0);
    budget_when(&rig, "all", 4 * 7, 0, 0, 0);
    rig_done(&rig);
}

/* --- leases that are lost ----------------------------------------------------------------------
 */

/* With an answer that was bought under the lease of `payer`. */
static uint32_t done_as(struct rig *rig, const Pb__LeasedJob *job, const Pb__LeasedJob *payer,
                        int64_t tokens)
{
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    Pb__JobReport made         = PB__JOB_REPORT__INIT;
    Pb__Usage usage            = PB__USAGE__INIT;
    usage.calls                = 1;
    usage.input_tokens         = tokens;
    usage.cost_source          = PB__COST_SOURCE__COST_SOURCE_REPORTED;
    completed.output_json      = rig_bytes("1");
    completed.usage            = &usage;
    completed.bought_by        = payer->lease_token;
    made.result_case           = PB__JOB_REPORT__RESULT_COMPLETED;
    made.completed             = &completed;
    return rig_report(rig, job, &made);
}

enum { LAPSES_MS = 10, HOLDS_MS = 60'000 };

/* One that lapses at once, and the next one of the same job. */
static void lease_twice(struct rig *rig, const Pb__LeasedJob **ret_lost,
                        const Pb__LeasedJob **ret_held)
{
    rig->lease_ms = LAPSES_MS;
    *ret_lost     = rig_lease_soon(rig, "llm");
    rig->lease_ms = HOLDS_MS;
    *ret_held     = rig_lease_soon(rig, "llm");
    assert_string_equal((*ret_lost)->id, (*ret_held)->id);
}

/* Who has lost it says later what was bought: before and after the next one has answered. */
static void test_lost_is_paid_once(void **)
{
    struct rig rig            = {};
    const Pb__LeasedJob *lost = NULL;
    const Pb__LeasedJob *held = NULL;
    begin(&rig, 2, true);
    put(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    for (int i = 0; i < 2; i++) {
        const char *run = start(&rig, "one", i, 0, NULL);
        lease_twice(&rig, &lost, &held);
        if (i > 0) assert_int_equal(done(&rig, held, 10, 0, -1), STATUS_OK);
        rig_restart(&rig);
        for (int k = 0; k < 2; k++) { /* its answer was lost */
            assert_int_equal(hand_back(&rig, lost, 7), STATUS_FAILED_PRECONDITION);
        }
        if (i == 0) assert_int_equal(done(&rig, held, 10, 0, -1), STATUS_OK);
        rig_wait_for(&rig, run, COMPLETED);
        assert_int_equal(hand_back(&rig, lost, 7), STATUS_FAILED_PRECONDITION);
        assert_used(&rig, run, 1, 17);
        budget_when(&rig, "all", (i + 1) * 17, 0, 0, 0);
    }
    rig_done(&rig);
}

/* The next one finds the answer that was bought under the lost lease: whoever says so first is
 * charged. */
static void test_an_answer_of_a_lost_lease_is_paid_once(void **)
{
    struct rig rig            = {};
    const Pb__LeasedJob *lost = NULL;
    const Pb__LeasedJob *held = NULL;
    begin(&rig, 2, true);
    put(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    for (int i = 0; i < 2; i++) {
        const char *run   = start(&rig, "one", i, 0, NULL);
        bool comes_before = i == 0;
        lease_twice(&rig, &lost, &held);
        if (comes_before) {
            assert_int_equal(done_as(&rig, lost, lost, 7), STATUS_FAILED_PRECONDITION);
        }
        rig_restart(&rig);
        assert_int_equal(done_as(&rig, held, lost, 7), STATUS_OK);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(done_as(&rig, lost, lost, 7), STATUS_FAILED_PRECONDITION);
        }
        rig_wait_for(&rig, run, COMPLETED);
        assert_used(&rig, run, 1, 7);
        budget_when(&rig, "all", (i + 1) * 7, 0, 0, 0);
    }
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_branches_of_one_run),
        cmocka_unit_test(test_set_aside_and_settled),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_pause_and_raise),
        cmocka_unit_test(test_unknown_price),
        cmocka_unit_test(test_two_partitions),
        cmocka_unit_test(test_refused_specs),
        cmocka_unit_test(test_children_of_one_run),
        cmocka_unit_test(test_a_purse_goes_with_its_run),
        cmocka_unit_test(test_more_budgets_than_are_charged),
        cmocka_unit_test(test_handed_back_is_paid),
        cmocka_unit_test(test_cancelled_is_paid_once),
        cmocka_unit_test(test_lost_is_paid_once),
        cmocka_unit_test(test_an_answer_of_a_lost_lease_is_paid_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
