/* How far jobs say they have come: what is kept, for how long, and up to which limits. */
#include "cmocka.h"

#include "scheduler/engine/jobs/job_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct job_progress *progress;
    struct arena *arena;
};

static int begin(void **state)
{
    struct fixture *it = calloc(1, sizeof *it);
    it->progress       = job_progress_new();
    it->arena          = arena_new(64 << 20);
    *state             = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    job_progress_free(it->progress);
    arena_free(it->arena);
    free(it);
    return 0;
}

static struct id id_of(unsigned number)
{
    struct id id = {};
    (void)snprintf(id.text, sizeof id.text, "%026u", number);
    return id;
}

static void add(struct fixture *it, unsigned job, unsigned run)
{
    struct id id      = id_of(job);
    struct id of      = id_of(run);
    Pb__LeasedJob one = PB__LEASED_JOB__INIT;
    one.id            = id.text;
    one.run           = of.text;
    one.task          = "/do/0/a";
    one.iteration     = "3";
    job_progress_add(it->progress, &one);
}

static bool say(struct fixture *it, unsigned job, const char *text)
{
    struct id id = id_of(job);
    return job_progress_say(it->progress, &id, str_from(text), 1);
}

static size_t said_in(struct fixture *it, unsigned run, uint64_t after, Pb__JobProgress ***ret_jobs)
{
    struct id id = id_of(run);
    return job_progress_of_run(it->progress, str_from(id.text), after, it->arena, ret_jobs);
}

static void what_is_said_last_counts(void **state)
{
    struct fixture *it     = *state;
    Pb__JobProgress **jobs = NULL;
    struct id one          = id_of(1);
    assert_false(say(it, 1, "1")); /* it is not known */
    add(it, 1, 7);
    add(it, 2, 7);
    assert_true(job_progress_knows(it->progress, &one));
    assert_int_equal(said_in(it, 7, 0, &jobs), 0);
    assert_true(say(it, 1, "1"));
    assert_false(say(it, 1, "1")); /* no news */
    assert_true(say(it, 1, "2"));
    assert_true(say(it, 2, "5"));
    assert_int_equal(said_in(it, 7, 0, &jobs), 2);
    assert_int_equal(said_in(it, 8, 0, &jobs), 0);
    str text = job_progress_of(it->progress, str_from(one.text), it->arena);
    assert_true(str_is(text, "2"));
}

static void only_what_is_new_is_asked_for(void **state)
{
    struct fixture *it     = *state;
    Pb__JobProgress **jobs = NULL;
    add(it, 1, 7);
    add(it, 2, 7);
    (void)say(it, 1, "1");
    (void)say(it, 2, "1");
    assert_int_equal(said_in(it, 7, 0, &jobs), 2);
    uint64_t newest = jobs[0]->number > jobs[1]->number ? jobs[0]->number : jobs[1]->number;
    assert_int_equal(said_in(it, 7, newest, &jobs), 0);
    (void)say(it, 1, "2");
    assert_int_equal(said_in(it, 7, newest, &jobs), 1);
    assert_true(jobs[0]->number > newest);
    assert_string_equal(jobs[0]->job, id_of(1).text);
    assert_string_equal(jobs[0]->task, "/do/0/a");
    assert_string_equal(jobs[0]->iteration, "3");
}

static void none_is_passed_over(void **state)
{
    enum { JOBS = JOB_PROGRESS_SHOWN_MAX + 200 };
    struct fixture *it     = *state;
    Pb__JobProgress **jobs = NULL;
    for (unsigned i = 0; i < JOBS; i++) add(it, i, 7);
    for (unsigned i = 0; i < JOBS; i++) assert_true(say(it, i * 7 % JOBS, "1"));
    assert_int_equal(said_in(it, 7, 0, &jobs), JOB_PROGRESS_SHOWN_MAX);
    uint64_t last = 0;
    for (size_t i = 0; i < JOB_PROGRESS_SHOWN_MAX; i++) {
        assert_true(jobs[i]->number > last);
        last = jobs[i]->number;
    }
    assert_int_equal(said_in(it, 7, last, &jobs), JOBS - JOB_PROGRESS_SHOWN_MAX);
}

static void it_goes_with_the_lease(void **state)
{
    struct fixture *it     = *state;
    Pb__JobProgress **jobs = NULL;
    struct id one          = id_of(1);
    struct id two          = id_of(2);
    struct id none         = id_of(3);
    for (unsigned i = 1; i <= 2; i++) {
        add(it, i, 7);
        (void)say(it, i, "1");
    }
    job_progress_drop(it->progress, &one);
    job_progress_drop(it->progress, &none);
    assert_int_equal(said_in(it, 7, 0, &jobs), 1);
    assert_string_equal(jobs[0]->job, two.text);
    job_progress_clear(it->progress);
    assert_int_equal(said_in(it, 7, 0, &jobs), 0);
    assert_false(job_progress_knows(it->progress, &two));
}

static void limits_hold(void **state)
{
    static char large[JOB_PROGRESS_SIZE_MAX + 2];
    struct fixture *it     = *state;
    Pb__JobProgress **jobs = NULL;
    memset(large, '1', JOB_PROGRESS_SIZE_MAX + 1);
    for (unsigned i = 0; i <= JOB_PROGRESS_MAX; i++) {
        add(it, i, 7);
        assert_int_equal(say(it, i, "1"), i < JOB_PROGRESS_MAX);
    }
    assert_false(say(it, 1, large));
    large[JOB_PROGRESS_SIZE_MAX] = '\0';
    assert_true(say(it, 1, large));
    assert_int_equal(said_in(it, 7, 0, &jobs), JOB_PROGRESS_SHOWN_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_said_last_counts, begin, end),
        cmocka_unit_test_setup_teardown(only_what_is_new_is_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(none_is_passed_over, begin, end),
        cmocka_unit_test_setup_teardown(it_goes_with_the_lease, begin, end),
        cmocka_unit_test_setup_teardown(limits_hold, begin, end),
    };
    return cmocka_run_group_tests_name("job_progress", tests, NULL, NULL);
}
