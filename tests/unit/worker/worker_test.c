/* A worker on a loop that the test turns, with a clock it sets, and a scheduler it plays. */
#include "cmocka.h"

#include "base/mem.h"
#include "job.pb-c.h"
#include "support/worker/played_scheduler.h"
#include "system.pb-c.h"
#include "worker/worker.h"

#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 8, TURNS_MAX = 20'000, LEASE_MS = 60'000, SLOTS = 4, DEAD = 7 };

struct fixture {
    struct played_scheduler played;
    struct rpc_client *client;
    struct loop *loop;
    struct worker *worker;
    int64_t now_ms;

    /* The worker's side: only on the test's thread. */
    struct worker_job *jobs[JOBS_MAX];
    size_t job_count;
    struct worker_job *cancelled[JOBS_MAX];
    size_t cancelled_count;
    unsigned ready;
};

/* --- the worker --------------------------------------------------------------------------------
 */

static int64_t clock_of(void *context)
{
    return ((const struct fixture *)context)->now_ms;
}

static void on_run(struct worker_job *job, void *context)
{
    struct fixture *it = context;
    assert_true(it->job_count < JOBS_MAX);
    it->jobs[it->job_count++] = job;
}

static void on_cancel(struct worker_job *job, void *context)
{
    struct fixture *it                   = context;
    it->cancelled[it->cancelled_count++] = job;
}

static void on_ready(void *context)
{
    ((struct fixture *)context)->ready++;
}

static int begin_after(void **state, const uint64_t *dead)
{
    static const ProtobufCServiceDescriptor *const services[] = {&pb__jobs__descriptor,
                                                                 &pb__system__descriptor, NULL};
    static const char *const queues[]                         = {"tools", NULL};
    struct fixture *it                                        = calloc(1, sizeof *it);
    struct error error                                        = {};
    it->now_ms                                                = 1'000;
    it->played.beats_refused                                  = dead ? 2 : 0;
    played_scheduler_init(&it->played);
    const struct loop_options loop_options = {.clock = clock_of, .clock_context = it};
    assert_int_equal(loop_new(&loop_options, &it->loop, &error), STATUS_OK);
    const struct rpc_client_options client = {
        .endpoints = it->played.url, .choice = RPC_OWNER, .services = services};
    assert_int_equal(rpc_client_open(&client, &it->client, &error), STATUS_OK);
    const struct worker_options options = {.loop      = it->loop,
                                           .scheduler = it->client,
                                           .queues    = queues,
                                           .name      = "tester",
                                           .kind      = "tools",
                                           .dead      = dead,
                                           .slots     = SLOTS,
                                           .lease_ms  = LEASE_MS,
                                           .run       = on_run,
                                           .cancel    = on_cancel,
                                           .ready     = on_ready,
                                           .context   = it};
    it->worker                          = worker_new(&options);
    *state                              = it;
    return 0;
}

static int begin(void **state)
{
    return begin_after(state, NULL);
}

static int begin_anew(void **state)
{
    static const uint64_t dead[] = {DEAD, DEAD - 1, DEAD - 2, 0};
    return begin_after(state, dead);
}

static int end(void **state)
{
    struct fixture *it = *state;
    worker_stop(it->worker);
    rpc_client_closep(&it->client);
    loop_turn(it->loop, 0);
    worker_freep(&it->worker);
    loop_freep(&it->loop);
    played_scheduler_done(&it->played);
    free(it);
    return 0;
}

static unsigned value(struct fixture *it, const unsigned *counter)
{
    return played_scheduler_count(&it->played, counter);
}

/* Turns the loop until `*counter` has come to `count`. */
static void await(struct fixture *it, const unsigned *counter, unsigned count)
{
    for (int i = 0; value(it, counter) < count; i++) {
        if (i == TURNS_MAX) fail_msg("waited in vain");
        it->now_ms++;
        loop_turn(it->loop, 1);
    }
}

static void await_size(struct fixture *it, const size_t *count, size_t wanted)
{
    for (int i = 0; *count < wanted; i++) {
        if (i == TURNS_MAX) fail_msg("waited in vain");
        it->now_ms++;
        loop_turn(it->loop, 1);
    }
}

