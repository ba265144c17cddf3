/* What attempts are charged that ended without an answer: handed back, cancelled, their lease
 * lost. */
#include "cmocka.h"

#include "base/clock.h"
#include "scheduler/tables/record.h"
#include "support/scheduler/rig_rows.h"
#include "support/scheduler/spender.h"

#define COMPLETED PB__RUN_STATUS__RUN_STATUS_COMPLETED

/* --- handed back, cancelled
 * ------------------------------------------------------------------------
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
    while (spender_budget(rig, name)->spent_tokens != spent) {
        assert_true(clock_mono_ms() < until_ms);
        rig_forget(rig);
        rig_pause();
    }
}

static void test_handed_back_is_paid(void **)
{
    struct rig rig = {};
    spender_begin(&rig, 2, true);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    const char *last = NULL;
    for (int i = 0; i < 4; i++) { /* in both partitions */
        const char *run          = spender_start(&rig, "one", i, 0, NULL);
        const Pb__LeasedJob *job = rig_lease_soon(&rig, "llm");
        assert_int_equal(hand_back(&rig, job, 0), STATUS_OK);
        job = rig_lease_soon(&rig, "llm");
        assert_int_equal(hand_back(&rig, job, 7), STATUS_OK);
        assert_int_equal(hand_back(&rig, job, 7), STATUS_FAILED_PRECONDITION);
        assert_used(&rig, run, 1, 7);
        spent_when(&rig, "all", i * 17 + 7);
        job = rig_lease_soon(&rig, "llm");
        assert_int_equal(spender_done(&rig, job, 10, 0, -1), STATUS_OK);
        rig_wait_for(&rig, run, COMPLETED);
        assert_used(&rig, run, 1, 17); /* that answer names no call */
        last = run;
        spender_wait_for(&rig, "all", i * 17 + 17, 0, 0, 0);
    }
    rig_restart(&rig);
    assert_used(&rig, last, 1, 17);
    rig_done(&rig);
}

static void test_cancelled_is_paid_once(void **)
{
    struct rig rig = {};
    unsigned kept  = 0;
    spender_begin(&rig, 2, true);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    for (int i = 0; i < 4; i++) {
        const char *run          = spender_start(&rig, "one", i, 0, NULL);
        const Pb__LeasedJob *job = rig_lease_soon(&rig, "llm");
        int64_t aside            = spender_budget(&rig, "all")->reserved_tokens;
        kept += aside > 0; /* not if its partition has not heard of the budget yet */
        rig_cancel(&rig, run);
        if (i % 2 > 0) rig_restart(&rig);
        spender_wait_for(&rig, "all", i * 7, aside, 0, 0); /* its holder has not said yet */
        for (int k = 0; k < 2; k++) {                      /* its answer was lost */
            assert_int_equal(hand_back(&rig, job, 7), STATUS_FAILED_PRECONDITION);
        }
        assert_used(&rig, run, 1, 7);
        spender_wait_for(&rig, "all", (i + 1) * 7, 0, 0, 0);
        rig_wait_for_event(&rig, run, "run.charged");
        if (i % 2 == 0) rig_restart(&rig);
        assert_int_equal(hand_back(&rig, job, 7), STATUS_FAILED_PRECONDITION);
        assert_used(&rig, run, 1, 7);
        assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_CANCELLED);
    }
    assert_true(kept > 0);
    spender_wait_for(&rig, "all", 4 * 7, 0, 0, 0);
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
    spender_begin(&rig, 2, true);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    for (int i = 0; i < 2; i++) {
        const char *run = spender_start(&rig, "one", i, 0, NULL);
        lease_twice(&rig, &lost, &held);
        if (i > 0) assert_int_equal(spender_done(&rig, held, 10, 0, -1), STATUS_OK);
        rig_restart(&rig);
        for (int k = 0; k < 2; k++) { /* its answer was lost */
            assert_int_equal(hand_back(&rig, lost, 7), STATUS_FAILED_PRECONDITION);
        }
        if (i == 0) assert_int_equal(spender_done(&rig, held, 10, 0, -1), STATUS_OK);
        rig_wait_for(&rig, run, COMPLETED);
        assert_int_equal(hand_back(&rig, lost, 7), STATUS_FAILED_PRECONDITION);
        assert_used(&rig, run, 1, 17);
        spender_wait_for(&rig, "all", (i + 1) * 17, 0, 0, 0);
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
    spender_begin(&rig, 2, true);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    for (int i = 0; i < 2; i++) {
        const char *run   = spender_start(&rig, "one", i, 0, NULL);
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
        spender_wait_for(&rig, "all", (i + 1) * 7, 0, 0, 0);
    }
    rig_done(&rig);
}

/* Who got the job after it has handed it back: what is said of the lost lease counts once all the
 * same, whether by its holder or by the third one, who finds the answer. */
