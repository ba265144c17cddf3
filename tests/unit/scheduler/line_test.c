/* Workflows that take turns in a queue. */
#include "cmocka.h"

#include "base/mem.h"
#include "base/random.h"
#include "scheduler/engine/jobs/job_queue.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOW = 1'000'000'000, SECOND = 1'000'000, MINUTE = 60 * SECOND };

struct show {
    struct job_queues *queues;
    struct queue *queue;
    unsigned number;
    int64_t now_us;
};

static struct open_job *add(struct show *show, const char *workflow, uint8_t priority)
{
    struct open_job job = {.queue    = show->queue,
                           .line     = job_line_at(show->queues, show->queue, str_from(workflow)),
                           .priority = priority,
                           .sequence = ++show->number,
                           .due_us   = show->now_us};
    (void)snprintf(job.id.text, sizeof job.id.text, "01JD00000000000000%08u", show->number);
    struct open_job *added = open_job_add(show->queues, &job, show->now_us);
    assert_non_null(added);
    return added;
}

/* Hands out the next job and ends it; whose it was: the last letter of its workflow. */
static char take(struct show *show)
{
    struct open_job *job = queue_peek(show->queue);
    assert_non_null(job);
    str name    = line_of_workflow(job->line)->name;
    char letter = name.ptr[name.len - 1];
    open_job_lease(show->queues, job, NULL, 1'000, show->now_us, 0);
    open_job_remove(show->queues, job);
    return letter;
}

static void expect(struct show *show, const char *letters)
{
    for (const char *at = letters; *at; at++) assert_int_equal(take(show), *at);
}

static int setup(void **state)
{
    struct show *show = mem_new(1, sizeof *show);
    show->now_us      = NOW;
    show->queues      = job_queues_new(true, 1);
    show->queue       = job_queue_at(show->queues, (str){}, str_from("tools"));
    *state            = show;
    return 0;
}

static int teardown(void **state)
{
    struct show *show = *state;
    job_queues_free(show->queues);
    free(show);
    return 0;
}

static void test_a_burst_delays_others_by_one_job_each(void **state)
{
    enum { BURST = 10'000 };
    struct show *show = *state;
    for (int i = 0; i < BURST; i++) add(show, "one/a", 5);
    expect(show, "aaa");
    show->now_us += SECOND;
    for (int i = 0; i < 3; i++) add(show, "one/b", 5);
    for (int i = 0; i < 2; i++) add(show, "two/c", 5);
    expect(show, "abcabcabaaa");
    assert_int_equal(show->queue->ready_count, BURST - 9);
    show->now_us += 3 * MINUTE; /* age does not help it either */
    add(show, "one/b", 5);
    expect(show, "abaaaa");
    for (int i = 0; i < BURST - 14; i++) expect(show, "a");
    assert_null(queue_peek(show->queue));
}

/* Leases of one turn have one time: their count tells them apart. */
static void test_turns_of_one_moment(void **state)
{
    struct show *show = *state;
    for (int i = 0; i < 4; i++) {
        add(show, "one/a", 5);
        add(show, "one/b", 5);
        add(show, "one/c", 5);
        add(show, "one/a", 5);
    }
    expect(show, "abcabcabcabcaaaa");
}

static void test_priority_goes_before_turns(void **state)
{
    struct show *show = *state;
    for (int i = 0; i < 4; i++) add(show, "one/a", 5);
    add(show, "one/b", 4);
    add(show, "one/c", 9);
    add(show, "one/c", 9);
    expect(show, "ccaa"); /* urgent ones do not take turns with others */
    show->now_us += MINUTE + 1;
    expect(show, "aba"); /* `b` has waited for its turn for a minute, `a` has not any more */
}

/* Whoever is always passed by more urgent ones has a turn a minute for each step between them. */
static void test_no_line_waits_for_ever(void **state)
{
    struct show *show = *state;
    int turns         = 0;
    for (int i = 0; i < 10; i++) add(show, "one/a", 3);
    for (int i = 0; i < 20 * 60; i++) {
        add(show, "one/b", 5);
        turns += take(show) == 'a';
        show->now_us += SECOND;
    }
    assert_in_range(turns, 9, 10);
}

/* The jobs of one workflow are in the order that they would have alone. */
static void test_order_within_a_line(void **state)
{
    struct show *show = *state;
    add(show, "one/a", 5);
    show->now_us += 30 * SECOND;
    struct open_job *urgent = add(show, "one/a", 6);
    struct open_job *later  = add(show, "one/a", 5);
    assert_ptr_equal(queue_peek(show->queue), urgent);
    expect(show, "aa");
    assert_ptr_equal(queue_peek(show->queue), later);
    assert_int_equal(queue_oldest_us(show->queue), later->due_us);
}

/* Lines of workflows that have nothing to do are kept, but not all of them. */
static void test_empty_lines_are_forgotten(void **state)
{
    enum { WORKFLOWS = 3 * LINES_IDLE_MAX };
    struct show *show = *state;
    for (int i = 0; i < WORKFLOWS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "default/w%d", i);
        open_job_remove(show->queues, add(show, name, 5));
    }
    assert_int_equal(job_queues_line_count(show->queues), LINES_IDLE_MAX);
    add(show, "default/w0", 5);
    expect(show, "0");
    assert_int_equal(job_queues_line_count(show->queues), LINES_IDLE_MAX);
}

/* Whatever comes and goes, each gets what is its, and all lines are where they belong. */
static void test_many_lines_at_random(void **state)
{
    enum { LETTERS = 26, JOBS = 5'000 };
    struct show *show       = *state;
    struct prng random      = {.state = 11};
    struct open_job **jobs  = mem_new(JOBS, sizeof *jobs);
    unsigned waits[LETTERS] = {};
    size_t left             = 0;
    for (int i = 0; i < JOBS; i++) {
        unsigned letter = (unsigned)(prng_next(&random) % LETTERS);
        char name[]     = {'x', '/', (char)('a' + letter), '\0'};
        jobs[i]         = add(show, name, 5);
        waits[letter]++;
    }
    for (int i = 0; i < JOBS; i += 5) {
        str name = line_of_workflow(jobs[i]->line)->name;
        waits[name.ptr[2] - 'a']--;
        open_job_remove(show->queues, jobs[i]);
    }
    for (unsigned i = 0; i < LETTERS; i++) left += waits[i];
    while (left > 0) { /* rounds: each that still has jobs is served once */
        unsigned served[LETTERS] = {};
        unsigned standing        = 0;
        for (unsigned i = 0; i < LETTERS; i++) standing += waits[i] > 0;
        for (unsigned i = 0; i < standing; i++) {
            unsigned letter = (unsigned)(take(show) - 'a');
            assert_int_equal(served[letter]++, 0);
            waits[letter]--;
            left--;
        }
        show->now_us += 1;
    }
    assert_null(queue_peek(show->queue));
    free(jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_burst_delays_others_by_one_job_each, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_turns_of_one_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_priority_goes_before_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_line_waits_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_within_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_lines_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_lines_at_random, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