static void await_idle(struct fixture *it)
{
    for (int i = 0; worker_busy(it->worker) > 0; i++) {
        if (i == TURNS_MAX) fail_msg("waited in vain");
        it->now_ms++;
        loop_turn(it->loop, 1);
    }
}

/* It has polled at least once. */
static void offer(struct fixture *it, unsigned count, const char *id)
{
    await(it, &it->played.polls, 1);
    played_scheduler_offer(&it->played, count, id);
}

static void complete(struct worker_job *job, const char *output)
{
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    completed.output_json = (ProtobufCBinaryData){strlen(output), (uint8_t *)(uintptr_t)output};
    worker_complete(job, &completed);
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void a_job_is_leased_run_and_reported(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    assert_int_equal(it->ready, 1);
    assert_int_equal(worker_busy(it->worker), 1);
    assert_string_equal(it->jobs[0]->leased->id, "job-1");
    await(it, &it->played.polls, 2);
    assert_int_equal(value(it, &it->played.last_count_max), SLOTS - 1);
    complete(it->jobs[0], "{\"a\":1}");
    await_idle(it);
    assert_string_equal(it->played.result, "{\"a\":1}");
    assert_string_equal(it->played.token, "token");
    assert_int_equal(it->played.reports, 1);
}

static void reports_of_a_turn_go_together_and_bring_what_follows(void **state)
{
    struct fixture *it = *state;
    offer(it, SLOTS, "job");
    await_size(it, &it->job_count, SLOTS);
    (void)pthread_mutex_lock(&it->played.mutex);
    it->played.to_follow = 2;
    it->played.job_id    = "next";
    (void)pthread_mutex_unlock(&it->played.mutex);
    for (unsigned i = 0; i < 3; i++) complete(it->jobs[i], "1");
    await_size(it, &it->job_count, SLOTS + 2);
    assert_int_equal(value(it, &it->played.reports), 3);
    assert_int_equal(value(it, &it->played.report_calls), 1);
    assert_int_equal(value(it, &it->played.last_next_max), 3); /* as many as have ended */
    assert_string_equal(it->jobs[SLOTS]->leased->id, "next-2");
    await(it, &it->played.polls, 2); /* for the slot that is left */
    assert_int_equal(value(it, &it->played.last_count_max), 1);
    for (unsigned i = 3; i < SLOTS + 2; i++) complete(it->jobs[i], "2");
    await_idle(it);
    assert_int_equal(it->played.reports, SLOTS + 2);
}

static void what_was_refused_together_is_said_again_alone(void **state)
{
    struct fixture *it          = *state;
    it->played.refuses_together = true;
    offer(it, 3, "job");
    await_size(it, &it->job_count, 3);
    for (unsigned i = 0; i < 3; i++) complete(it->jobs[i], "1");
    await_idle(it);
    assert_int_equal(it->played.report_calls, 1 + 3);
}

static void a_worker_that_drains_takes_nothing_in_place(void **state)
{
    struct fixture *it   = *state;
    it->played.to_follow = 1;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    worker_drain(it->worker);
    complete(it->jobs[0], "1");
    await_idle(it);
    assert_int_equal(it->played.last_next_max, 0);
    assert_int_equal(it->job_count, 1);
}

static void full_slots_end_the_polls(void **state)
{
    struct fixture *it = *state;
    offer(it, SLOTS, "job");
    await_size(it, &it->job_count, SLOTS);
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 0);
    assert_int_equal(value(it, &it->played.polls), 1);
    complete(it->jobs[0], "1"); /* a free slot starts them again */
    await(it, &it->played.polls, 2);
    assert_int_equal(value(it, &it->played.last_count_max), 1);
}

