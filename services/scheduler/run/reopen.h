/**
 * reopen: how a faulted run is opened again where it failed.
 *
 * The end of a run closes everything in it, so nothing is left to go on from. What is needed is the
 * state just before the cascade that ended it; the event run.faulted says where in the journal that
 * was (`retry_from`), and a run that is rebuilt keeps it, packed, when it passes that place. So a
 * faulted run is opened again only after it was loaded from the journal, and no snapshot is made of
 * it.
 *
 * What was open then is begun anew: jobs, approvals and child runs with new ids and their old keys,
 * the task that failed, and those that were cancelled because of it. Deadlines move on by the time
 * that the run was over; one that was past begins anew.
 */
#ifndef SCHEDULER_REOPEN_H
#define SCHEDULER_REOPEN_H

#include "scheduler/run/state.h"

/** Keeps the state as it is now, for a later retry: while replaying, before the event that
 * `retry_from` names. */
status retry_keep(struct run *run, struct error *reterr);

/** The kept state as a run of its own. Owned: run_free(). DATA_LOSS: it is damaged. */
status retry_kept_unpack(const struct run *run, struct run **ret_run, struct error *reterr);

/** Where the task stood that failed, by the event's `scope`; NULL: in no list that is entered. */
struct scope *retry_failed_scope(const struct run *run, const struct event *event);

/** For run_apply(): the state of retry_keep() takes the place of the run's. */
status apply_run_retried(struct run *run, struct event *event, struct error *reterr);
status apply_run_compensated(struct run *run, struct event *event, struct error *reterr);

/** The same of a run that has just been copied as far as it goes. */
void apply_run_reset(struct run *run, struct event *event);

#endif
