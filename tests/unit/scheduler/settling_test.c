/* Jobs of which nobody knows what they have done: they go out again to find that out, over a
 * socket and over restarts, before what they may have done is undone. */
#include "cmocka.h"

#include "support/scheduler/rig.h"

#include <string.h>

static const char function[] =
    "{\"name\": \"room.book\", \"version\": \"1.0.0\", \"queue\": \"tools\","
    " \"effect\": \"create\", \"idempotency\": \"lookup\", \"input_schema\": {},"
    " \"compensation\": {\"summary\": \"Cancels it\"}}";

static const char saga[] =
    "  - trip:\n      metadata: {tutti: {saga: true}}\n      do:\n"
    "        - room:\n            call: room.book\n            with: {nights: 2}\n"
    "            metadata: {tutti: {retry: {delay: {milliseconds: 1}, limit: {attempt: {count: "
    "1}}}}}\n";

static const char unknown_json[] =
    "{\"type\":\"https://tutti.dev/errors/unknown-outcome\",\"status\":504}";

static void open(struct rig *rig)
{
    ProtobufCBinaryData list[]    = {rig_bytes(function)};
    Pb__RegisterFunctions message = PB__REGISTER_FUNCTIONS__INIT;
    message.worker                = "w";
    message.functions_json        = list;
    message.n_functions_json      = 1;
    const struct question asked   = {
          .service = &pb__functions__descriptor, .method = "Put", .message = &message};
    *rig = (struct rig){};
    rig_init(rig, 1, true);
    (void)rig_ask(rig, &asked);
    rig_put(rig, "trip", saga);
}

static uint32_t fail_with(struct rig *rig, const Pb__LeasedJob *job, const Pb__JobFailed *how)
{
    Pb__JobFailed failed = *how;
    failed.error_json    = rig_bytes(unknown_json);
    return rig_fail(rig, job, &failed);
}

/* Both attempts end without anybody knowing what they have done. */
static const Pb__LeasedJob *give_up(struct rig *rig)
{
    Pb__JobFailed how        = PB__JOB_FAILED__INIT;
    const Pb__LeasedJob *job = NULL;
    how.unknown_outcome      = true;
    for (uint32_t i = 1; i <= 2; i++) {
        job = rig_lease_soon(rig, "tools");
        assert_int_equal(job->attempt, i);
        assert_false(job->settles);
        assert_int_equal(fail_with(rig, job, &how), STATUS_OK);
    }
    return job;
}

/* Who would do it never gets it. */
static const Pb__LeasedJob *look(struct rig *rig, const Pb__LeasedJob *of, uint32_t attempt)
{
    assert_null(rig_lease(rig, "tools", 0));
    const Pb__LeasedJob *job = rig_lease_soon(rig, "tools.settle");
    assert_string_equal(job->id, of->id);
    assert_string_equal(job->idempotency_key, of->idempotency_key);
    assert_true(job->settles);
    assert_int_equal(job->attempt, attempt);
    assert_int_equal(job->previous, PB__PREVIOUS_ATTEMPT__PREVIOUS_UNKNOWN);
    assert_int_equal(job->input_json.len, strlen("{\"nights\":2}"));
    return job;
}

