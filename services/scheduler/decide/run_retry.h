/** run_retry: how it is decided that a faulted run is opened again (run/reopen.h). */
#ifndef SCHEDULER_RUN_RETRY_H
#define SCHEDULER_RUN_RETRY_H

#include "scheduler/decide/decide.h"

/** Says where a run that faults now could be entered again; 0: nowhere. For run_fault(). */
uint64_t retry_place(const struct decision *decision);

#endif
