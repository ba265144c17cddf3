/**
 * progress: how much of a run is done (E5). Every scope and activation has a share of the whole:
 * lists divide theirs by the weights of their tasks, a `fork` by its branches, a `for` by its
 * items. What has been counted is never taken back, so the sum does not fall when a list jumps back
 * or a `try` begins anew; it only waits until the repeated part is over.
 */
#ifndef SCHEDULER_PROGRESS_H
#define SCHEDULER_PROGRESS_H

#include "scheduler/run/state.h"

/** The share of a scope that opens; `owner` NULL: the root. */
uint64_t progress_of_scope(const struct run *run, const struct activation *owner,
                           enum scope_kind kind, uint32_t index);

/** What is not counted yet of the tasks before `position` in the list of `scope`: for `position` +
 * 1, the share of the task at hand; nothing, if the list has been further already. */
uint64_t progress_until(const struct run *run, struct scope *scope, uint32_t position);

/** Counts what is left of a task's share: it completed or was skipped. */
void progress_count(struct run *run, struct scope *scope, uint64_t amount);

#endif
