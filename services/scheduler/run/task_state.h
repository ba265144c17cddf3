/* The life of one execution of a task. The table in task_state.c is the whole truth. */
#ifndef SCHEDULER_TASK_STATE_H
#define SCHEDULER_TASK_STATE_H

#include <stdbool.h>

/* Where it is: participles. On disk in snapshots. */
enum task_state {
    TASK_ILLEGAL = 0, /* zero, so that every pair the table leaves out is illegal */
    TASK_RUNNING,     /* in the engine: its lists move, or it is about to end */
    TASK_QUEUED,      /* as a job at the queue or a worker; its attempts are the job's */
    TASK_WAITING,     /* for an event, a time, a person, a child run or the cache; meanwhile it may
                       * work on events */
    TASK_RETRYING,    /* an attempt failed; the next one has its time */
    TASK_COMPLETED,
    TASK_FAULTED,
    TASK_CANCELLED,
    TASK_UNDOING, /* left, or asked to undo: compensations run before it ends */
    TASK_STATE_COUNT,
};

/* What happens to it: verbs. */
enum task_input {
    INPUT_QUEUE,   /* its job is scheduled, or need not wait for a person any more */
    INPUT_AWAIT,   /* its child run is scheduled; the cache is asked; its job asks a person */
    INPUT_REQUEUE, /* an attempt of its job failed and another one follows */
    INPUT_ANSWER,  /* its job or child ended, one way or another; the cache has an answer */
    INPUT_CLOSE,   /* it hears no more events, and works on those it has */
    INPUT_RETRY,   /* it failed and will be entered again */
    INPUT_REENTER,
    INPUT_COMPLETE,
    INPUT_FAULT,
    INPUT_CANCEL,
    INPUT_UNDO,
    TASK_INPUT_COUNT,
};

/** Returns the next state, or TASK_ILLEGAL if `input` means nothing in `state`. */
enum task_state task_next(enum task_state state, enum task_input input);

/** Says whether it has begun and not ended, so that its run cannot end yet. */
bool task_is_open(enum task_state state);

#endif
