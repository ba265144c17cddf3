/* Which dead letters a rule redrives: classes of errors, outcomes that nobody knows. */
#include "cmocka.h"

#include "base/id.h"
#include "dead_letter.pb-c.h"
#include "scheduler/engine/redrive/redrive.h"
#include "support/scheduler/rig.h"

#define TASK                                                                                       \
    "- a: {call: worker.do, with: {}, metadata: {tutti: {queue: jobs, onExhausted: pause,\n"       \
    "    retry: {limit: {attempt: {count: 1}}}}}}\n"
#define COMMUNICATION "https://serverlessworkflow.io/spec/1.0.0/errors/communication"

enum { LEASE_MS = 300, WAIT_MS = 20'000, NOTHING_MS = 300 };

/* --- the rule itself ---------------------------------------------------------------------------
 */

static void test_classes(void **)
{
    static const struct {
        const char *wanted, *type;
        bool is_meant;
    } cases[] = {
        {"communication", COMMUNICATION, true},
        {COMMUNICATION, COMMUNICATION, true},
        {"timeout", COMMUNICATION, false},
        {"tion", COMMUNICATION, false},
        {"errors/communication", COMMUNICATION, true},
        {"busy", "urn:shop:busy", true},
        {"busy", "busy", true},
        {"busy", "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *errors[] = {"other", cases[i].wanted};
        Pb__RedriveRule rule = PB__REDRIVE_RULE__INIT;
        assert_true(redrive_rule_means(&rule, str_from(cases[i].type)));
        rule.errors   = errors;
        rule.n_errors = ARRAY_LEN(errors);
        assert_int_equal(redrive_rule_means(&rule, str_from(cases[i].type)), cases[i].is_meant);
    }
}

static void test_bounds(void **)
{
    const char *errors[REDRIVE_ERRORS_MAX + 1];
    Pb__RedriveRule rule = PB__REDRIVE_RULE__INIT;
    rule.times           = REDRIVE_TIMES_MAX;
    rule.after_us        = REDRIVE_AFTER_MAX_US;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) errors[i] = "x";
    rule.errors   = errors;
    rule.n_errors = REDRIVE_ERRORS_MAX;
    assert_int_equal(redrive_rule_check(&rule, 1, NULL), STATUS_OK);
    rule.n_errors++;
    assert_int_equal(redrive_rule_check(&rule, 1, NULL), STATUS_INVALID_ARGUMENT);
    rule.n_errors = 1;
    errors[0]     = "";
    assert_int_equal(redrive_rule_check(&rule, 1, NULL), STATUS_INVALID_ARGUMENT);
    rule.n_errors = 0;
    rule.after_us++;
    assert_int_equal(redrive_rule_check(&rule, 1, NULL), STATUS_INVALID_ARGUMENT);
    rule.after_us = -1;
    assert_int_equal(redrive_rule_check(&rule, 1, NULL), STATUS_INVALID_ARGUMENT);
    rule.after_us = 0;
    rule.times    = 0;
    assert_int_equal(redrive_rule_check(&rule, 1, NULL), STATUS_INVALID_ARGUMENT);
    rule.times = REDRIVE_TIMES_MAX + 1;
    assert_int_equal(redrive_rule_check(&rule, 1, NULL), STATUS_INVALID_ARGUMENT);
    rule.times          = 1;
    rule.rate_count     = 3;
    rule.rate_period_us = INT64_C(60'000'000);
    assert_int_equal(redrive_rule_check(&rule, 3, NULL), STATUS_OK);
    assert_int_equal(redrive_rule_check(&rule, 4, NULL), STATUS_INVALID_ARGUMENT);
}

/* --- in a scheduler ----------------------------------------------------------------------------
 */

static void set_rule(struct rig *rig)
{
    Pb__RedriveRule rule        = PB__REDRIVE_RULE__INIT;
    Pb__SetQueue message        = PB__SET_QUEUE__INIT;
    rule.times                  = 1;
    message.namespace_          = "default";
    message.name                = "jobs";
    message.action              = PB__QUEUE_ACTION__QUEUE_ACTION_LIMIT;
    message.sets_redrive        = true;
    message.redrive             = &rule;
    const struct question asked = {.service   = &pb__system__descriptor,
                                   .method    = "ChangeQueue",
                                   .message   = &message,
                                   .namespace = "default"};
    (void)rig_ask(rig, &asked);
}

static void fail_job(struct rig *rig, const Pb__LeasedJob *job, bool is_unknown)
{
    Pb__JobFailed failed = PB__JOB_FAILED__INIT;
    assert_non_null(job);
    failed.error_json      = rig_bytes("{\"type\":\"" COMMUNICATION "\",\"status\":503}");
    failed.transient       = !is_unknown;
    failed.unknown_outcome = is_unknown;
    assert_int_equal(rig_fail(rig, job, &failed), STATUS_OK);
}

static const Pb__DeadLetterList *letters(struct rig *rig)
{
    Pb__ListDeadLetters message = PB__LIST_DEAD_LETTERS__INIT;
    message.namespace_          = "default";
    message.queue               = "jobs";
    const struct question asked = {.service   = &pb__dead_letters__descriptor,
                                   .method    = "List",
                                   .message   = &message,
                                   .namespace = "default"};
    return rig_ask(rig, &asked);
}

/* One attempt of which nobody knows what it has done is enough, also if a later one says. */
static void test_unknown_outcomes_stay(void **)
{
    struct rig rig = {.lease_ms = LEASE_MS};
    rig_init(&rig, 1, false);
    rig_put(&rig, "test", TASK);
    set_rule(&rig);
    const char *unknown = rig_start(&rig, "test", "{}")->run->id;
    fail_job(&rig, rig_lease(&rig, "jobs", WAIT_MS), true);
    fail_job(&rig, rig_lease(&rig, "jobs", WAIT_MS), false);
    rig_wait_for_event(&rig, unknown, "task.paused");

    const char *lapsed = rig_start(&rig, "test", "{}")->run->id;
    assert_non_null(rig_lease(&rig, "jobs", WAIT_MS)); /* falls silent */
    fail_job(&rig, rig_lease(&rig, "jobs", WAIT_MS), false);
    rig_wait_for_event(&rig, lapsed, "task.paused");

    const char *known = rig_start(&rig, "test", "{}")->run->id;
    fail_job(&rig, rig_lease(&rig, "jobs", WAIT_MS), false);
    fail_job(&rig, rig_lease(&rig, "jobs", WAIT_MS), false);
    rig_wait_for_event(&rig, known, "task.resumed"); /* the rule is at work */
    const Pb__LeasedJob *again = rig_lease(&rig, "jobs", WAIT_MS);
    assert_string_equal(again->run, known);
    fail_job(&rig, again, false);
    fail_job(&rig, rig_lease(&rig, "jobs", WAIT_MS), false);
    assert_null(rig_lease(&rig, "jobs", NOTHING_MS));

    const Pb__DeadLetterList *list = letters(&rig);
    assert_int_equal(list->n_letters, 3);
    for (size_t i = 0; i < list->n_letters; i++) {
        const Pb__DeadLetterView *one = list->letters[i];
        bool is_known                 = strcmp(one->run, known) == 0;
        assert_int_equal(one->unknown_outcome, !is_known);
        assert_int_equal(one->redrives, is_known ? 1 : 0);
    }
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_unknown_outcomes_stay),
    };
    return cmocka_run_group_tests_name("redrive", tests, NULL, NULL);
}