static void ends(struct rig *rig, const char *run, uint32_t done, uint32_t failed)
{
    rig_wait_for(rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    const Pb__RunView *view = rig_get(rig, run);
    assert_non_null(view->compensation);
    assert_int_equal(view->compensation->done, done);
    assert_int_equal(view->compensation->failed, failed);
    assert_null(rig_lease(rig, "tools.settle", 0));
}

static void test_what_was_done_is_undone(void **)
{
    struct rig rig;
    open(&rig);
    const char *run            = rig_start(&rig, "trip", NULL)->run->id;
    const Pb__LeasedJob *first = give_up(&rig);
    rig_restart(&rig);
    const Pb__LeasedJob *job = look(&rig, first, 1);
    assert_int_equal(rig_complete(&rig, first, "{\"id\":6}"), STATUS_FAILED_PRECONDITION);

    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    Pb__JobReport made         = PB__JOB_REPORT__INIT;
    completed.output_json      = rig_bytes("{\"id\":7}");
    completed.undo_json        = rig_bytes("[{\"function\":\"room.cancel\",\"with\":{\"id\":7}}]");
    made.result_case           = PB__JOB_REPORT__RESULT_COMPLETED;
    made.completed             = &completed;
    assert_int_equal(rig_report(&rig, job, &made), STATUS_OK);

    const Pb__LeasedJob *undo = rig_lease_soon(&rig, "tools");
    assert_string_equal(undo->function, "room.cancel");
    assert_memory_equal(undo->input_json.data, "{\"id\":7}", 8);
    assert_int_equal(rig_complete(&rig, undo, "{}"), STATUS_OK);
    ends(&rig, run, 1, 0);
    rig_done(&rig);
}

static void test_what_was_not_done_is_not(void **)
{
    struct rig rig;
    Pb__JobFailed how = PB__JOB_FAILED__INIT;
    open(&rig);
    const char *run            = rig_start(&rig, "trip", NULL)->run->id;
    const Pb__LeasedJob *first = give_up(&rig);
    const Pb__LeasedJob *job   = look(&rig, first, 1);
    how.transient              = true; /* it looks again, and nobody else hears of it */
    how.unknown_outcome        = true;
    assert_int_equal(fail_with(&rig, job, &how), STATUS_OK);
    rig_restart(&rig);
    job              = look(&rig, first, 2);
    how              = (Pb__JobFailed)PB__JOB_FAILED__INIT;
    how.nothing_done = true;
    assert_int_equal(fail_with(&rig, job, &how), STATUS_OK);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    assert_null(rig_get(&rig, run)->compensation);
    assert_null(rig_lease(&rig, "tools", 0));
    rig_done(&rig);
}

/* A worker has it when its run is cancelled, and says then that it may have acted: what it has done
 * is found out, as it is for a job whose run waits for it. */
static void test_a_cancelled_job_is_looked_up(void **)
{
    struct rig rig;
    Pb__JobFailed how = PB__JOB_FAILED__INIT;
    open(&rig);
    const char *run            = rig_start(&rig, "trip", NULL)->run->id;
    const Pb__LeasedJob *first = rig_lease_soon(&rig, "tools");
    rig_cancel(&rig, run);
    how.unknown_outcome = true;
    assert_int_equal(fail_with(&rig, first, &how), STATUS_OK);
    rig_restart(&rig);
    const Pb__LeasedJob *job   = look(&rig, first, 1);
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    Pb__JobReport made         = PB__JOB_REPORT__INIT;
    completed.output_json      = rig_bytes("{\"id\":7}");
    completed.undo_json        = rig_bytes("[{\"function\":\"room.cancel\",\"with\":{\"id\":7}}]");
    made.result_case           = PB__JOB_REPORT__RESULT_COMPLETED;
    made.completed             = &completed;
    assert_int_equal(rig_report(&rig, job, &made), STATUS_OK);
    const Pb__LeasedJob *undo = rig_lease_soon(&rig, "tools");
    assert_string_equal(undo->function, "room.cancel");
    assert_int_equal(rig_complete(&rig, undo, "{}"), STATUS_OK);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_CANCELLED);
    assert_int_equal(rig_get(&rig, run)->compensation->done, 1);
    assert_int_equal(rig_get(&rig, run)->compensation->failed, 0);
    rig_done(&rig);
}

/* Whatever else ends a look says nothing of what was done. */
static void test_what_nobody_finds_out_is_a_dead_letter(void **)
{
    struct rig rig;
    Pb__JobFailed how = PB__JOB_FAILED__INIT;
    open(&rig);
    const char *run            = rig_start(&rig, "trip", NULL)->run->id;
    const Pb__LeasedJob *first = give_up(&rig);
    assert_int_equal(fail_with(&rig, look(&rig, first, 1), &how), STATUS_OK);
    ends(&rig, run, 0, 1);
    rig_done(&rig);
}

