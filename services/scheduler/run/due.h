/* due: the times at which a run has something to do by itself. */
#ifndef SCHEDULER_DUE_H
#define SCHEDULER_DUE_H

#include "scheduler/run/state.h"

/** The earliest of a task's own times; NO_DUE_US: none. */
int64_t activation_due(const struct activation *activation);

/** Brings the cached time of the run up to date after a task got times. */
void due_note(struct run *run, const struct activation *activation);

/** Finds the run's earliest time, if it is not known: at the end of each command. */
void due_refresh(struct run *run);

#endif
