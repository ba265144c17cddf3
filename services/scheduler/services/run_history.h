/** run_history: the events of a run, as people and programs outside see them (Runs.History). */
#ifndef SCHEDULER_RUN_HISTORY_H
#define SCHEDULER_RUN_HISTORY_H

#include "scheduler/engine/watches/history_waits.h"

/** Answers a History call that was parked; see history_answer_fn. */
bool run_history_answer(struct rpc_call *call, bool is_last);

#endif
