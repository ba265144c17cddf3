/* Subscribers: what they are told, in which order, how often, and until when. */
#include "cmocka.h"

#include "event.pb-c.h"
#include "scheduler/engine/events/webhooks.h"
#include "subscription.pb-c.h"
#include "support/scheduler/rig.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

static const void *ask(struct rig *rig, const char *method, const void *message, status expected)
{
    const struct question asked = {.service  = &pb__subscriptions__descriptor,
                                   .method   = method,
                                   .message  = message,
                                   .expected = expected};
    return rig_ask(rig, &asked);
}

static const Pb__Subscription *subscribe(struct rig *rig, const char *type, const char *workflow)
{
    const char *types[]      = {type};
    Pb__Subscription message = PB__SUBSCRIPTION__INIT;
    message.namespace_       = "default";
    message.url              = "https://hooks.test/x";
    message.types            = types;
    message.n_types          = type ? 1 : 0;
    message.workflow         = workflow;
    return ask(rig, "Create", &message, STATUS_OK);
}

/* A delivery as the worker gets it: "type data". */
static const Pb__LeasedJob *next(struct rig *rig, char *ret_type, char *ret_id)
{
    const Pb__LeasedJob *job = rig_lease(rig, WEBHOOK_QUEUE, 3'000);
    assert_non_null(job);
    CLEANUP(json_unrefp) json input = json_invalid();
    str text                        = {(const char *)job->input_json.data, job->input_json.len};
    assert_int_equal(json_parse(text, NULL, &input, NULL, NULL), STATUS_OK);
    (void)snprintf(ret_type, 128, STR_FMT, STR_ARG(json_str(json_get_text(input, "type"))));
    (void)snprintf(ret_id, 128, STR_FMT, STR_ARG(json_str(json_get_text(input, "id"))));
    assert_string_equal(job->function, WEBHOOK_FUNCTION);
    return job;
}

static void expect(struct rig *rig, const char *type)
{
    char found[128];
    char id[128];
    const Pb__LeasedJob *job = next(rig, found, id);
    assert_string_equal(found, type);
    assert_int_equal(rig_complete(rig, job, "null"), STATUS_OK);
}

static void fail_with(struct rig *rig, const Pb__LeasedJob *job, const char *error)
{
    Pb__JobFailed failed = PB__JOB_FAILED__INIT;
    failed.error_json    = rig_bytes(error);
    assert_int_equal(rig_fail(rig, job, &failed), STATUS_OK);
}

#define WORKFLOW(x) "io.serverlessworkflow.workflow." x ".v1"
#define TASK(x)     "io.serverlessworkflow.task." x ".v1"

static void test_all_events_of_a_run_in_order(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "both",
            "  - a: {listen: {to: {one: {with: {type: go}}}}}\n  - b: {set: {n: 1}}\n");
    (void)subscribe(&rig, NULL, "both");
    const char *run                  = rig_start(&rig, "both", "{}")->run->id;
    Pb__SignalRun message            = PB__SIGNAL_RUN__INIT;
    message.id                       = run;
    message.name                     = "go";
    const struct question ask_signal = {
        .service = &pb__runs__descriptor, .method = "Signal", .message = &message};
    (void)rig_ask(&rig, &ask_signal);
    rig_restart(&rig);
    static const char *const expected[] = {
        WORKFLOW("started"),
        TASK("created"),
        TASK("started"),
        WORKFLOW("correlation-started"),
        WORKFLOW("correlation-completed"),
        TASK("completed"),
        TASK("created"),
        TASK("started"),
        TASK("completed"),
        WORKFLOW("completed"),
    };
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) expect(&rig, expected[i]);
    assert_null(rig_lease(&rig, WEBHOOK_QUEUE, 0));
    rig_done(&rig);
}

static void test_faults_cancels_retries_and_approvals(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "fault", "  - a: {raise: {error: {type: 'https://x', status: 400}}}\n");
    rig_put(&rig, "ask",
            "  - a: {listen: {to: {one: {with: {type: dev.tutti.approval.decided.v1}}"
            "}}, metadata: {tutti: {approval: {title: T}}}}\n");
    (void)subscribe(&rig, "io.serverlessworkflow.workflow.faulted.v1", "");
    (void)subscribe(&rig, "dev.tutti.*", "");
    (void)subscribe(&rig, "io.serverlessworkflow.workflow.status-changed.v1", "ask");
    (void)rig_start(&rig, "fault", "{}");
    expect(&rig, WORKFLOW("faulted"));
    (void)rig_start(&rig, "ask", "{}");
    char one[128];
    char two[128];
    char id[128];
    const Pb__LeasedJob *first  = next(&rig, one, id);
    const Pb__LeasedJob *second = next(&rig, two, id);
    bool is_status              = strcmp(one, WORKFLOW("status-changed")) == 0;
    assert_string_equal(is_status ? two : one, "dev.tutti.approval.requested.v1");
    (void)rig_complete(&rig, first, "null");
    (void)rig_complete(&rig, second, "null");
    assert_null(rig_lease(&rig, WEBHOOK_QUEUE, 0));
    rig_done(&rig);
}

