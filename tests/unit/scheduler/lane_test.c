/* Workers that take jobs of some functions only, from a queue that has many others. */
#include "cmocka.h"

#include "base/mem.h"
#include "base/random.h"
#include "scheduler/engine/jobs/job_queue.h"
#include "scheduler/engine/jobs/poll.h"
#include "scheduler/engine/queues/lane.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOW = 1'000'000'000 };

struct show {
    struct job_queues *queues;
    struct queue *queue;
    unsigned number;
};

static struct open_job *add_limited(struct show *show, const char *workflow, const char *function,
                                    const char *key)
{
    struct open_job job = {
        .queue     = show->queue,
        .line      = job_line_at(show->queues, show->queue, str_from(workflow)),
        .lane      = job_lane_join(show->queues, show->queue, str_from(function)),
        .priority  = 5,
        .sequence  = ++show->number,
        .due_us    = NOW,
        .limit_key = (char *)(uintptr_t)key,
    };
    (void)snprintf(job.id.text, sizeof job.id.text, "01JD00000000000000%08u", show->number);
    struct open_job *added = open_job_add(show->queues, &job, NOW);
    assert_non_null(added);
    return added;
}

static struct open_job *add(struct show *show, const char *workflow, const char *function)
{
    return add_limited(show, workflow, function, NULL);
}

static struct open_job *peek(struct show *show, const char *function)
{
    struct lane *lane    = job_lane_join(show->queues, show->queue, str_from(function));
    struct open_job *job = queue_peek_lane(show->queue, lane);
    lane_leave(lane);
    return job;
}

