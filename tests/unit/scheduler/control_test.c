/* Suspending and resuming runs: what is open finishes, nothing begins. */
#include "cmocka.h"

#include "support/scheduler/rig.h"
#include "support/scheduler/world.h"

#define CALL "call: http, with: {method: get, endpoint: 'https://a.test/x'}"

enum { SECOND_US = 1'000'000 };

/* --- the core ----------------------------------------------------------------------------------
 */

static void test_no_task_starts_and_no_timer_fires(void **)
{
    struct world world;
    world_init(&world,
               "do:\n  - f: {fork: {branches: [{a: {do: [{w: {wait: {seconds: 5}}},\n"
               "      {x: {set: {n: 1}}}]}}, {b: {do: [{j: {" CALL "}}, {y: {set: {n: 2}}}\n"
               "      ]}}]}}\n");
    world_start(&world, NULL);
    world_suspend(&world);
    assert_string_equal(world_result(&world), "suspended");
    world_pass(&world, 60 * SECOND_US);
    assert_string_equal(world_result(&world), "suspended");
    assert_int_equal(run_next_due(world.run), NO_DUE_US);

    world_crash(&world, true);
    (void)world_step(&world); /* the job answers: its task ends, the next one does not start */
    assert_string_equal(world_result(&world), "suspended");
    assert_non_null(strstr(world.history.ptr, "task.completed /do/0/f/fork/branches/1/b/do/0/j"));
    assert_null(strstr(world.history.ptr, "task.started /do/0/f/fork/branches/1/b/do/1/y"));
    assert_false(world_step(&world));

    world_crash(&world, false);
    world_suspend(&world); /* once more is no event */
    world_resume(&world);
    world_play(&world);
    assert_string_equal(world_result(&world), "[{\"n\":1},{\"n\":2}]");
    world_done(&world);
}

static void test_deadlines_stay_where_they_are(void **)
{
    struct world world;
    world_init(&world, "timeout: {after: {seconds: 10}}\ndo:\n  - w: {wait: {seconds: 5}}\n");
    world_start(&world, NULL);
    world_suspend(&world);
    world_pass(&world, 60 * SECOND_US);
    assert_string_equal(world_result(&world), "suspended");
    world_resume(&world);
    world_play(&world);
    assert_non_null(strstr(world_result(&world), "errors/timeout"));
    world_done(&world);
}

static void test_what_was_last_ends_the_run(void **)
{
    struct world world;
    world_init(&world, "do:\n  - j: {" CALL "}\n");
    world_start(&world, NULL);
    world_suspend(&world);
    (void)world_step(&world);
    assert_string_equal(world_result(&world), "null");
    world_done(&world);
}

static void test_stopping_a_suspended_run(void **)
{
    static const char *const prefixes[] = {"cancelled {", "terminated {"};
    for (int i = 0; i < 2; i++) {
        struct world world;
        world_init(&world, "do:\n  - j: {" CALL "}\n");
        world_start(&world, NULL);
        world_suspend(&world);
        if (i == 0) world_cancel(&world);
        if (i == 1) world_terminate(&world);
        assert_int_equal(world.job_count, 0);
        assert_ptr_equal(strstr(world_result(&world), prefixes[i]), world_result(&world));
        world_done(&world);
    }
}

static void test_commands_that_do_not_fit(void **)
{
    struct world world;
    struct error error = {};
    str by             = str_from("ann");
    world_init(&world, "do:\n  - l: {listen: {to: {one: {with: {type: go}}}}}\n");
    world_start(&world, NULL);
    assert_int_equal(run_resume(world.run, &world.env, by, by, &world.events, &error),
                     STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.code, "run_not_paused");
    world_signal(&world, "go", NULL);
    assert_true(run_status_is_final(run_status(world.run)));
    assert_int_equal(run_suspend(world.run, &world.env, by, by, &world.events, &error),
                     STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.code, "run_finished");
    assert_int_equal(run_resume(world.run, &world.env, by, by, &world.events, &error),
                     STATUS_FAILED_PRECONDITION);
    assert_int_equal(run_terminate(world.run, &world.env, by, by, &world.events, &error),
                     STATUS_FAILED_PRECONDITION);
    world_done(&world);
}

/* --- the queue ---------------------------------------------------------------------------------
 */

static void stop(struct rig *rig, const char *method, const char *run, status expected)
{
    Pb__StopRun message         = PB__STOP_RUN__INIT;
    message.id                  = run;
    const struct question asked = {.service  = &pb__runs__descriptor,
                                   .method   = method,
                                   .message  = &message,
                                   .expected = expected};
    (void)rig_ask(rig, &asked);
}

static void test_jobs_are_not_handed_out(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one",
            "  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n"
            "  - b: {call: llm.chat, with: {model: m, prompt: ho}}\n");
    const char *run = rig_start(&rig, "one", NULL)->run->id;
    stop(&rig, "Suspend", run, STATUS_OK);
    stop(&rig, "Suspend", run, STATUS_OK);
    assert_null(rig_lease(&rig, "llm", 0));
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_SUSPENDED);

    rig_restart(&rig);
    assert_null(rig_lease(&rig, "llm", 0));
    stop(&rig, "Resume", run, STATUS_OK);
    stop(&rig, "Resume", run, STATUS_FAILED_PRECONDITION);
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    assert_non_null(job);

    stop(&rig, "Suspend", run, STATUS_OK); /* what a worker has is finished */
    assert_int_equal(rig_complete(&rig, job, "{}"), STATUS_OK);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_SUSPENDED);
    assert_null(rig_lease(&rig, "llm", 0));

    stop(&rig, "Resume", run, STATUS_OK);
    job = rig_lease(&rig, "llm", 5'000);
    assert_string_equal(job->task, "/do/1/b");
    stop(&rig, "Terminate", run, STATUS_OK);
    assert_int_equal(rig_complete(&rig, job, "{}"), STATUS_FAILED_PRECONDITION);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_TERMINATED);
    rig_done(&rig);
}

/* A second run with the same wait begins later and ends: so the first one's time has come. */
static void test_a_timer_waits_for_the_end_of_the_pause(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "one", "  - w: {wait: {seconds: 3}}\n");
    const char *run = rig_start(&rig, "one", NULL)->run->id;
    stop(&rig, "Suspend", run, STATUS_OK);
    const char *later = rig_start(&rig, "one", NULL)->run->id;
    rig_restart(&rig);
    rig_wait_for(&rig, later, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_SUSPENDED);
    stop(&rig, "Resume", run, STATUS_OK);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_task_starts_and_no_timer_fires),
        cmocka_unit_test(test_deadlines_stay_where_they_are),
        cmocka_unit_test(test_what_was_last_ends_the_run),
        cmocka_unit_test(test_stopping_a_suspended_run),
        cmocka_unit_test(test_commands_that_do_not_fit),
        cmocka_unit_test(test_jobs_are_not_handed_out),
        cmocka_unit_test(test_a_timer_waits_for_the_end_of_the_pause),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
