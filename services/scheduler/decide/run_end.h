/* run_end: how a run ends: by itself, by an error nobody caught, by `end`. */
#ifndef SCHEDULER_RUN_END_H
#define SCHEDULER_RUN_END_H

#include "scheduler/decide/decide.h"

/** The root list is over, or failed with `error` (borrowed). */
void run_settle(struct decision *decision, json error);

/** Takes `error`. Everything open is cancelled. */
void run_fault(struct decision *decision, json error);

/** `then: end` was reached in a list of `owner` (SLOT_NONE: the run), whose data are `data`
 * (borrowed): the tasks around complete with them as they are, the ones beside are cancelled. */
void run_end_from(struct decision *decision, uint32_t owner, json data);

#endif
