#include "cmocka.h"

#include "scheduler/engine/poison.h"
#include "support/scheduler/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char one[] = "01JD0000000000000000000000";
static const char two[] = "01JD0000000000000000000001";

static int setup(void **state)
{
    char *folder = strdup("/tmp/tutti-poison-XXXXXX");
    *state       = mkdtemp(folder);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/poison", (const char *)*state);
    (void)unlink(path);
    (void)rmdir(*state);
    free(*state);
    return 0;
}

static struct poison *open_in(const char *folder)
{
    struct poison *poison = NULL;
    assert_int_equal(poison_open(folder, &poison, NULL), STATUS_OK);
    return poison;
}

/* A process that dies in the middle leaves the file as it is, which is what closing does too. */
static void crash_with(const char *folder, const char *run)
{
    struct poison *poison = open_in(folder);
    poison_begin(poison, str_from(run));
    poison_close(poison);
}

static bool is_poison(const char *folder, const char *run)
{
    struct poison *poison = open_in(folder);
    struct id found       = {};
    bool is_found         = poison_run(poison, &found);
    if (is_found) assert_string_equal(found.text, run);
    poison_close(poison);
    return is_found;
}

static void test_two_crashes_in_a_row_make_poison(void **state)
{
    assert_false(is_poison(*state, one));
    crash_with(*state, one);
    assert_false(is_poison(*state, one)); /* once may be a kill -9 */
    crash_with(*state, one);
    assert_true(is_poison(*state, one));
    assert_true(is_poison(*state, one)); /* until somebody else crashes */
}

static void test_another_run_begins_anew(void **state)
{
    crash_with(*state, one);
    crash_with(*state, two);
    assert_false(is_poison(*state, one));
    crash_with(*state, two);
    assert_true(is_poison(*state, two));
}

static void test_work_that_ends_clears_the_suspect(void **state)
{
    crash_with(*state, one);
    struct poison *poison = open_in(*state);
    poison_begin(poison, str_from(two)); /* others do not clear it */
    poison_end(poison);
    poison_begin(poison, str_from(one));
    poison_end(poison);
    poison_close(poison);
    crash_with(*state, one);
    assert_false(is_poison(*state, one));
}

static void test_others_between_do_not_clear_the_suspect(void **state)
{
    crash_with(*state, one);
    struct poison *poison = open_in(*state);
    poison_begin(poison, str_from(two));
    poison_end(poison);
    poison_close(poison);
    crash_with(*state, one);
    assert_true(is_poison(*state, one));
}

static void test_a_file_that_makes_no_sense_is_begun_anew(void **state)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/poison", (const char *)*state);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 100; i++) (void)fputc(0xff, file);
    (void)fclose(file);
    assert_false(is_poison(*state, one));
    crash_with(*state, one);
    crash_with(*state, one);
    assert_true(is_poison(*state, one));
}

static void test_no_folder_no_poison(void **)
{
    struct poison *poison = NULL;
    assert_int_equal(poison_open("/nowhere", &poison, NULL), STATUS_UNAVAILABLE);
    poison_close(NULL);
}

/* --- what becomes of the run -------------------------------------------------------------------
 */

static const char calls[] = "  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n";

static void test_a_poisonous_run_is_parked(void **)
{
    char folder[128];
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", calls);
    const char *bad  = rig_start(&rig, "job", NULL)->run->id;
    const char *good = rig_start(&rig, "job", NULL)->run->id;
    rig_stop(&rig);
    (void)snprintf(folder, sizeof folder, "%s/p0", rig.folder);
    for (int i = 0; i < 2; i++) crash_with(folder, bad);
    rig_resume(&rig);

    const Pb__RunView *parked = rig_get(&rig, bad);
    assert_int_equal(parked->status, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    assert_non_null(memmem(parked->error_json.data, parked->error_json.len, "internal", 8));
    Pb__CancelRun cancel        = PB__CANCEL_RUN__INIT;
    cancel.id                   = bad;
    const struct question asked = {.service  = &pb__runs__descriptor,
                                   .method   = "Cancel",
                                   .message  = &cancel,
                                   .expected = STATUS_FAILED_PRECONDITION,
                                   .code     = "run_finished"};
    (void)rig_ask(&rig, &asked);
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 0); /* the other one goes on */
    assert_string_equal(job->run, good);
    assert_int_equal(rig_complete(&rig, job, "1"), STATUS_OK);
    assert_null(rig_lease(&rig, "llm", 0));
    rig_restart(&rig);
    assert_int_equal(rig_get(&rig, bad)->status, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_crashes_in_a_row_make_poison, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_run_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_work_that_ends_clears_the_suspect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others_between_do_not_clear_the_suspect, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_makes_no_sense_is_begun_anew, setup,
                                        teardown),
        cmocka_unit_test(test_no_folder_no_poison),
        cmocka_unit_test(test_a_poisonous_run_is_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
