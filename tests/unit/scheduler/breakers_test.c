/* Breakers at work, over a socket and over two partitions: what is held, what goes as a probe, what
 * fails, and what a restart leaves. */
#include "cmocka.h"

#include "base/clock.h"
#include "support/scheduler/rig.h"

#include <stdio.h>

enum { FAILURES = 5, HELD = 20, PARTITIONS = 2 };
#define TARGET "tool:127.0.0.1:9"
#define S      INT64_C(1'000'000)

static const char call_of[] =
    "  - a:\n      call: http\n      with: {method: get, endpoint: 'http://127.0.0.1:9/x'}\n";
static const char impatient[] =
    "  - a:\n"
    "      try:\n"
    "        - b:\n"
    "            call: http\n            with: {method: get, endpoint: 'http://127.0.0.1:9/x'}\n"
    "            metadata: {tutti: {onOpen: fail, retry: none}}\n"
    "      catch:\n"
    "        errors: {with: {type: "
    "'https://serverlessworkflow.io/spec/1.0.0/errors/communication', status: 503}}\n"
    "        do: [{other: {set: {way: other}}}]\n";

/* Never half-open by itself, unless a test says so. */
static void rig_begin(struct rig *rig, int64_t open_us, bool is_durable)
{
    *rig                         = (struct rig){};
    rig->breakers                = breaker_rules_default;
    rig->breakers.common.open_us = open_us;
    rig_init(rig, PARTITIONS, is_durable);
    rig_put(rig, "one", call_of);
    rig_put(rig, "impatient", impatient);
}

/* Client ids spread runs over the partitions. */
static const char *start(struct rig *rig, const char *workflow, int number)
{
    char id[32];
    (void)snprintf(id, sizeof id, "r%d", number);
    Pb__StartRun message = PB__START_RUN__INIT;
    message.workflow     = workflow;
    message.client_id    = id;
    return rig_start_as(rig, &message);
}

static void fail_job(struct rig *rig, const Pb__LeasedJob *job, const char *error)
{
    Pb__JobFailed failed = PB__JOB_FAILED__INIT;
    failed.error_json    = rig_bytes(error);
    assert_int_equal(rig_fail(rig, job, &failed), STATUS_OK);
}

#define ERRORS      "https://serverlessworkflow.io/spec/1.0.0/errors/"
#define UNAVAILABLE "{\"type\":\"" ERRORS "communication\",\"status\":503}"
#define NOT_FOUND   "{\"type\":\"" ERRORS "communication\",\"status\":404}"

static const Pb__BreakerView *breaker(struct rig *rig)
{
    Pb__ListBreakers message    = PB__LIST_BREAKERS__INIT;
    const struct question asked = {
        .service = &pb__breakers__descriptor, .method = "List", .message = &message};
    const Pb__BreakerList *list = rig_ask(rig, &asked);
    if (list->n_breakers == 0) return NULL;
    assert_int_equal(list->n_breakers, 1);
    assert_string_equal(list->breakers[0]->name, TARGET);
    return list->breakers[0];
}

/* Other partitions hear of a change a moment later. */
static const Pb__BreakerView *breaker_when(struct rig *rig, Pb__BreakerState state, uint64_t held)
{
    int64_t until_ms             = clock_mono_ms() + RIG_WAIT_MS;
    const Pb__BreakerView *there = breaker(rig);
    while (!there || there->state != state || there->held != held) {
        assert_true(clock_mono_ms() < until_ms);
        rig_forget(rig);
        rig_pause();
        there = breaker(rig);
    }
    return there;
}

static void set(struct rig *rig, Pb__BreakerAction action, status expected)
{
    Pb__SetBreaker message      = PB__SET_BREAKER__INIT;
    message.name                = TARGET;
    message.action              = action;
    message.by                  = "test";
    const struct question asked = {.service  = &pb__breakers__descriptor,
                                   .method   = "Set",
                                   .message  = &message,
                                   .expected = expected};
    (void)rig_ask(rig, &asked);
}

