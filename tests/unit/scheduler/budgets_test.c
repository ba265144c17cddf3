/* Budgets at work, over a socket and over two partitions: what is set aside, who waits, what is
 * refused or paused, and what a restart leaves. */
#include "cmocka.h"

#include "base/clock.h"
#include "scheduler/engine/budgets/book.h"
#include "support/scheduler/rig_rows.h"
#include "support/scheduler/spender.h"

#include <stdio.h>

enum { CALL = SPENDER_CALL_TOKENS };

#define COMPLETED PB__RUN_STATUS__RUN_STATUS_COMPLETED
#define FAULTED   PB__RUN_STATUS__RUN_STATUS_FAULTED
#define SUSPENDED PB__RUN_STATUS__RUN_STATUS_SUSPENDED

/* --- a run's own budget ------------------------------------------------------------------------
 */

static void test_branches_of_one_run(void **)
{
    struct rig rig = {};
    spender_begin(&rig, 1, true);
    const char *run            = spender_start(&rig, "many", 1, 2 * CALL + 50, NULL);
    const Pb__LeasedJob *first = rig_lease_soon(&rig, "llm");
    const Pb__LeasedJob *next  = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm")); /* the third would not fit beside them */
    rig_restart(&rig);
    assert_null(rig_lease_any(&rig, "llm"));
    assert_int_equal(spender_done(&rig, first, 20, 0, -1), STATUS_OK); /* 20 spent, 130 left */
    const Pb__LeasedJob *third = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm"));
    assert_int_equal(spender_done(&rig, next, 60, 0, -1), STATUS_OK); /* 80 spent, 70 left */
    assert_int_equal(spender_done(&rig, third, 100, 0, -1),
                     STATUS_OK); /* 180: another does not fit */
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
    spender_begin(&rig, partitions, true);
    const char *run            = spender_start(&rig, "family", 1, 2 * CALL + 50, NULL);
    const Pb__LeasedJob *first = rig_lease_soon(&rig, "llm");
    const Pb__LeasedJob *next  = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm")); /* the third would not fit beside them */
    rig_restart(&rig);
    assert_null(rig_lease_any(&rig, "llm"));
    assert_int_equal(spender_done(&rig, first, 20, 0, -1), STATUS_OK);
    const Pb__LeasedJob *third = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm"));
    assert_int_equal(spender_done(&rig, next, 60, 0, -1), STATUS_OK);
    assert_int_equal(spender_done(&rig, third, 100, 0, -1),
                     STATUS_OK); /* 180: another does not fit */
    rig_wait_for(&rig, run, FAULTED);
    assert_null(rig_lease_any(&rig, "llm"));
    rig_done(&rig);
}

static void test_children_of_one_run(void **)
{
    children_of_one_run(1);
    children_of_one_run(3);
}

static void a_purse_goes_with_its_run(uint16_t partitions)
{
    struct rig rig = {};
    spender_begin(&rig, partitions, false);
    const char *run  = spender_start(&rig, "family", 1, 10'000, NULL);
    int64_t until_ms = clock_mono_ms() + RIG_WAIT_MS;
    for (int i = 0; i < 6; i++) {
        const Pb__LeasedJob *job = rig_lease_soon(&rig, "llm");
        assert_int_equal(rig_count_rows(&rig, TABLE_RUN_PURSES), 1);
        assert_int_equal(spender_done(&rig, job, 20, 0, -1), STATUS_OK);
    }
    rig_wait_for(&rig, run, COMPLETED);
    while (rig_count_rows(&rig, TABLE_RUN_PURSES) > 0 && clock_mono_ms() < until_ms) rig_pause();
    assert_int_equal(rig_count_rows(&rig, TABLE_RUN_PURSES), 0);
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
    spender_begin(&rig, 1, true);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 250}", STATUS_OK);
    for (int i = 0; i < 6; i++) (void)spender_start(&rig, "one", i, 0, NULL);
    spender_wait_for(&rig, "all", 0, 2 * CALL, 4, 0);
    const Pb__LeasedJob *first = rig_lease_soon(&rig, "llm");
    const Pb__LeasedJob *next  = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm"));
    const Pb__RunView *waits = rig_get(&rig, spender_start(&rig, "one", 7, 0, NULL));
    assert_string_equal(waits->waiting_for[0]->kind, "budget");

    rig_restart(&rig);
    spender_wait_for(&rig, "all", 0, 2 * CALL, 5, 0);
    assert_null(rig_lease_any(&rig, "llm"));
    assert_int_equal(spender_done(&rig, first, 50, 0, -1), STATUS_OK);
    assert_int_equal(spender_done(&rig, first, 50, 0, -1), STATUS_FAILED_PRECONDITION); /* again */
    spender_wait_for(&rig, "all", 50, 2 * CALL, 4, 0);
    assert_int_equal(spender_done(&rig, next, 60, 0, -1), STATUS_OK); /* 110 */
    spender_wait_for(&rig, "all", 110, CALL, 4, 0);
    assert_int_equal(spender_done(&rig, rig_lease_soon(&rig, "llm"), 90, 0, -1),
                     STATUS_OK);                 /* 200 */
    spender_wait_for(&rig, "all", 200, 0, 0, 0); /* refused */
    const char *refused = spender_start(&rig, "tries", 100, 0, NULL);
    rig_wait_for(&rig, refused, COMPLETED);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 300}", STATUS_OK);
    (void)spender_start(&rig, "one", 101, 0, NULL);
    spender_wait_for(&rig, "all", 200, CALL, 0, 0);
    rig_done(&rig);
}