static void heartbeats_come_every_third_of_a_lease(void **state)
{
    struct fixture *it = *state;
    offer(it, 2, "job");
    await_size(it, &it->job_count, 2);
    assert_int_equal(value(it, &it->played.beats), 0);
    it->now_ms += LEASE_MS / 3;
    await(it, &it->played.beats, 1);
    assert_int_equal(value(it, &it->played.beaten_jobs), 2);
    complete(it->jobs[0], "1");
    it->now_ms += LEASE_MS / 3;
    await(it, &it->played.beats, 2);
    assert_int_equal(value(it, &it->played.beaten_jobs), 3); /* what has ended is not kept alive */
}

/* The first is said at once, further ones in a while, and the last of them counts. */
static void progress_goes_out_once_in_a_while(void **state)
{
    static char large[WORKER_PROGRESS_MAX + 1];
    struct fixture *it = *state;
    offer(it, 2, "job");
    await_size(it, &it->job_count, 2);
    worker_progress(it->jobs[0], str_from("{\"progress\":1}"));
    await(it, &it->played.beats, 1);
    assert_string_equal(it->played.progress, "{\"progress\":1}");
    assert_int_equal(value(it, &it->played.beaten_jobs), 1); /* nobody else has something to say */
    worker_progress(it->jobs[0], str_from("{\"progress\":2}"));
    worker_progress(it->jobs[0], str_from("{\"progress\":3}"));
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 0);
    assert_int_equal(value(it, &it->played.beats), 1);
    it->now_ms += WORKER_PROGRESS_MS;
    await(it, &it->played.beats, 2);
    assert_string_equal(it->played.progress, "{\"progress\":3}");
    memset(large, '1', sizeof large);
    worker_progress(it->jobs[1], (str){.ptr = large, .len = sizeof large});
    it->now_ms += WORKER_PROGRESS_MS;
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 0);
    assert_int_equal(value(it, &it->played.beats), 2);
}

static void a_cancellation_is_told_once(void **state)
{
    struct fixture *it     = *state;
    it->played.says_cancel = true;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    it->now_ms += LEASE_MS / 3;
    await_size(it, &it->cancelled_count, 1);
    it->now_ms += LEASE_MS / 3;
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 0);
    assert_int_equal(it->cancelled_count, 1);
    assert_ptr_equal(it->cancelled[0], it->jobs[0]);
    worker_release(it->jobs[0], 0, "cancelled");
    await_idle(it);
    assert_string_equal(it->played.result, "cancelled");
}

static void a_lost_lease_cancels_and_its_report_ends_the_job(void **state)
{
    struct fixture *it     = *state;
    it->played.says_lost   = true;
    it->played.item_status = STATUS_FAILED_PRECONDITION;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    it->now_ms += LEASE_MS / 3;
    await_size(it, &it->cancelled_count, 1);
    complete(it->jobs[0], "1");
    await_idle(it);
    assert_int_equal(it->played.reports, 1);
}

static void a_job_that_comes_again_cancels_its_old_lease(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "same");
    await_size(it, &it->job_count, 1);
    await(it, &it->played.polls, 2);
    offer(it, 1, "same");
    await_size(it, &it->job_count, 2);
    assert_int_equal(it->cancelled_count, 1);
    assert_ptr_equal(it->cancelled[0], it->jobs[0]);
    it->played.says_cancel = true; /* now the newer one is meant */
    it->now_ms += LEASE_MS / 3;
    await_size(it, &it->cancelled_count, 2);
    assert_ptr_equal(it->cancelled[1], it->jobs[1]);
}

/* Both leases of a job are here, and the scheduler says that the older one is lost. */
static void hold_twice(struct fixture *it)
{
    it->played.next_token = "old";
    offer(it, 1, "same");
    await_size(it, &it->job_count, 1);
    await(it, &it->played.polls, 2);
}

static void lease_again(struct fixture *it)
{
    (void)pthread_mutex_lock(&it->played.mutex);
    it->played.next_token = "new";
    it->played.lost_token = "old";
    (void)pthread_mutex_unlock(&it->played.mutex);
    offer(it, 1, "same");
    await_size(it, &it->job_count, 2);
    assert_int_equal(it->cancelled_count, 1);
}

