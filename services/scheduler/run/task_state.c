#include "scheduler/run/task_state.h"

#include "base/assert.h"

/* A queued task can end only by way of INPUT_ANSWER: so no job is ever forgotten by its task. One
 * whose job asks a person is closed as the job's approval is: back to TASK_QUEUED. */
/* clang-format off */
static const enum task_state next_state[TASK_STATE_COUNT][TASK_INPUT_COUNT] = {
    [TASK_RUNNING] = {
        [INPUT_QUEUE]    = TASK_QUEUED,
        [INPUT_AWAIT]    = TASK_WAITING,
        [INPUT_RETRY]    = TASK_RETRYING,
        [INPUT_COMPLETE] = TASK_COMPLETED,
        [INPUT_FAULT]    = TASK_FAULTED,
        [INPUT_CANCEL]   = TASK_CANCELLED,
        [INPUT_UNDO]     = TASK_UNDOING,
    },
    [TASK_QUEUED] = {
        [INPUT_AWAIT]    = TASK_WAITING,   /* its job asks a person, and then goes on */
        [INPUT_REQUEUE]  = TASK_QUEUED,
        [INPUT_ANSWER]   = TASK_RUNNING,
    },
    [TASK_WAITING] = {
        [INPUT_QUEUE]    = TASK_QUEUED,    /* the cache has no answer for its call; a person has */
        [INPUT_CLOSE]    = TASK_RUNNING,
        [INPUT_ANSWER]   = TASK_RUNNING,   /* by its child run */
        [INPUT_COMPLETE] = TASK_COMPLETED,
        [INPUT_FAULT]    = TASK_FAULTED,   /* nobody answered in time */
        [INPUT_CANCEL]   = TASK_CANCELLED,
    },
    [TASK_RETRYING] = {
        [INPUT_REENTER]  = TASK_RUNNING,   /* its first list opens */
        [INPUT_AWAIT]    = TASK_WAITING,   /* its next child run is scheduled */
        [INPUT_COMPLETE] = TASK_COMPLETED, /* it has no lists, and this time it went well */
        [INPUT_RETRY]    = TASK_RETRYING,  /* or not */
        [INPUT_FAULT]    = TASK_FAULTED,
        [INPUT_CANCEL]   = TASK_CANCELLED,
        [INPUT_UNDO]     = TASK_UNDOING,   /* its time was over between two attempts */
    },
    [TASK_UNDOING] = {
        [INPUT_RETRY]    = TASK_RETRYING,
        [INPUT_COMPLETE] = TASK_COMPLETED,
        [INPUT_FAULT]    = TASK_FAULTED,
        [INPUT_CANCEL]   = TASK_CANCELLED, /* whoever is around goes on undoing */
        [INPUT_UNDO]     = TASK_UNDOING,   /* lists within first, then its own */
    },
};
/* clang-format on */

enum task_state task_next(enum task_state state, enum task_input input)
{
    ASSERT(state > TASK_ILLEGAL && state < TASK_STATE_COUNT);
    ASSERT(input < TASK_INPUT_COUNT);
    return next_state[state][input];
}

bool task_is_open(enum task_state state)
{
    return state == TASK_RUNNING || state == TASK_QUEUED || state == TASK_WAITING ||
           state == TASK_RETRYING || state == TASK_UNDOING;
}