/* Everything that ends an attempt gives back what it had. */
static void test_given_back(void **)
{
    struct rig rig = {.lease_ms = 200};
    spender_begin(&rig, 1, true);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 1000}", STATUS_OK);
    const char *silent = spender_start(&rig, "once", 1, 0, NULL);
    (void)rig_lease_soon(&rig, "llm");
    rig_wait_for(&rig, silent, FAULTED); /* its worker fell silent */
    spender_wait_for(&rig, "all", 0, 0, 0, 0);

    const char *stopped         = spender_start(&rig, "one", 2, 0, NULL);
    Pb__CancelRun message       = PB__CANCEL_RUN__INIT;
    message.id                  = stopped;
    const struct question asked = {.service   = &pb__runs__descriptor,
                                   .method    = "Cancel",
                                   .message   = &message,
                                   .partition = id_partition(str_from(stopped))};
    spender_wait_for(&rig, "all", 0, CALL, 0, 0);
    (void)rig_ask(&rig, &asked);
    spender_wait_for(&rig, "all", 0, 0, 0, 0);
    rig_done(&rig);
}

static void test_pause_and_raise(void **)
{
    struct rig rig = {};
    spender_begin(&rig, 1, true);
    spender_put_budget(&rig, "blue",
                       "{\"scope\": {\"label\": {\"team\": \"blue\"}}, \"tokens\": 120, "
                       "\"on_spent\": \"pause\"}",
                       STATUS_OK);
    for (int i = 0; i < 4; i++) {
        const char *free = spender_start(&rig, "one", 200 + i, 0, "red"); /* not charged */
        assert_int_equal(spender_done(&rig, rig_lease_soon(&rig, "llm"), 90, 0, -1), STATUS_OK);
        rig_wait_for(&rig, free, COMPLETED);
    }
    (void)spender_start(&rig, "one", 1, 0, "blue");
    assert_int_equal(spender_done(&rig, rig_lease_soon(&rig, "llm"), 90, 0, -1), STATUS_OK);
    spender_wait_for(&rig, "blue", 90, 0, 0, 0);
    const char *runs[4];
    for (int i = 0; i < 4; i++) runs[i] = spender_start(&rig, "one", 10 + i, 0, "blue");
    for (int i = 0; i < 4; i++) rig_wait_for(&rig, runs[i], SUSPENDED);
    spender_wait_for(&rig, "blue", 90, 0, 0, 4);
    rig_restart(&rig);
    spender_wait_for(&rig, "blue", 90, 0, 0, 4);

    /* By hand it is asked again, and paused again. */
    Pb__StopRun message         = PB__STOP_RUN__INIT;
    message.id                  = runs[0];
    const struct question asked = {.service   = &pb__runs__descriptor,
                                   .method    = "Resume",
                                   .message   = &message,
                                   .partition = id_partition(str_from(runs[0]))};
    (void)rig_ask(&rig, &asked);
    rig_wait_for(&rig, runs[0], SUSPENDED);
    spender_wait_for(&rig, "blue", 90, 0, 0, 4);

    spender_put_budget(
        &rig, "blue", "{\"scope\": {\"label\": {\"team\": \"blue\"}}, \"tokens\": 900}", STATUS_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(spender_done(&rig, rig_lease_soon(&rig, "llm"), 10, 0, -1), STATUS_OK);
    }
    for (int i = 0; i < 4; i++) rig_wait_for(&rig, runs[i], COMPLETED);
    spender_wait_for(&rig, "blue", 130, 0, 0, 0);
    rig_done(&rig);
}