static void test_lost_before_it_was_handed_back_is_paid_once(void **)
{
    struct rig rig            = {};
    const Pb__LeasedJob *lost = NULL;
    const Pb__LeasedJob *held = NULL;
    spender_begin(&rig, 2, true);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    for (int i = 0; i < 2; i++) {
        const char *run   = spender_start(&rig, "one", i, 0, NULL);
        bool comes_before = i == 0;
        lease_twice(&rig, &lost, &held);
        assert_int_equal(hand_back(&rig, held, 5), STATUS_OK);
        if (comes_before) {
            assert_int_equal(done_as(&rig, lost, lost, 7), STATUS_FAILED_PRECONDITION);
        }
        assert_int_equal(hand_back(&rig, held, 5), STATUS_FAILED_PRECONDITION);
        rig_restart(&rig);
        const Pb__LeasedJob *third = rig_lease_soon(&rig, "llm");
        assert_string_equal(third->id, lost->id);
        assert_int_equal(third->attempt, 2); /* one was lost; handing back burns none */
        assert_int_equal(hand_back(&rig, held, 5), STATUS_FAILED_PRECONDITION);
        assert_int_equal(done_as(&rig, third, lost, 7), STATUS_OK);
        assert_int_equal(done_as(&rig, lost, lost, 7), STATUS_FAILED_PRECONDITION);
        rig_wait_for(&rig, run, COMPLETED);
        assert_used(&rig, run, 2, 12);
        spender_wait_for(&rig, "all", (i + 1) * 12, 0, 0, 0);
    }
    rig_done(&rig);
}

/* The place of the only job in its queue names another run. */
static void job_goes_to(struct rig *rig, const char *run)
{
    const struct scan all   = {};
    Pb__ReadyRecord *record = NULL;
    bytes key               = {};
    bytes value             = {};
    char place[STORE_KEY_MAX];
    CLEANUP(arena_freep) struct arena *arena     = arena_new(1 << 16);
    CLEANUP(txn_abortp) struct txn *txn          = rig_txn(rig, true);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    assert_int_equal(cursor_open(txn, TABLE_READY, &all, &cursor, NULL), STATUS_OK);
    assert_int_equal(cursor_next(cursor, &key, &value, NULL), STATUS_OK);
    assert_int_equal(record_read(value, &pb__ready_record__descriptor, arena, &record, NULL),
                     STATUS_OK);
    memcpy(place, key.ptr, key.len);
    key.ptr     = place;
    record->run = run;
    cursor_close(TAKE(cursor));
    assert_int_equal(record_put(txn, TABLE_READY, key, &record->base, NULL), STATUS_OK);
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
}

/* What was bought under a lost lease is charged also where the run does not take the answer, which
 * is the last that is heard of it. */
static void test_a_refused_answer_is_paid_once(void **)
{
    struct rig rig            = {};
    const Pb__LeasedJob *lost = NULL;
    const Pb__LeasedJob *held = NULL;
    spender_begin(&rig, 1, true);
    rig_put(&rig, "idle", "  - hear: {listen: {to: {one: {with: {type: never}}}}}\n");
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    const char *run = spender_start(&rig, "idle", 0, 0, NULL);
    (void)spender_start(&rig, "one", 1, 0, NULL);
    lease_twice(&rig, &lost, &held);
    job_goes_to(&rig, run);
    rig_restart(&rig);
    assert_int_equal(done_as(&rig, held, lost, 7), STATUS_FAILED_PRECONDITION);
    assert_used(&rig, run, 1, 7);
    assert_int_equal(done_as(&rig, lost, lost, 7), STATUS_FAILED_PRECONDITION);
    assert_int_equal(done_as(&rig, held, lost, 7), STATUS_FAILED_PRECONDITION);
    assert_used(&rig, run, 1, 7);
    spender_wait_for(&rig, "all", 7, 0, 0, 0);
    assert_null(rig_lease(&rig, "llm", 0)); /* nobody is to buy it again */
    rig_done(&rig);
}

/* Its holder goes on and its lease lasts, but the attempt is over: the next one asks for money of
 * its own. */
static void test_an_attempt_that_took_too_long_keeps_nothing(void **)
{
    static const char hasty[] =
        "  - a:\n      " SPENDER_CHAT "      metadata: {tutti: {retry: {delay: {milliseconds: 1}, "
        "limit: {attempt: {count: 50, duration: {milliseconds: 200}}}}}}\n";
    struct rig rig = {};
    spender_begin(&rig, 1, false);
    rig_put(&rig, "hasty", hasty);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 120}", STATUS_OK);
    (void)spender_start(&rig, "hasty", 1, 0, NULL);
    const Pb__LeasedJob *lost = rig_lease_soon(&rig, "llm");
    const Pb__LeasedJob *held = rig_lease_soon(&rig, "llm");
    assert_string_equal(lost->id, held->id);
    spender_wait_for(&rig, "all", 0, SPENDER_CALL_TOKENS, 0, 0);
    assert_int_equal(hand_back(&rig, lost, 7), STATUS_FAILED_PRECONDITION);
    spender_wait_for(&rig, "all", 7, SPENDER_CALL_TOKENS, 0, 0);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handed_back_is_paid),
        cmocka_unit_test(test_cancelled_is_paid_once),
        cmocka_unit_test(test_lost_is_paid_once),
        cmocka_unit_test(test_an_answer_of_a_lost_lease_is_paid_once),
        cmocka_unit_test(test_lost_before_it_was_handed_back_is_paid_once),
        cmocka_unit_test(test_a_refused_answer_is_paid_once),
        cmocka_unit_test(test_an_attempt_that_took_too_long_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
