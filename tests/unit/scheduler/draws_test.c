/* Calls that outgrow what is set aside for them, and draw more: here and from another partition. */
#include "cmocka.h"

#include "base/clock.h"
#include "scheduler/scheduler.h"
#include "support/scheduler/spender.h"

enum { INPUT = 5, LIMIT = 300 };

static const Pb__HeartbeatAnswer *beat(struct rig *rig, const Pb__LeasedJob *job, int64_t output)
{
    Pb__BudgetDraw draw                  = PB__BUDGET_DRAW__INIT;
    Pb__Heartbeat made                   = PB__HEARTBEAT__INIT;
    Pb__Heartbeats message               = PB__HEARTBEATS__INIT;
    Pb__Heartbeat *list[]                = {&made};
    draw.output_tokens                   = output;
    made.job                             = job->id;
    made.lease_token                     = job->lease_token;
    made.draw                            = &draw;
    message.worker                       = "w";
    message.jobs                         = list;
    message.n_jobs                       = 1;
    const struct question asked          = {.service   = &pb__jobs__descriptor,
                                            .method    = "Heartbeat",
                                            .message   = &message,
                                            .partition = id_partition(str_from(job->id))};
    const Pb__HeartbeatAnswers *answered = rig_ask(rig, &asked);
    return answered->jobs[0];
}

/* What it may cost then: of another partition a moment later. -1: anything. */
static int64_t draw(struct rig *rig, const Pb__LeasedJob *job, int64_t output)
{
    int64_t until_ms                  = clock_mono_ms() + RIG_WAIT_MS;
    const Pb__HeartbeatAnswer *answer = beat(rig, job, output);
    while (answer->drawing) {
        assert_true(clock_mono_ms() < until_ms);
        assert_null(answer->room);
        rig_pause();
        answer = beat(rig, job, output);
    }
    assert_int_equal(answer->status, STATUS_OK);
    return answer->room ? answer->room->tokens : -1;
}

/* A call of a run of that partition that has asked: what goes before it has heard of the budget
 * asks nothing. */
static const Pb__LeasedJob *lease_of_asked(struct rig *rig, uint16_t partition, int64_t own_tokens)
{
    int64_t until_ms = clock_mono_ms() + RIG_WAIT_MS;
    int number       = 0;
    for (;;) {
        assert_true(clock_mono_ms() < until_ms);
        while (partition_of_text(str_from("default"), str_from(spender_client_id(++number).text),
                                 rig->partitions) != partition) {
        }
        (void)spender_start(rig, "one", number, own_tokens, NULL);
        const Pb__LeasedJob *job = rig_lease_soon(rig, "llm");
        if (spender_budget(rig, "all")->reserved_tokens > 0) return job;
        assert_int_equal(spender_done(rig, job, INPUT, 0, -1), STATUS_OK);
    }
}

static void draws_what_there_is(uint16_t partitions, int64_t own_tokens)
{
    struct rig rig = {};
    spender_begin(&rig, partitions, true);
    spender_put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 100000}", STATUS_OK);
    const Pb__LeasedJob *job = lease_of_asked(&rig, partitions - 1, own_tokens);
    int64_t spent            = spender_budget(&rig, "all")->spent_tokens;
    assert_int_equal(draw(&rig, job, 0), SPENDER_CALL_TOKENS);
    assert_int_equal(draw(&rig, job, 200), INPUT + 200);
    spender_wait_for(&rig, "all", spent, INPUT + 200, 0, 0);
    rig_restart(&rig);
    assert_int_equal(draw(&rig, job, 200), INPUT + 200);
    assert_int_equal(draw(&rig, job, 100), INPUT + 200); /* what it has it keeps */
    int64_t most = own_tokens > 0 ? own_tokens : INPUT + 500;
    assert_int_equal(draw(&rig, job, 500), most);
    assert_int_equal(spender_done(&rig, job, 400, 0, -1), STATUS_OK);
    spender_wait_for(&rig, "all", spent + 400, 0, 0, 0);
    rig_done(&rig);
}

static void test_here(void **)
{
    draws_what_there_is(1, 0);
}

static void test_from_another_partition(void **)
{
    draws_what_there_is(2, 0);
}

static void test_no_more_than_the_run_has(void **)
{
    draws_what_there_is(2, LIMIT);
}

static void test_without_a_budget_anything(void **)
{
    struct rig rig = {};
    spender_begin(&rig, 1, false);
    (void)spender_start(&rig, "one", 1, 0, NULL);
    assert_int_equal(draw(&rig, rig_lease_soon(&rig, "llm"), 1'000'000), -1);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_here),
        cmocka_unit_test(test_from_another_partition),
        cmocka_unit_test(test_no_more_than_the_run_has),
        cmocka_unit_test(test_without_a_budget_anything),
    };
    return cmocka_run_group_tests_name("draws", tests, NULL, NULL);
}