/* Of a model whose price nobody knows yet one call goes at a time. */
static void test_unknown_price(void **)
{
    struct rig rig = {};
    spender_begin(&rig, 1, false);
    spender_put_budget(&rig, "money", "{\"scope\": {\"key\": \"key1\"}, \"usd\": \"0.001\"}",
                       STATUS_OK);
    for (int i = 0; i < 4; i++) (void)spender_start(&rig, "one", 2 * i, 0, NULL);
    spender_wait_for(&rig, "money", 0, 0, 3, 0);
    const Pb__LeasedJob *first = rig_lease_soon(&rig, "llm");
    assert_null(rig_lease_any(&rig, "llm"));
    assert_true(first->needs_price);
    assert_int_equal(spender_budget(&rig, "money")->reserved_nanos, 1'000'000);
    /* 50 tokens for 5,000 nanos each: three more calls of 100 fit into what is left. */
    assert_int_equal(spender_done(&rig, first, 50, 250'000, 2'000'000), STATUS_OK);
    spender_wait_for(&rig, "money", 50, 0, 0, 0);
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
    spender_begin(&rig, 2, true);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 1000}", STATUS_OK);
    for (;;) { /* what goes before is charged all the same */
        assert_true(clock_mono_ms() < until_ms);
        while (partition_of_text(str_from("default"), str_from(spender_client_id(++number).text),
                                 2) != 1) {
        }
        (void)spender_start(&rig, "one", number, 0, NULL);
        const Pb__LeasedJob *job = rig_lease_of(&rig, "llm", 1);
        if (!job) break;
        assert_int_equal(spender_done(&rig, job, SPENT, 0, -1), STATUS_OK);
        early += SPENT;
    }
    spender_wait_for(&rig, "all", early, CALL, 0, 0);
    rig_restart(&rig);
    spender_wait_for(&rig, "all", early, CALL, 0, 0);
    assert_int_equal(spender_done(&rig, rig_lease_soon(&rig, "llm"), 40, 0, -1), STATUS_OK);
    spender_wait_for(&rig, "all", early + 40, 0, 0, 0);

    spender_put_budget(&rig, "all",
                       "{\"scope\": \"namespace\", \"tokens\": 140, \"on_spent\": \"pause\"}",
                       STATUS_OK);
    const char *runs[4];
    for (int i = 0; i < 4; i++) runs[i] = spender_start(&rig, "one", 1'000 + i, 0, NULL);
    spender_wait_for(&rig, "all", early + 40, early == 0 ? CALL : 0, early == 0 ? 3 : 0,
                     early == 0 ? 0 : 4);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 10000}", STATUS_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(spender_done(&rig, rig_lease_soon(&rig, "llm"), SPENT, 0, -1), STATUS_OK);
    }
    for (int i = 0; i < 4; i++) rig_wait_for(&rig, runs[i], COMPLETED);
    spender_wait_for(&rig, "all", early + 40 + 4 * SPENT, 0, 0, 0);
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
    spender_begin(&rig, 1, false);
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        spender_put_budget(&rig, "b", specs[i], STATUS_INVALID_ARGUMENT);
    }
    spender_put_budget(&rig, "Not A Name", "{\"scope\": \"namespace\", \"tokens\": 5}",
                       STATUS_INVALID_ARGUMENT);
    spender_put_budget(&rig, "b", "{\"scope\": \"namespace\", \"tokens\": 5}", STATUS_OK);
    spender_put_budget(&rig, "b", "{\"scope\": {\"run\": \"r\"}, \"tokens\": 5}",
                       STATUS_FAILED_PRECONDITION);
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
    spender_begin(&rig, 1, false);
    const char *early        = spender_start(&rig, "one", 1, 0, NULL);
    const Pb__LeasedJob *job = rig_lease_soon(&rig, "llm");
    int64_t charged          = 0;
    for (int i = 0; i < COUNT; i++) {
        spender_put_budget(&rig, spender_client_id(i).text,
                           "{\"scope\": \"namespace\", \"tokens\": 1000}", STATUS_OK);
    }
    assert_int_equal(spender_done(&rig, job, SPENT, 0, -1), STATUS_OK);
    rig_wait_for(&rig, early, COMPLETED);
    for (int i = 0; i < COUNT; i++) {
        charged += spender_budget(&rig, spender_client_id(i).text)->spent_tokens;
    }
    assert_int_equal(charged, BUDGET_PAYERS_MAX * SPENT);
    rig_wait_for(&rig, spender_start(&rig, "tries", 2, 0, NULL), COMPLETED);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