/* Leases the next job of the function; whose it is: the last letter of its workflow. */
static char take(struct show *show, const char *function)
{
    struct open_job *job = peek(show, function);
    assert_non_null(job);
    assert_string_equal(job->lane->function.ptr, function);
    str name = line_of_workflow(job->line)->name;
    open_job_lease(show->queues, job, NULL, 1'000, NOW, 0);
    return name.ptr[name.len - 1];
}

static int setup(void **state)
{
    struct show *show = mem_new(1, sizeof *show);
    show->queues      = job_queues_new(true, 1);
    show->queue       = job_queue_at(show->queues, str_from("one"), str_from("default"));
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

/* A lane gives the jobs of its function, workflow by workflow, however many others wait before. */
static void test_a_lane_has_turns_of_its_own(void **state)
{
    enum { BURST = 10'000 };
    struct show *show = *state;
    for (int i = 0; i < BURST; i++) add(show, "one/a", "worker.x");
    assert_null(peek(show, "worker.y"));
    for (int i = 0; i < 3; i++) add(show, "one/a", "worker.y");
    for (int i = 0; i < 2; i++) add(show, "one/b", "worker.y");
    const char *expected = "ababa";
    for (const char *at = expected; *at; at++) assert_int_equal(take(show, "worker.y"), *at);
    assert_null(peek(show, "worker.y"));
    assert_int_equal(show->queue->ready_count, BURST);
    assert_non_null(queue_peek(show->queue)); /* who takes all is not hindered */
}

/* What is leased to who takes all is gone from its lane, and comes back to it. */
static void test_both_orders_agree(void **state)
{
    struct show *show    = *state;
    struct open_job *job = add(show, "one/a", "worker.x");
    assert_ptr_equal(queue_peek(show->queue), job);
    assert_ptr_equal(peek(show, "worker.x"), job);
    open_job_lease(show->queues, job, NULL, 1'000, NOW, 0);
    assert_null(peek(show, "worker.x"));
    open_job_return(show->queues, job, NOW, NOW);
    assert_ptr_equal(peek(show, "worker.x"), job);
    show->queue->is_paused = true;
    assert_null(peek(show, "worker.x"));
    show->queue->is_paused = false;
    open_job_hold(show->queues, job, true, NOW);
    assert_null(peek(show, "worker.x"));
    open_job_hold(show->queues, job, false, NOW);
    open_job_remove(show->queues, job);
    assert_null(peek(show, "worker.x"));
}

/* A limit that is shut hides its jobs from lanes, too, and is counted once. */
static void test_limits_hold_in_lanes(void **state)
{
    struct show *show                       = *state;
    const struct queue_limits one_at_a_time = {.concurrency = 1};
    queue_limit_keys(show->queues, show->queue, &one_at_a_time, NOW);
    struct open_job *first  = add_limited(show, "one/a", "worker.x", "k");
    struct open_job *second = add_limited(show, "one/a", "worker.y", "k");
    struct limit *limit =
        limits_find(job_queues_limits(show->queues), str_from("queue:one/default:k"));
    assert_non_null(limit);
    assert_int_equal(limit->waiting_count, 2);
    assert_ptr_equal(peek(show, "worker.y"), second);
    open_job_lease(show->queues, first, NULL, 1'000, NOW, 0);
    assert_int_equal(limit->waiting_count, 1);
    assert_null(peek(show, "worker.y"));
    add(show, "one/a", "worker.y");
    assert_int_equal(take(show, "worker.y"), 'a'); /* one without a key is not hindered */
    open_job_remove(show->queues, first);
    assert_ptr_equal(peek(show, "worker.y"), second);
    queue_limit_keys(show->queues, show->queue, &(struct queue_limits){}, NOW);
    assert_ptr_equal(peek(show, "worker.y"), second);
}

/* The poll that has waited longest of those that can have a job, whether it is one of a function or
 * of all. */
static void test_polls_wait_in_one_order(void **state)
{
    struct show *show    = *state;
    struct polls polls   = {};
    struct worker worker = {};
    polls_init(&polls);
    static const char *const wants[] = {"worker.y", NULL, "worker.x", "worker.x"};
    struct poll_place places[ARRAY_LEN(wants)];
    struct poll *parked[ARRAY_LEN(wants)];
    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        parked[i]  = mem_new(1, sizeof *parked[i]);
        *parked[i] = (struct poll){.worker = &worker, .places = &places[i], .count_max = 1};
        struct lane *lane =
            wants[i] ? job_lane_join(show->queues, show->queue, str_from(wants[i])) : NULL;
        poll_add_place(parked[i], show->queue, lane);
        assert_int_equal(poll_park(&polls, parked[i], NULL), STATUS_OK);
    }
    assert_null(poll_next(show->queue));
    struct open_job *job = add(show, "one/a", "worker.x");
    assert_ptr_equal(poll_next(show->queue), parked[1]);
    poll_unpark(&polls, parked[1]);
    assert_ptr_equal(poll_next(show->queue), parked[2]);
    poll_unpark(&polls, parked[2]);
    assert_ptr_equal(poll_next(show->queue), parked[3]);
    poll_unpark(&polls, parked[3]);
    assert_null(poll_next(show->queue));
    add(show, "one/a", "worker.y");
    assert_ptr_equal(poll_next(show->queue), parked[0]);
    open_job_remove(show->queues, job);
    poll_unpark(&polls, parked[0]);
    for (size_t i = 0; i < ARRAY_LEN(parked); i++) poll_free(parked[i]);
    assert_null(show->queue->first_lane);
    polls_done(&polls);
}

/* Who looks for a poll to serve sees no lane that has none, nor one without jobs. */
static void test_lanes_without_polls_cost_nothing(void **state)
{
    enum { FUNCTIONS = 1'000, WANTED = 500 };
    struct show *show       = *state;
    struct worker worker    = {};
    struct polls polls      = {};
    struct poll_place place = {};
    char function[16];
    for (int i = 0; i < FUNCTIONS; i++) {
        (void)snprintf(function, sizeof function, "worker.%d", i);
        add(show, "one/a", function);
    }
    assert_null(show->queue->first_lane);
    (void)snprintf(function, sizeof function, "worker.%d", WANTED);
    struct lane *lane = job_lane_join(show->queues, show->queue, str_from(function));
    struct poll *poll = mem_new(1, sizeof *poll);
    *poll             = (struct poll){.worker = &worker, .places = &place, .count_max = 1};
    polls_init(&polls);
    poll_add_place(poll, show->queue, lane);
    assert_int_equal(poll_park(&polls, poll, NULL), STATUS_OK);
    assert_ptr_equal(show->queue->first_lane, lane);
    assert_null(lane->next);
    assert_ptr_equal(poll_next(show->queue), poll);
    struct open_job *job = queue_peek_lane(show->queue, lane);
    open_job_lease(show->queues, job, NULL, 1'000, NOW, 0);
    assert_null(show->queue->first_lane);
    assert_null(poll_next(show->queue));
    open_job_return(show->queues, job, NOW, NOW);
    assert_ptr_equal(poll_next(show->queue), poll);
    poll_unpark(&polls, poll);
    assert_null(show->queue->first_lane);
    poll_free(poll);
    polls_done(&polls);
}

/* Whatever happens, a lane shows a job of its function exactly as long as one is ready. */
static void test_lanes_at_random(void **state)
{
    enum { FUNCTIONS = 5, WORKFLOWS = 4, JOBS = 400, STEPS = 20'000 };
    struct show *show           = *state;
    struct prng random          = {.state = 5};
    struct open_job *jobs[JOBS] = {};
    int function_of[JOBS]       = {};
    for (int step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)(prng_next(&random) % JOBS);
        char function[16];
        char workflow[16];
        if (!jobs[i]) {
            function_of[i] = (int)(prng_next(&random) % FUNCTIONS);
            (void)snprintf(function, sizeof function, "worker.%d", function_of[i]);
            (void)snprintf(workflow, sizeof workflow, "one/%d",
                           (int)(prng_next(&random) % WORKFLOWS));
            jobs[i] = add(show, workflow, function);
        } else if (jobs[i]->state == OPEN_JOB_READY && prng_next(&random) % 2) {
            open_job_lease(show->queues, jobs[i], NULL, 1'000, NOW, 0);
        } else if (jobs[i]->state == OPEN_JOB_LEASED && prng_next(&random) % 2) {
            open_job_return(show->queues, jobs[i], NOW, NOW);
        } else {
            open_job_remove(show->queues, jobs[i]);
            jobs[i] = NULL;
        }
        int ready[FUNCTIONS] = {};
        for (unsigned j = 0; step % 50 == 0 && j < JOBS; j++) {
            if (jobs[j] && jobs[j]->state == OPEN_JOB_READY) ready[function_of[j]]++;
        }
        for (int f = 0; step % 50 == 0 && f < FUNCTIONS; f++) {
            (void)snprintf(function, sizeof function, "worker.%d", f);
            const struct open_job *found = peek(show, function);
            assert_int_equal(found != NULL, ready[f] > 0);
            if (found) assert_string_equal(found->lane->function.ptr, function);
        }
    }
}

/* Tutti's own queues have none: their workers take what comes. */
static void test_own_queues_have_no_lanes(void **state)
{
    struct show *show   = *state;
    struct queue *tools = job_queue_at(show->queues, (str){}, str_from("tools"));
    assert_null(job_lane_join(show->queues, tools, str_from("http.get")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_lane_has_turns_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_both_orders_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits_hold_in_lanes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_polls_wait_in_one_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lanes_without_polls_cost_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lanes_at_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_queues_have_no_lanes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
