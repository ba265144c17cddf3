/** run_retry: how it is decided that a faulted run is opened again (run/reopen.h). */
#ifndef SCHEDULER_RUN_RETRY_H
#define SCHEDULER_RUN_RETRY_H

#include "scheduler/decide/decide.h"

/** Says where a run that faults now could be entered again; 0: nowhere. For run_fault(). */
uint64_t retry_place(const struct decision *decision);

/** The same of a run that ends in another way, to undo what it did. `first_sequence`: of the event
 * before which everything is as it was. */
uint64_t undo_place(const struct decision *decision, uint64_t first_sequence);

#endif