#define RESET PB__BREAKER_ACTION__BREAKER_ACTION_RESET
#define OPEN  PB__BREAKER_ACTION__BREAKER_ACTION_OPEN

/* Five runs whose calls fail. */
static void open_it(struct rig *rig)
{
    for (int i = 0; i < FAILURES; i++) (void)start(rig, "one", i);
    for (int i = 0; i < FAILURES; i++) fail_job(rig, rig_lease_soon(rig, "tools"), UNAVAILABLE);
}

static void test_held_and_not_burnt(void **)
{
    struct rig rig;
    const char *runs[HELD];
    rig_begin(&rig, 3'600 * S, true);
    open_it(&rig);
    (void)breaker_when(&rig, PB__BREAKER_STATE__BREAKER_STATE_OPEN, 0);
    for (int i = 0; i < HELD; i++) runs[i] = start(&rig, "one", 100 + i);
    const Pb__BreakerView *there = breaker_when(&rig, PB__BREAKER_STATE__BREAKER_STATE_OPEN, HELD);
    assert_true(there->until_us > clock_unix_us());
    assert_int_equal(there->opened, 1);
    assert_int_equal(there->failed, FAILURES);
    assert_null(rig_lease_any(&rig, "tools"));
    assert_int_equal(rig_queue(&rig, "tools")->held, HELD);

    const Pb__RunView *run = rig_get(&rig, runs[0]);
    assert_int_equal(run->n_waiting_for, 1);
    assert_string_equal(run->waiting_for[0]->kind, "breaker");
    assert_non_null(strstr(run->waiting_for[0]->detail, TARGET));

    rig_restart(&rig); /* it stays open, and they stay held */
    (void)breaker_when(&rig, PB__BREAKER_STATE__BREAKER_STATE_OPEN, HELD);
    assert_null(rig_lease_any(&rig, "tools"));

    set(&rig, RESET, STATUS_OK);
    for (int i = 0; i < HELD; i++) {
        const Pb__LeasedJob *job = rig_lease_soon(&rig, "tools");
        assert_int_equal(job->attempt, 1);
        assert_false(job->probe);
        assert_int_equal(rig_complete(&rig, job, "1"), STATUS_OK);
        if (rig.answer_count > RIG_ANSWERS_MAX / 2) rig_forget(&rig);
    }
    for (int i = 0; i < HELD; i++) {
        rig_wait_for(&rig, runs[i], PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    }
    rig_done(&rig);
}

static void test_one_probe_at_a_time(void **)
{
    struct rig rig;
    rig_begin(&rig, 50'000, false);
    open_it(&rig);
    for (int i = 0; i < 4; i++) (void)start(&rig, "one", 100 + i);

    const Pb__LeasedJob *probe = rig_lease_soon(&rig, "tools");
    assert_true(probe->probe);
    assert_null(rig_lease_any(&rig, "tools")); /* one at a time, over all partitions */
    (void)breaker_when(&rig, PB__BREAKER_STATE__BREAKER_STATE_HALF_OPEN, 3);
    fail_job(&rig, probe, UNAVAILABLE); /* open again */
    const Pb__BreakerView *there = breaker(&rig);
    while (there->opened < 2) { /* another partition's report is on its way */
        rig_forget(&rig);
        rig_pause();
        there = breaker(&rig);
    }

    probe = rig_lease_soon(&rig, "tools");
    assert_true(probe->probe);
    fail_job(&rig, probe, NOT_FOUND); /* who says no is there */
    probe = rig_lease_soon(&rig, "tools");
    assert_true(probe->probe);
    assert_int_equal(rig_complete(&rig, probe, "1"), STATUS_OK);
    (void)breaker_when(&rig, PB__BREAKER_STATE__BREAKER_STATE_CLOSED, 0);
    assert_false(rig_lease_soon(&rig, "tools")->probe);
    rig_done(&rig);
}

/* The probe is under way when the scheduler goes; its lease is still good afterwards. */
static void test_probe_over_a_restart(void **)
{
    struct rig rig;
    rig_begin(&rig, 50'000, true);
    open_it(&rig);
    for (int i = 0; i < 3; i++) (void)start(&rig, "one", 100 + i);
    const Pb__LeasedJob *probe = rig_lease_soon(&rig, "tools");
    rig_restart(&rig);
    assert_null(rig_lease_any(&rig, "tools"));
    assert_int_equal(rig_complete(&rig, probe, "1"), STATUS_OK);
    probe = rig_lease_soon(&rig, "tools");
    assert_true(probe->probe);
    assert_int_equal(rig_complete(&rig, probe, "1"), STATUS_OK);
    assert_false(rig_lease_soon(&rig, "tools")->probe);
    rig_done(&rig);
}

static void test_on_open_fail(void **)
{
    struct rig rig;
    rig_begin(&rig, 3'600 * S, false);
    set(&rig, OPEN, STATUS_OK);
    (void)breaker_when(&rig, PB__BREAKER_STATE__BREAKER_STATE_OPEN, 0);
    for (int i = 0; i < 4; i++) {
        const char *run = start(&rig, "impatient", i);
        rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
        str output = {(const char *)rig_get(&rig, run)->output_json.data,
                      rig_get(&rig, run)->output_json.len};
        assert_true(str_is(output, "{\"way\":\"other\"}"));
    }
    rig_done(&rig);
}

/* It waits already when the breaker opens. */
static void test_on_open_fail_later(void **)
{
    struct rig rig;
    rig_begin(&rig, 3'600 * S, false);
    const char *run = start(&rig, "impatient", 1);
    set(&rig, OPEN, STATUS_OK);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_null(rig_lease_any(&rig, "tools"));
    rig_done(&rig);
}

static void test_by_hand(void **)
{
    struct rig rig;
    rig_begin(&rig, 1'000, true);
    assert_null(breaker(&rig));
    set(&rig, RESET, STATUS_NOT_FOUND);
    set(&rig, OPEN, STATUS_OK);
    assert_true(breaker(&rig)->forced);
    (void)start(&rig, "one", 1);
    const Pb__BreakerView *there = breaker_when(&rig, PB__BREAKER_STATE__BREAKER_STATE_OPEN, 1);
    assert_int_equal(there->until_us, 0);
    rig_restart(&rig);
    assert_true(breaker(&rig)->forced);
    assert_null(rig_lease_any(&rig, "tools"));
    set(&rig, RESET, STATUS_OK);
    assert_false(rig_lease_soon(&rig, "tools")->probe);
    rig_done(&rig);
}

/* A target that asks for rest: nobody calls it, whichever partition the job is of. */
static void test_rest(void **)
{
    struct rig rig;
    rig_begin(&rig, 3'600 * S, true);
    for (int i = 0; i < 6; i++) (void)start(&rig, "one", i);
    const Pb__LeasedJob *job  = rig_lease_soon(&rig, "tools");
    Pb__TargetOutcome rests   = PB__TARGET_OUTCOME__INIT;
    Pb__TargetOutcome *list[] = {&rests};
    Pb__JobReleased released  = PB__JOB_RELEASED__INIT;
    Pb__JobReport made        = PB__JOB_REPORT__INIT;
    rests.target              = TARGET;
    rests.rest_until_us       = clock_unix_us() + 3'600 * S;
    released.not_before_us    = rests.rest_until_us;
    released.outcomes         = list;
    released.n_outcomes       = 1;
    made.result_case          = PB__JOB_REPORT__RESULT_RELEASED;
    made.released             = &released;
    assert_int_equal(rig_report(&rig, job, &made), STATUS_OK);
    const Pb__BreakerView *there = breaker_when(&rig, PB__BREAKER_STATE__BREAKER_STATE_CLOSED, 5);
    assert_int_equal(there->held_until_us, rests.rest_until_us);
    assert_null(rig_lease_any(&rig, "tools"));
    rig_restart(&rig);
    assert_null(rig_lease_any(&rig, "tools"));
    set(&rig, RESET, STATUS_OK);
    for (int i = 0; i < 5; i++) assert_int_equal(rig_lease_soon(&rig, "tools")->attempt, 1);
    rig_done(&rig);
}

/* What a worker says of others than the job's target counts for them. */
static void test_outcomes_of_others(void **)
{
    struct rig rig;
    rig_begin(&rig, 3'600 * S, false);
    (void)start(&rig, "one", 1);
    const Pb__LeasedJob *job  = rig_lease_soon(&rig, "tools");
    Pb__TargetOutcome failed  = PB__TARGET_OUTCOME__INIT;
    Pb__TargetOutcome *list[] = {&failed, &failed, &failed, &failed, &failed};
    Pb__JobCompleted done     = PB__JOB_COMPLETED__INIT;
    Pb__JobReport made        = PB__JOB_REPORT__INIT;
    failed.target             = "llm:other";
    failed.failed             = true;
    done.outcomes             = list;
    done.n_outcomes           = 5;
    done.output_json          = rig_bytes("1");
    made.result_case          = PB__JOB_REPORT__RESULT_COMPLETED;
    made.completed            = &done;
    assert_int_equal(rig_report(&rig, job, &made), STATUS_OK);
    Pb__ListBreakers message    = PB__LIST_BREAKERS__INIT;
    message.name                = "llm:other";
    const struct question asked = {
        .service = &pb__breakers__descriptor, .method = "List", .message = &message};
    const Pb__BreakerList *there = rig_ask(&rig, &asked);
    assert_int_equal(there->breakers[0]->state, PB__BREAKER_STATE__BREAKER_STATE_OPEN);
    assert_int_equal(there->breakers[0]->failed, 5);
    rig_done(&rig);
}

/* Only who has called knows whom a route stands for: from then on the job waits for that one. */
static void test_found_by_calling(void **)
{
    struct rig rig;
    rig_begin(&rig, 3'600 * S, false);
    rig_put(&rig, "route",
            "  - a:\n      call: llm.chat\n      with: {model: smart, prompt: hi}\n"
            "      metadata: {tutti: {retry: {delay: {milliseconds: 1}, limit: {attempt: {count: "
            "9}}}}}\n");
    (void)rig_start(&rig, "route", NULL);
    Pb__TargetOutcome failed    = PB__TARGET_OUTCOME__INIT;
    Pb__TargetOutcome *list[]   = {&failed};
    Pb__ListBreakers message    = PB__LIST_BREAKERS__INIT;
    const struct question asked = {
        .service = &pb__breakers__descriptor, .method = "List", .message = &message};
    failed.target = message.name = "llm:other";
    failed.failed = failed.only = true;
    for (int i = 0; i < FAILURES; i++) {
        const Pb__LeasedJob *job = rig_lease(&rig, "llm", RIG_WAIT_MS);
        Pb__JobFailed report_of  = PB__JOB_FAILED__INIT;
        Pb__JobReport made       = PB__JOB_REPORT__INIT;
        report_of.error_json     = rig_bytes(UNAVAILABLE);
        report_of.transient      = true;
        report_of.outcomes       = list;
        report_of.n_outcomes     = 1;
        made.result_case         = PB__JOB_REPORT__RESULT_FAILED;
        made.failed              = &report_of;
        assert_int_equal(rig_report(&rig, job, &made), STATUS_OK);
    }
    const Pb__BreakerList *there = rig_ask(&rig, &asked);
    while (there->breakers[0]->held == 0) { /* its next attempt is due in a moment */
        rig_forget(&rig);
        rig_pause();
        there = rig_ask(&rig, &asked);
    }
    assert_int_equal(there->breakers[0]->state, PB__BREAKER_STATE__BREAKER_STATE_OPEN);
    assert_null(rig_lease(&rig, "llm", 0));
    rig_done(&rig);
}

/* Calls that are no jobs. */
static void test_reports_of_calls(void **)
{
    struct rig rig;
    rig_begin(&rig, 1'000, false);
    Pb__TargetReport item       = PB__TARGET_REPORT__INIT;
    Pb__TargetReport *list[]    = {&item};
    Pb__BreakerReport message   = PB__BREAKER_REPORT__INIT;
    const struct question asked = {
        .service = &pb__breakers__descriptor, .method = "Report", .message = &message};
    item.target                   = TARGET;
    item.failures                 = FAILURES;
    message.targets               = list;
    message.n_targets             = 1;
    message.holder                = "llm-1";
    const Pb__BreakerList *answer = rig_ask(&rig, &asked);
    assert_int_equal(answer->breakers[0]->state, PB__BREAKER_STATE__BREAKER_STATE_OPEN);
    assert_false(answer->breakers[0]->probe);
    (void)breaker_when(&rig, PB__BREAKER_STATE__BREAKER_STATE_HALF_OPEN, 0);
    item.failures    = 0;
    item.wants_probe = true;
    answer           = rig_ask(&rig, &asked);
    assert_true(answer->breakers[0]->probe);
    answer = rig_ask(&rig, &asked); /* one at a time */
    assert_false(answer->breakers[0]->probe);
    item.probe = PB__PROBE_END__PROBE_END_SUCCEEDED;
    answer     = rig_ask(&rig, &asked);
    assert_true(answer->breakers[0]->probe);
    item.wants_probe = false;
    answer           = rig_ask(&rig, &asked);
    assert_int_equal(answer->breakers[0]->state, PB__BREAKER_STATE__BREAKER_STATE_CLOSED);
    rig_done(&rig);
}

/* One that is said again, also to a scheduler that was restarted, counts once; without a number
 * each counts, as older llm-proxies have them. */
static void test_reports_have_numbers(void **)
{
    static const struct {
        const char *holder;
        uint64_t number;
        uint32_t failures; /* that are known then */
        bool after_restart;
    } rows[] = {
        {"llm-1", 1, 1, false}, {"llm-1", 1, 1, false}, {"llm-2", 1, 2, false},
        {"llm-1", 1, 2, true},  {"llm-1", 2, 3, false}, {"llm-1", 1, 3, false},
        {"llm-3", 0, 4, false},
    };
    struct rig rig;
    rig_begin(&rig, 1'000, true);
    Pb__TargetReport item       = PB__TARGET_REPORT__INIT;
    Pb__TargetReport *list[]    = {&item};
    Pb__BreakerReport message   = PB__BREAKER_REPORT__INIT;
    const struct question asked = {
        .service = &pb__breakers__descriptor, .method = "Report", .message = &message};
    static_assert(FAILURES > 4, "it stays closed");
    item.target       = TARGET;
    item.failures     = 1;
    message.targets   = list;
    message.n_targets = 1;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].after_restart) rig_restart(&rig);
        message.holder                = rows[i].holder;
        message.number                = rows[i].number;
        const Pb__BreakerList *answer = rig_ask(&rig, &asked);
        if (answer->breakers[0]->failures != rows[i].failures) {
            fail_msg("%zu: %u", i, answer->breakers[0]->failures);
        }
    }
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_and_not_burnt),
        cmocka_unit_test(test_one_probe_at_a_time),
        cmocka_unit_test(test_probe_over_a_restart),
        cmocka_unit_test(test_on_open_fail),
        cmocka_unit_test(test_on_open_fail_later),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_outcomes_of_others),
        cmocka_unit_test(test_found_by_calling),
        cmocka_unit_test(test_reports_of_calls),
        cmocka_unit_test(test_reports_have_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
