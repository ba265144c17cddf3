/* Over a socket: versions of workflows that go, and what keeps them from going. */
#include "cmocka.h"

#include "schedule.pb-c.h"
#include "support/scheduler/rig.h"

enum { TEXT_MAX = 4 << 10 };

static const char waiting[] =
    "  - a: {call: worker.f, with: {}, metadata: {tutti: {queue: jobs}}}\n";
static const char quick[]  = "  - a: {set: {x: 1}}\n";
static const char hourly[] = "schedule: {every: {hours: 1}}\n";

static void put(struct rig *rig, const char *version, const char *schedule, const char *tasks)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    (void)buf_printf(&text,
                     "document: {dsl: 1.0.3, namespace: default, name: flow, version: '%s'}\n"
                     "%sdo:\n%s",
                     version, schedule, tasks);
    rig_put_text(rig, text.ptr);
}

static const void *ask(struct rig *rig, const char *method, const char *namespace,
                       const char *version, status expected, const char *code)
{
    Pb__WorkflowVersion message = PB__WORKFLOW_VERSION__INIT;
    message.namespace_          = namespace;
    message.name                = "flow";
    message.version             = version;
    const struct question asked = {.service  = &pb__workflows__descriptor,
                                   .method   = method,
                                   .message  = &message,
                                   .expected = expected,
                                   .code     = code};
    return rig_ask(rig, &asked);
}

static const char *user_of(struct rig *rig, const char *version)
{
    return ((const Pb__WorkflowUse *)ask(rig, "InUse", "default", version, STATUS_OK, NULL))->run;
}

static void test_a_run_that_goes_on_uses_its_version(void **)
{
    struct rig rig = {};
    rig_init(&rig, 2, true);
    put(&rig, "1.0.0", "", waiting);
    put(&rig, "1.1.0", "", waiting);
    assert_string_equal(user_of(&rig, "1.0.0"), "");

    Pb__StartRun start = PB__START_RUN__INIT;
    start.workflow     = "flow:1.0.0";
    start.client_id    = "one";
    const char *run    = rig_start_as(&rig, &start);
    assert_string_equal(user_of(&rig, "1.0.0"), run);
    assert_string_equal(user_of(&rig, "1.1.0"), "");
    const Pb__WorkflowUse *any = ask(&rig, "InUse", "*", "1.0.0", STATUS_OK, NULL);
    assert_string_equal(any->run, run); /* `*` is the namespace `default` here */
    const Pb__WorkflowUse *other = ask(&rig, "InUse", "other", "1.0.0", STATUS_OK, NULL);
    assert_string_equal(other->run, "");

    /* Deleted all the same, it stays where its run is. */
    (void)ask(&rig, "Delete", "default", "1.0.0", STATUS_OK, NULL);
    rig_restart(&rig);
    const Pb__LeasedJob *job = rig_lease_soon(&rig, "jobs");
    assert_int_equal(rig_complete(&rig, job, "{}"), STATUS_OK);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_string_equal(user_of(&rig, "1.0.0"), "");
    rig_done(&rig);
}

static void start_is(struct rig *rig, const char *workflow, status expected)
{
    Pb__StartRun message        = PB__START_RUN__INIT;
    message.workflow            = workflow;
    const struct question asked = {.service  = &pb__runs__descriptor,
                                   .method   = "Start",
                                   .message  = &message,
                                   .expected = expected};
    (void)rig_ask(rig, &asked);
}

static void test_no_start_finds_it_any_more(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    put(&rig, "1.0.0", "", quick);
    put(&rig, "1.1.0", "", quick);
    (void)ask(&rig, "Delete", "default", "", STATUS_NOT_FOUND, "not_found");
    (void)ask(&rig, "Delete", "default", "2.0.0", STATUS_NOT_FOUND, "not_found");
    (void)ask(&rig, "Delete", "other", "1.1.0", STATUS_NOT_FOUND, "not_found");

    (void)ask(&rig, "Delete", "default", "1.1.0", STATUS_OK, NULL);
    (void)ask(&rig, "Delete", "default", "1.1.0", STATUS_NOT_FOUND, "not_found");
    start_is(&rig, "flow:1.1.0", STATUS_NOT_FOUND);
    assert_string_equal(rig_start(&rig, "flow", NULL)->run->version, "1.0.0");
    rig_restart(&rig);
    start_is(&rig, "flow:1.1.0", STATUS_NOT_FOUND);
    (void)ask(&rig, "Delete", "default", "1.0.0", STATUS_OK, NULL);
    start_is(&rig, "flow", STATUS_NOT_FOUND);
    put(&rig, "1.0.0", "", waiting); /* its name is free again, also for something else */
    rig_done(&rig);
}

/* That the document of a version asks for; NULL: there is none. */
static const Pb__ScheduleView *schedule(struct rig *rig)
{
    Pb__GetWorkflow message     = PB__GET_WORKFLOW__INIT;
    message.namespace_          = "default";
    message.name                = "flow";
    const struct question asked = {
        .service = &pb__workflows__descriptor, .method = "Get", .message = &message};
    return ((const Pb__WorkflowView *)rig_ask(rig, &asked))->schedule;
}

static void put_schedule(struct rig *rig, const char *id, const char *spec)
{
    Pb__PutSchedule message     = PB__PUT_SCHEDULE__INIT;
    message.namespace_          = "default";
    message.id                  = id;
    message.spec_json           = rig_bytes(spec);
    message.by                  = "test";
    message.create              = true;
    const struct question asked = {
        .service = &pb__schedules__descriptor, .method = "Put", .message = &message};
    (void)rig_ask(rig, &asked);
}

static void test_a_schedule_keeps_what_it_starts(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    put(&rig, "1.0.0", hourly, quick);
    assert_string_equal(schedule(&rig)->version, "1.0.0");
    (void)ask(&rig, "Delete", "default", "1.0.0", STATUS_FAILED_PRECONDITION, "in_use");

    /* The newest version is what its document says; without a schedule there is none. */
    put(&rig, "1.1.0", "", quick);
    assert_null(schedule(&rig));
    put_schedule(&rig, "mine", "{\"workflow\": \"flow:1.1.0\", \"every\": \"PT1H\"}");
    (void)ask(&rig, "Delete", "default", "1.1.0", STATUS_FAILED_PRECONDITION, "in_use");
    (void)ask(&rig, "Delete", "default", "1.0.0", STATUS_OK, NULL);
    rig_done(&rig);
}

static void test_the_schedule_of_the_version_before_begins_again(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    put(&rig, "1.0.0", hourly, quick);
    put(&rig, "1.1.0", "", quick);
    assert_null(schedule(&rig));
    (void)ask(&rig, "Delete", "default", "1.1.0", STATUS_OK, NULL);
    assert_string_equal(schedule(&rig)->version, "1.0.0");
    assert_true(schedule(&rig)->next_us > 0);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_run_that_goes_on_uses_its_version),
        cmocka_unit_test(test_no_start_finds_it_any_more),
        cmocka_unit_test(test_a_schedule_keeps_what_it_starts),
        cmocka_unit_test(test_the_schedule_of_the_version_before_begins_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
