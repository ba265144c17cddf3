/**
 * paused_task: a call that was given up and waits for an operator (paused.h), and what that one
 * says: once more, with a patch of its arguments or without, or let it fail.
 *
 * The run is suspended when the first of its tasks is paused, so that nothing else of it is done
 * until somebody has looked. Whatever is said to one of them lets the run go on; others stay
 * paused until they are spoken of, or `resume` has all of them tried again.
 */
#ifndef SCHEDULER_PAUSED_TASK_H
#define SCHEDULER_PAUSED_TASK_H

#include "scheduler/decide/decide.h"

/** Its job is a dead letter, and the attempts were its last. Takes `error`. */
void task_pause(struct decision *decision, struct activation *activation, const struct id *job,
                json error);

/** run_retry() of a run that has not ended. */
status run_retry_paused(struct run *run, const struct decide_env *env,
                        const struct run_retry *command, struct event_list *events,
                        struct error *reterr);

/** All that are paused begin anew: for run_resume(). */
void paused_resume_all(struct decision *decision, str by);

#endif