static void an_answer_about_the_old_lease_leaves_the_new_one(void **state)
{
    struct fixture *it = *state;
    hold_twice(it);
    it->played.lost_token = "old";
    it->played.beats_wait = true;
    it->now_ms += LEASE_MS / 3;
    await(it, &it->played.beats, 1);
    lease_again(it);
    it->played.beats_wait = false;
    rpc_reply(it->played.beat, STATUS_OK, NULL); /* that of the old one */
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 1);
    assert_int_equal(it->cancelled_count, 1);
    worker_release(it->jobs[0], 0, "lost");
    complete(it->jobs[1], "\"new\"");
    await_idle(it);
}

static void after_a_lost_answer_the_old_lease_is_not_told(void **state)
{
    struct fixture *it = *state;
    hold_twice(it);
    lease_again(it);
    await(it, &it->played.polls, 3);
    played_scheduler_stop(&it->played);
    played_scheduler_start(&it->played);
    await(it, &it->played.tellings, 1);
    await(it, &it->played.polls, 4);
    assert_int_equal(value(it, &it->played.beaten_jobs), 1);
    assert_int_equal(it->cancelled_count, 1);
    worker_release(it->jobs[0], 0, "lost");
    complete(it->jobs[1], "\"new\"");
    await_idle(it);
}

/* An answer may be lost while it is told what we hold: then it is told once more. */
static void what_is_lost_during_the_telling_is_told_again(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    await(it, &it->played.polls, 2);
    played_scheduler_stop(&it->played);
    it->played.beats_wait = true;
    played_scheduler_start(&it->played);
    await(it, &it->played.tellings, 1);
    it->played.report_answer = STATUS_UNAVAILABLE;
    it->played.last_next_max = 99;
    complete(it->jobs[0], "1");
    await(it, &it->played.reports, 2); /* the first is known to have failed */
    assert_int_equal(value(it, &it->played.last_next_max), 0);
    (void)pthread_mutex_lock(&it->played.mutex);
    it->played.beats_wait    = false;
    it->played.report_answer = STATUS_OK;
    (void)pthread_mutex_unlock(&it->played.mutex);
    rpc_reply(it->played.beat, STATUS_OK, NULL);
    await(it, &it->played.tellings, 2);
    await_idle(it);
}

static void a_report_is_repeated_until_somebody_takes_it(void **state)
{
    struct fixture *it       = *state;
    it->played.report_answer = STATUS_UNAVAILABLE;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    complete(it->jobs[0], "\"kept\"");
    await(it, &it->played.reports, 3);
    assert_int_equal(worker_busy(it->worker), 1); /* it keeps its slot */
    (void)pthread_mutex_lock(&it->played.mutex);
    it->played.report_answer = STATUS_OK;
    (void)pthread_mutex_unlock(&it->played.mutex);
    await_idle(it);
    assert_string_equal(it->played.result, "\"kept\"");
}

static void a_report_outlives_the_scheduler(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    played_scheduler_stop(&it->played);
    complete(it->jobs[0], "\"kept\"");
    for (int i = 0; i < 500; i++) {
        it->now_ms += 10;
        loop_turn(it->loop, 0);
    }
    assert_int_equal(worker_busy(it->worker), 1);
    played_scheduler_start(&it->played);
    await_idle(it);
    assert_string_equal(it->played.result, "\"kept\"");
}

static void a_report_that_nobody_takes_is_given_up(void **state)
{
    struct fixture *it       = *state;
    it->played.report_answer = STATUS_UNAVAILABLE;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    complete(it->jobs[0], "1");
    await(it, &it->played.reports, 1);
    it->now_ms += WORKER_REPORT_MS;
    await_idle(it);
}

static void a_refused_report_ends_the_job(void **state)
{
    struct fixture *it       = *state;
    it->played.report_answer = STATUS_INVALID_ARGUMENT;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    complete(it->jobs[0], "1");
    await_idle(it);
    assert_int_equal(it->played.reports, 1);
}

static void an_output_over_the_limit_becomes_a_failure(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    size_t size = (17U << 20) + 1;
    char *large = mem_new(size + 1, 1);
    memset(large, ' ', size);
    complete(it->jobs[0], large);
    free(large);
    await_idle(it);
    assert_non_null(strstr(it->played.result, "too large"));
}

