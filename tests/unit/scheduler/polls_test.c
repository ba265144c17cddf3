/* Polls that wait for a job: who gets it, who is gone, and what a stop does with them. */
#include "cmocka.h"

#include "support/scheduler/rig.h"

#include <semaphore.h>
#include <stdio.h>

static const char job[] = "  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n";

struct parked {
    sem_t done;
    struct rpc_answer *answer;
};

static void on_leased(const struct rpc_answer *answer, void *context)
{
    struct parked *parked = context;
    parked->answer        = rpc_answer_keep(answer);
    (void)sem_post(&parked->done);
}

static uint64_t park_as(struct rig *rig, struct parked *parked, const char *worker)
{
    (void)sem_init(&parked->done, 0, 0);
    const char *queues[]             = {"tools", "llm"};
    Pb__LeaseJobs message            = PB__LEASE_JOBS__INIT;
    message.queues                   = queues;
    message.n_queues                 = 2;
    message.worker                   = worker;
    message.count_max                = 10;
    message.wait_ms                  = 20'000;
    message.hears                    = true;
    const struct rpc_request request = {.service        = &pb__jobs__descriptor,
                                        .method         = "Lease",
                                        .message        = &message,
                                        .timeout_ms     = 25'000,
                                        .wait_for_ready = true,
                                        .done           = on_leased,
                                        .context        = parked};
    uint64_t id                      = 0;
    assert_int_equal(rpc_client_call(rig->client, &request, &id, NULL), STATUS_OK);
    return id;
}

static uint64_t park(struct rig *rig, struct parked *parked)
{
    return park_as(rig, parked, "parked");
}

static void wait_for(struct parked *parked)
{
    while (sem_wait(&parked->done)) continue;
    (void)sem_destroy(&parked->done);
}

static void test_a_parked_poll_gets_the_job(void **)
{
    struct rig rig       = {};
    struct parked parked = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", job);
    (void)park(&rig, &parked);
    const char *run = rig_start(&rig, "job", NULL)->run->id;
    wait_for(&parked);
    assert_int_equal(parked.answer->code, STATUS_OK);
    const Pb__LeasedJobs *jobs = parked.answer->message;
    assert_int_equal(jobs->n_jobs, 1);
    assert_string_equal(jobs->jobs[0]->run, run);
    assert_int_equal(rig_complete(&rig, jobs->jobs[0], "1"), STATUS_OK);
    rpc_answer_free(parked.answer);
    rig_done(&rig);
}

/* Parks a poll and gives it up: whether the next job is for others. A start may overtake the word
 * that somebody has gone. */
static bool gives_up(struct rig *rig, unsigned number)
{
    struct parked parked = {};
    char worker[16];
    (void)snprintf(worker, sizeof worker, "parked-%u", number);
    uint64_t id = park_as(rig, &parked, worker);
    do {
        assert_null(rig_lease(rig, "tools", 1)); /* it serves another queue */
    } while (rig_queue(rig, "llm")->workers < number);
    rpc_client_cancel(rig->client, id);
    wait_for(&parked);
    assert_int_equal(parked.answer->code, STATUS_CANCELLED);
    rpc_answer_free(parked.answer);
    (void)rig_start(rig, "job", NULL);
    return rig_lease(rig, "llm", 0) != NULL;
}

static void test_a_poll_that_was_given_up_gets_nothing(void **)
{
    enum { TRIES = 20 };
    struct rig rig  = {};
    unsigned number = 1;
    rig_init(&rig, 1, false);
    rig_put(&rig, "job", job);
    while (number <= TRIES && !gives_up(&rig, number)) number++;
    assert_in_range(number, 1, TRIES);
    rig_done(&rig);
}

static void test_a_stop_answers_parked_polls(void **)
{
    struct rig rig       = {};
    struct parked parked = {};
    rig_init(&rig, 1, true);
    (void)park(&rig, &parked);
    assert_null(rig_lease(&rig, "llm", 0));
    rig_restart(&rig);
    wait_for(&parked);
    rpc_answer_free(parked.answer);
    rig_done(&rig);
}

/* Who has a job that was cancelled need not wait for its next heartbeat to hear of it. */
static void test_a_parked_poll_hears_of_a_cancel(void **)
{
    struct rig rig       = {};
    struct parked first  = {};
    struct parked second = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", job);
    Pb__CancelRun message       = PB__CANCEL_RUN__INIT;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Cancel", .message = &message};
    message.id = rig_start(&rig, "job", NULL)->run->id;
    (void)park(&rig, &first);
    wait_for(&first);
    assert_int_equal(((const Pb__LeasedJobs *)first.answer->message)->n_jobs, 1);
    (void)park(&rig, &second);
    (void)rig_ask(&rig, &asked);
    wait_for(&second);
    const Pb__LeasedJobs *jobs = second.answer->message;
    assert_int_equal(second.answer->code, STATUS_OK);
    assert_int_equal(jobs->n_jobs, 0);
    assert_true(jobs->beat);
    rpc_answer_free(first.answer);
    rpc_answer_free(second.answer);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_parked_poll_gets_the_job),
        cmocka_unit_test(test_a_poll_that_was_given_up_gets_nothing),
        cmocka_unit_test(test_a_stop_answers_parked_polls),
        cmocka_unit_test(test_a_parked_poll_hears_of_a_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
