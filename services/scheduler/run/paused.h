/**
 * paused: a call whose attempts were all spent and whose task says `onExhausted: pause`. Its job is
 * a dead letter; the task waits, without a job, for somebody who has it tried again or lets it
 * fail.
 *
 * The task keeps the error of the last attempt, and as its payload `{job, since}`: the id of the
 * dead letter and the time in microseconds.
 */
#ifndef SCHEDULER_PAUSED_H
#define SCHEDULER_PAUSED_H

#include "scheduler/run/state.h"

/** Says whether the task waits for an operator. */
bool task_is_paused(const struct run *run, const struct activation *activation);

/** The job that was given up; a view, empty if the task is not paused. */
str paused_job(const struct run *run, const struct activation *activation);

/** When it was paused; 0: it is not. */
int64_t paused_since_us(const struct run *run, const struct activation *activation);

/** Puts a paused task back to where it makes its call. */
void paused_clear(struct activation *activation);

/** For run_apply(). A timeout of the task, of those around it or of the run that is past by then
 * begins anew; so does the time that its attempts have. */
status apply_paused(struct run *run, struct activation *activation, struct event *event,
                    struct error *reterr);

#endif