static void test_a_dead_letter_of_the_workflow_is_told(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "bury",
            "  - a: {emit: {event: {with: {type: dev.tutti.deadletter.v1, data: {queue: late, "
            "input: {n: 1}}}}}}\n"
            "  - b: {emit: {event: {with: {type: com.example.other.v1}}}}\n");
    (void)subscribe(&rig, "dev.tutti.*", "bury");
    (void)rig_start(&rig, "bury", "{}");
    expect(&rig, "dev.tutti.deadletter.v1");
    assert_null(rig_lease(&rig, WEBHOOK_QUEUE, 0));
    rig_done(&rig);
}

static void test_a_failed_delivery_is_repeated_with_its_id_and_holds_its_run(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", "  - a: {set: {n: 1}}\n");
    (void)subscribe(&rig, "io.serverlessworkflow.workflow.*", "");
    const char *run = rig_start(&rig, "one", "{}")->run->id;
    char type[128];
    char id[128];
    char wanted[64];
    const Pb__LeasedJob *job = next(&rig, type, id);
    (void)snprintf(wanted, sizeof wanted, "%s/1", run);
    assert_string_equal(id, wanted);
    fail_with(&rig, job, "{\"status\": 503}");
    assert_null(rig_lease(&rig, WEBHOOK_QUEUE, 0)); /* waits 5 s; what follows waits behind it */
    rig_done(&rig);
}

/* There is nobody whom a delivery could ask, so it must not wait for an answer. */
static void test_a_delivery_asks_nobody(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", "  - a: {set: {n: 1}}\n");
    (void)subscribe(&rig, WORKFLOW("started"), "");
    (void)rig_start(&rig, "one", "{}");
    char type[128];
    char id[128];
    Pb__JobReleased released = PB__JOB_RELEASED__INIT;
    Pb__JobReport made       = PB__JOB_REPORT__INIT;
    released.question_json   = rig_bytes("{\"title\":\"x\",\"payload\":{}}");
    made.result_case         = PB__JOB_REPORT__RESULT_RELEASED;
    made.released            = &released;
    assert_int_equal(rig_report(&rig, next(&rig, type, id), &made), STATUS_OK);
    expect(&rig, WORKFLOW("started"));
    rig_done(&rig);
}

static void test_410_switches_a_subscription_off(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", "  - a: {set: {n: 1}}\n");
    const Pb__Subscription *made = subscribe(&rig, "*", "");
    (void)rig_start(&rig, "one", "{}");
    (void)rig_start(&rig, "one", "{}");
    char type[128];
    char id[128];
    fail_with(&rig, next(&rig, type, id), "{\"status\": 410}");
    assert_null(rig_lease(&rig, WEBHOOK_QUEUE, 0));
    Pb__ListSubscriptions list        = PB__LIST_SUBSCRIPTIONS__INIT;
    list.namespace_                   = "default";
    const Pb__SubscriptionList *found = ask(&rig, "List", &list, STATUS_OK);
    assert_int_equal(found->n_subscriptions, 1);
    assert_true(found->subscriptions[0]->off);
    assert_int_equal(found->subscriptions[0]->secret.len, 0); /* said once */
    assert_int_equal(made->secret.len, 32);
    (void)rig_start(&rig, "one", "{}");
    assert_null(rig_lease(&rig, WEBHOOK_QUEUE, 0));
    rig_done(&rig);
}

static void test_subscriptions_belong_to_a_namespace_and_end(void **)
{
    struct rig rig = {};
    rig_init(&rig, 3, false);
    rig_put(&rig, "one", "  - a: {set: {n: 1}}\n");
    const Pb__Subscription *made = subscribe(&rig, "*", "other");
    (void)rig_start(&rig, "one", "{}");
    Pb__DeleteSubscription gone = PB__DELETE_SUBSCRIPTION__INIT;
    gone.id                     = made->id;
    gone.namespace_             = "acme";
    (void)ask(&rig, "Delete", &gone, STATUS_NOT_FOUND);
    gone.namespace_ = "default";
    (void)ask(&rig, "Delete", &gone, STATUS_OK);
    (void)ask(&rig, "Delete", &gone, STATUS_NOT_FOUND);
    static const char *const bad[] = {"ftp://x.test", "https://u:p@x.test", "x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Pb__Subscription message = PB__SUBSCRIPTION__INIT;
        message.namespace_       = "default";
        message.url              = bad[i];
        (void)ask(&rig, "Create", &message, STATUS_INVALID_ARGUMENT);
    }
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_events_of_a_run_in_order),
        cmocka_unit_test(test_faults_cancels_retries_and_approvals),
        cmocka_unit_test(test_a_dead_letter_of_the_workflow_is_told),
        cmocka_unit_test(test_a_failed_delivery_is_repeated_with_its_id_and_holds_its_run),
        cmocka_unit_test(test_a_delivery_asks_nobody),
        cmocka_unit_test(test_410_switches_a_subscription_off),
        cmocka_unit_test(test_subscriptions_belong_to_a_namespace_and_end),
    };
    return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}
