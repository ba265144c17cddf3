/* The order of jobs, and the heap under it. */
#include "cmocka.h"

#include "base/mem.h"
#include "base/random.h"
#include "scheduler/engine/jobs/job_queue.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOW = 1'000'000'000, SECOND = 1'000'000 };

static struct open_job *add(struct job_queues *queues, struct queue *queue, unsigned number,
                            uint8_t priority, int64_t due_us)
{
    struct open_job job = {.queue     = queue,
                           .priority  = priority,
                           .sequence  = number,
                           .due_us    = due_us,
                           .queued_us = due_us};
    (void)snprintf(job.id.text, sizeof job.id.text, "01JD00000000000000%08u", number);
    struct open_job *added = open_job_add(queues, &job, NOW);
    assert_non_null(added);
    return added;
}

static int setup(void **state)
{
    *state = job_queues_new(true, 1);
    return 0;
}

static int teardown(void **state)
{
    job_queues_free(*state);
    return 0;
}

static void test_order(void **state)
{
    struct job_queues *queues = *state;
    struct queue *queue       = job_queue_at(queues, (str){}, str_from("q"));
    add(queues, queue, 1, 5, NOW - 3);
    add(queues, queue, 2, 5, NOW - 3);
    add(queues, queue, 3, 5, NOW - 5);
    add(queues, queue, 4, 9, NOW);
    add(queues, queue, 5, 4, NOW - 59 * SECOND);  /* not old enough to pass the fives */
    add(queues, queue, 6, 3, NOW - 121 * SECOND); /* has waited two steps of priority */
    static const unsigned expected[] = {4, 6, 3, 1, 2, 5};
    assert_int_equal(queue->ready_count, ARRAY_LEN(expected));
    assert_int_equal(queue_oldest_us(queue), NOW - 121 * SECOND);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct open_job *job = queue_peek(queue);
        assert_non_null(job);
        assert_int_equal(job->sequence, expected[i]);
        open_job_remove(queues, job);
    }
    assert_null(queue_peek(queue));
    assert_int_equal(queue_oldest_us(queue), 0);
    assert_int_equal(open_job_count(queues), 0);
}

static void test_delayed_jobs_come_when_due(void **state)
{
    struct job_queues *queues = *state;
    struct queue *queue       = job_queue_at(queues, str_from("acme"), str_from("q"));
    add(queues, queue, 1, 5, NOW + 10);
    add(queues, queue, 2, 9, NOW + 20);
    assert_null(queue_peek(queue));
    assert_int_equal(queue->delayed_count, 2);
    assert_int_equal(job_queues_due_us(queues), NOW + 10);
    job_queues_advance(queues, NOW + 9);
    assert_null(queue_peek(queue));
    job_queues_advance(queues, NOW + 10);
    assert_int_equal(queue_peek(queue)->sequence, 1);
    job_queues_advance(queues, NOW + 20);
    assert_int_equal(queue_peek(queue)->sequence, 2);
    assert_int_equal(queue->delayed_count, 0);
    assert_int_equal(job_queues_due_us(queues), INT64_MAX);
}

static void test_a_lease_ends_by_silence_or_by_its_attempt(void **state)
{
    struct job_queues *queues = *state;
    struct queue *queue       = job_queue_at(queues, (str){}, str_from("q"));
    struct worker worker      = {};
    struct open_job *one      = add(queues, queue, 1, 5, NOW);
    struct open_job *two      = add(queues, queue, 2, 5, NOW);
    open_job_lease(queues, one, &worker, 10, NOW, 0);
    open_job_lease(queues, two, &worker, 1'000, NOW, NOW + 20'000);
    assert_int_equal(worker.busy, 2);
    assert_int_equal(one->lease_number, 1);
    assert_int_equal(queue->leased_count, 2);
    assert_null(queue_peek(queue));
    assert_int_equal(job_queues_due_us(queues), NOW + 10'000);
    assert_null(job_queues_expired(queues, NOW + 9'999));
    assert_ptr_equal(job_queues_expired(queues, NOW + 10'000), one);
    open_job_extend(queues, one, NOW + 15'000);
    assert_ptr_equal(job_queues_expired(queues, NOW + 20'000), two); /* no heartbeat helps */
    open_job_extend(queues, two, NOW + 19'000);
    assert_ptr_equal(job_queues_expired(queues, NOW + 20'000), two);

    open_job_return(queues, two, NOW + 5 * SECOND, NOW);
    assert_int_equal(worker.busy, 1);
    assert_int_equal(queue->delayed_count, 1);
    assert_int_equal(two->lease_number, 1); /* the next lease is another one */
    open_job_return(queues, two, NOW, NOW);
    open_job_lease(queues, two, NULL, 10, NOW, 0);
    assert_int_equal(two->lease_number, 2);
    open_job_adopt(two, &worker);
    assert_int_equal(worker.busy, 2);
    open_job_remove(queues, two);
    open_job_remove(queues, one);
    assert_int_equal(worker.busy, 0);
}

static void test_paused_queues_give_nothing(void **state)
{
    struct job_queues *queues = *state;
    struct queue *queue       = job_queue_at(queues, (str){}, str_from("q"));
    add(queues, queue, 1, 5, NOW);
    queue->is_paused = true;
    assert_null(queue_peek(queue));
    queue->is_paused = false;
    assert_non_null(queue_peek(queue));
}

static void test_queues_are_told_apart(void **state)
{
    struct job_queues *queues = *state;
    struct queue *one         = job_queue_at(queues, str_from("a"), str_from("q"));
    struct queue *two         = job_queue_at(queues, str_from("b"), str_from("q"));
    assert_ptr_not_equal(one, two);
    assert_ptr_equal(job_queue_at(queues, str_from("a"), str_from("q")), one);
    assert_ptr_equal(job_queue_find(queues, str_from("b"), str_from("q")), two);
    assert_null(job_queue_find(queues, str_from("c"), str_from("q")));
    assert_int_equal(job_queue_count(queues), 2);
    size_t index = 0;
    assert_ptr_equal(job_queue_next(queues, &index), one);
    assert_ptr_equal(job_queue_next(queues, &index), two);
    assert_null(job_queue_next(queues, &index));
}

/* What goes in at random comes out in order, whatever is taken out meanwhile. */
static void test_random_order(void **state)
{
    enum { JOBS = 2'000 };
    struct job_queues *queues = *state;
    struct queue *queue       = job_queue_at(queues, (str){}, str_from("q"));
    struct prng random        = {.state = 7};
    struct open_job **jobs    = mem_new(JOBS, sizeof *jobs);
    for (unsigned i = 0; i < JOBS; i++) {
        int64_t due_us = NOW - (int64_t)(prng_next(&random) % 600) * SECOND;
        jobs[i]        = add(queues, queue, i, (uint8_t)(prng_next(&random) % 10), due_us);
    }
    for (unsigned i = 0; i < JOBS; i += 3) open_job_remove(queues, jobs[i]);
    struct open_job before = {};
    size_t count           = 0;
    struct open_job *job;
    while ((job = queue_peek(queue))) {
        if (count++ > 0) assert_true(open_job_is_before(&before, job));
        before = *job;
        open_job_remove(queues, job);
    }
    assert_int_equal(count, JOBS - (JOBS + 2) / 3);
    free(jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delayed_jobs_come_when_due, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lease_ends_by_silence_or_by_its_attempt, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_paused_queues_give_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queues_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_order, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
