/* The scheduler over a socket: start, lease, report, end; and what must hold across a restart. */
#include "cmocka.h"

#include "support/scheduler/rig.h"

static const char set_task[]  = "  - a: {set: {answer: 42}}\n";
static const char call_task[] = "  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n";

static void assert_json(ProtobufCBinaryData found, const char *expected)
{
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.data, expected, found.len);
}

static void test_set_completes_in_the_start(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", set_task);
    const Pb__StartedRun *started = rig_start(&rig, "one", NULL);
    assert_true(started->created);
    assert_int_equal(started->run->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_json(started->run->output_json, "{\"answer\":42}");

    const Pb__RunView *read = rig_get(&rig, started->run->id);
    assert_int_equal(read->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_json(read->output_json, "{\"answer\":42}");
    assert_string_equal(read->workflow, "one");
    rig_done(&rig);
}

static void test_job_is_leased_and_completed(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", call_task);
    const char *run          = rig_start(&rig, "job", NULL)->run->id;
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    assert_non_null(job);
    assert_string_equal(job->run, run);
    assert_json(job->input_json, "{\"model\":\"m\",\"prompt\":\"hi\"}");
    assert_int_equal(rig_complete(&rig, job, "{\"y\":2}"), STATUS_OK);

    const Pb__RunView *read = rig_get(&rig, run);
    assert_int_equal(read->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_json(read->output_json, "{\"y\":2}");
    assert_int_equal(rig_complete(&rig, job, "{\"y\":3}"), STATUS_FAILED_PRECONDITION);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_completes_in_the_start),
        cmocka_unit_test(test_job_is_leased_and_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
