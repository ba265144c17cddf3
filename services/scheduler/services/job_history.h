/**
 * job_history: what became of a job that has ended, from the history of its run.
 *
 * Nothing is kept for that: the id of a job says when it was scheduled, so the entry of the journal
 * that did it is found by halving, and names the run. It is there as long as the run is.
 *
 * What it does not find: jobs of runs that were imported, whose entries are not in the order of
 * time.
 */
#ifndef SCHEDULER_JOB_HISTORY_H
#define SCHEDULER_JOB_HISTORY_H

#include "job.pb-c.h"
#include "scheduler/scheduler.h"

/** Fills `view`, which lives as long as `arena`. `namespace` of the caller; "*": any. NOT_FOUND: no
 * run that is kept had such a job, or another namespace's did. */
status job_history_fill(const struct shard *shard, str id, str namespace, struct arena *arena,
                        Pb__JobView *view, struct error *reterr);

#endif