static void a_drain_leases_no_more_and_finishes(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    await(it, &it->played.polls, 2);
    worker_drain(it->worker);
    for (int i = 0; i < 100; i++) {
        it->now_ms += 100;
        loop_turn(it->loop, 0);
    }
    assert_int_equal(value(it, &it->played.polls), 2);
    complete(it->jobs[0], "1");
    await_idle(it);
    assert_int_equal(value(it, &it->played.polls), 2);
}

static void what_a_poll_still_brings_is_handed_back(void **state)
{
    struct fixture *it = *state;
    offer(it, 1, "job"); /* on its way to the loop */
    for (int i = 0; value(it, &it->played.leased) == 0; i++) assert_true(i < TURNS_MAX);
    worker_drain(it->worker); /* it may also come as cancelled: then the lease runs out */
    for (int i = 0; i < 100; i++) loop_turn(it->loop, 1);
    await_idle(it);
    assert_int_equal(it->job_count, 0);
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

static void a_worker_asks_until_it_is_answered(void **state)
{
    struct fixture *it = *state;
    (void)pthread_mutex_lock(&it->played.mutex);
    it->played.topologies_refused = 3;
    (void)pthread_mutex_unlock(&it->played.mutex);
    await(it, &it->ready, 1);
    assert_int_equal(value(it, &it->played.topologies_refused), 0);
}

/* Before it asks for work, until somebody has heard it, and only once. */
static void the_next_process_says_whose_place_it_takes(void **state)
{
    struct fixture *it = *state;
    await(it, &it->played.tellings, 3); /* two are refused */
    assert_int_equal(it->played.dead, DEAD);
    assert_int_equal(it->played.dead_before, 2);
    assert_int_equal(it->played.oldest, DEAD - 2);
    assert_int_equal(value(it, &it->played.polls_before), 0);
    offer(it, 1, "job");
    await_size(it, &it->job_count, 1);
    played_scheduler_stop(&it->played);
    played_scheduler_start(&it->played);
    await(it, &it->played.tellings, 4); /* what an answer may have brought was lost */
    assert_int_equal(it->played.dead, 0);
    assert_int_equal(it->played.dead_before, 0);
    complete(it->jobs[0], "1");
    await_idle(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_next_process_says_whose_place_it_takes, begin_anew,
                                        end),
        FIXTURE_TEST(a_worker_asks_until_it_is_answered),
        FIXTURE_TEST(a_job_is_leased_run_and_reported),
        FIXTURE_TEST(reports_of_a_turn_go_together_and_bring_what_follows),
        FIXTURE_TEST(what_was_refused_together_is_said_again_alone),
        FIXTURE_TEST(a_worker_that_drains_takes_nothing_in_place),
        FIXTURE_TEST(full_slots_end_the_polls),
        FIXTURE_TEST(heartbeats_come_every_third_of_a_lease),
        FIXTURE_TEST(progress_goes_out_once_in_a_while),
        FIXTURE_TEST(a_cancellation_is_told_once),
        FIXTURE_TEST(a_lost_lease_cancels_and_its_report_ends_the_job),
        FIXTURE_TEST(a_job_that_comes_again_cancels_its_old_lease),
        FIXTURE_TEST(an_answer_about_the_old_lease_leaves_the_new_one),
        FIXTURE_TEST(after_a_lost_answer_the_old_lease_is_not_told),
        FIXTURE_TEST(what_is_lost_during_the_telling_is_told_again),
        FIXTURE_TEST(a_report_is_repeated_until_somebody_takes_it),
        FIXTURE_TEST(a_report_outlives_the_scheduler),
        FIXTURE_TEST(a_report_that_nobody_takes_is_given_up),
        FIXTURE_TEST(a_refused_report_ends_the_job),
        FIXTURE_TEST(an_output_over_the_limit_becomes_a_failure),
        FIXTURE_TEST(a_drain_leases_no_more_and_finishes),
        FIXTURE_TEST(what_a_poll_still_brings_is_handed_back),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
