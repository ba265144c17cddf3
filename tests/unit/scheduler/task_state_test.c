/*
 * task_next(): what must hold for the table as a whole, over all of its pairs. Repeating the table
 * here would only say the same thing twice.
 */
#include "scheduler/run/task_state.h"

#include "cmocka.h"

static void whatever_waits_can_be_cancelled_and_jobs_first_answer(void **state)
{
    (void)state;
    for (enum task_state from = TASK_RUNNING; from < TASK_STATE_COUNT; from++) {
        bool can_cancel = task_next(from, INPUT_CANCEL) == TASK_CANCELLED;
        assert_int_equal(can_cancel, task_is_open(from) && from != TASK_QUEUED);
    }
    assert_int_equal(task_next(TASK_QUEUED, INPUT_ANSWER), TASK_RUNNING);
}

static void what_has_ended_stays_so(void **state)
{
    (void)state;
    for (enum task_state from = TASK_RUNNING; from < TASK_STATE_COUNT; from++) {
        if (task_is_open(from)) continue;
        for (enum task_input input = 0; input < TASK_INPUT_COUNT; input++) {
            assert_int_equal(task_next(from, input), TASK_ILLEGAL);
        }
    }
}

/* Waiting is the state in which waits and listens begin. */
static void every_state_is_reachable(void **state)
{
    (void)state;
    bool is_reached[TASK_STATE_COUNT] = {[TASK_RUNNING] = true, [TASK_WAITING] = true};
    for (unsigned round = 0; round < TASK_STATE_COUNT; round++) {
        for (enum task_state from = TASK_RUNNING; from < TASK_STATE_COUNT; from++) {
            if (!is_reached[from]) continue;
            for (enum task_input input = 0; input < TASK_INPUT_COUNT; input++) {
                is_reached[task_next(from, input)] = true;
            }
        }
    }
    for (enum task_state to = TASK_RUNNING; to < TASK_STATE_COUNT; to++) {
        assert_true(is_reached[to]);
    }
}

static void every_open_state_can_end(void **state)
{
    (void)state;
    for (enum task_state from = TASK_RUNNING; from < TASK_STATE_COUNT; from++) {
        if (!task_is_open(from)) continue;
        enum task_state next = from == TASK_QUEUED ? task_next(from, INPUT_ANSWER) : from;
        assert_int_equal(task_next(next, INPUT_COMPLETE), TASK_COMPLETED);
        assert_int_equal(task_next(next, INPUT_FAULT), TASK_FAULTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_waits_can_be_cancelled_and_jobs_first_answer),
        cmocka_unit_test(what_has_ended_stays_so),
        cmocka_unit_test(every_state_is_reachable),
        cmocka_unit_test(every_open_state_can_end),
    };
    return cmocka_run_group_tests_name("task_state", tests, NULL, NULL);
}