/* Nobody says that nothing was done but who was asked to find out. */
static void test_an_attempt_does_not_settle(void **)
{
    struct rig rig;
    Pb__JobFailed how = PB__JOB_FAILED__INIT;
    open(&rig);
    (void)rig_start(&rig, "trip", NULL);
    how.unknown_outcome      = true;
    how.nothing_done         = true;
    const Pb__LeasedJob *job = rig_lease_soon(&rig, "tools");
    assert_int_equal(fail_with(&rig, job, &how), STATUS_OK);
    job = rig_lease_soon(&rig, "tools");
    assert_int_equal(fail_with(&rig, job, &how), STATUS_OK);
    (void)look(&rig, job, 1);
    rig_done(&rig);
}

/* --- a part of it ----------------------------------------------------------------------------- */

static const char part_undo[] = "[{\"function\":\"room.cancel\",\"with\":{\"id\":7}}]";

static void undo_part(struct rig *rig)
{
    const Pb__LeasedJob *undo = rig_lease_soon(rig, "tools");
    assert_string_equal(undo->function, "room.cancel");
    assert_memory_equal(undo->input_json.data, "{\"id\":7}", 8);
    assert_int_equal(rig_complete(rig, undo, "{}"), STATUS_OK);
}

/* A part is taken up by the next attempt, and undone once none follows; nobody looks for more. */
static void test_a_part_that_is_done_is_undone(void **)
{
    struct rig rig;
    Pb__JobFailed how = PB__JOB_FAILED__INIT;
    open(&rig);
    const char *run   = rig_start(&rig, "trip", NULL)->run->id;
    how.transient     = true;
    how.undo_json     = rig_bytes(part_undo);
    how.undo_is_whole = true;
    for (uint32_t i = 1; i <= 2; i++) {
        const Pb__LeasedJob *job = rig_lease_soon(&rig, "tools");
        assert_string_equal(job->function, "room.book");
        assert_int_equal(job->attempt, i);
        assert_int_equal(fail_with(&rig, job, &how), STATUS_OK);
    }
    rig_restart(&rig);
    undo_part(&rig);
    ends(&rig, run, 1, 0);
    rig_done(&rig);
}

/* What is known is undone, and what nobody finds out is a dead letter. */
static void test_a_part_is_undone_though_the_rest_is_unknown(void **)
{
    struct rig rig;
    Pb__JobFailed how = PB__JOB_FAILED__INIT;
    open(&rig);
    const char *run     = rig_start(&rig, "trip", NULL)->run->id;
    how.unknown_outcome = true;
    how.undo_json       = rig_bytes(part_undo);
    for (int i = 0; i < 2; i++) {
        const Pb__LeasedJob *job = rig_lease_soon(&rig, "tools");
        assert_int_equal(fail_with(&rig, job, &how), STATUS_OK);
    }
    const Pb__LeasedJob *job = rig_lease_soon(&rig, "tools.settle");
    how                      = (Pb__JobFailed)PB__JOB_FAILED__INIT;
    how.unknown_outcome      = true;
    assert_int_equal(fail_with(&rig, job, &how), STATUS_OK);
    rig_restart(&rig);
    undo_part(&rig);
    ends(&rig, run, 0, 1);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_done_is_undone),
        cmocka_unit_test(test_what_was_not_done_is_not),
        cmocka_unit_test(test_a_cancelled_job_is_looked_up),
        cmocka_unit_test(test_what_nobody_finds_out_is_a_dead_letter),
        cmocka_unit_test(test_an_attempt_does_not_settle),
        cmocka_unit_test(test_a_part_that_is_done_is_undone),
        cmocka_unit_test(test_a_part_is_undone_though_the_rest_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
