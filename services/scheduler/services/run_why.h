/**
 * run_why: what a run waits for, in sentences, and what to do about it.
 *
 * A view says it in members (waiting_for); this adds `state`, `reason` and `advice` to each, and
 * entries for what no task waits for: a pause, a place of its batch, an approval of a draft, dead
 * letters and other faults. For people who ask: it reads the rows of jobs, the dead letters of a
 * faulted run, and the journal of a suspended one.
 *
 * Threads: any, with no transaction open.
 */
#ifndef SCHEDULER_RUN_WHY_H
#define SCHEDULER_RUN_WHY_H

#include "scheduler/services/run_reader.h"

/** Changes `view`, which run_read_view() made. RESOURCE_EXHAUSTED, DATA_LOSS. */
status run_explain(const struct shard *shard, Pb__RunView *view, struct arena *arena,
                   struct error *reterr);

#endif
