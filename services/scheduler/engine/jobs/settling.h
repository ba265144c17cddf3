/**
 * settling: jobs that go out again not to be done but to find out whether they were.
 *
 * A call that changes something, whose job ended without anybody knowing what it has done, has to
 * be undone if it has (undo.h). The job keeps its id, its row and its checkpoint, and goes into a
 * queue that nobody polls who would take it for one to be done. What its worker says, the run
 * hears as the answer of a late job (late_job.h); looks that fail are repeated without the run.
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_SETTLING_H
#define SCHEDULER_SETTLING_H

#include "record.pb-c.h"
#include "scheduler/engine/engine_internal.h"

/** For tool-adapters that know of such jobs. */
#define SETTLE_QUEUE "tools.settle"

/** Says whether the job is one of these. */
bool job_settles(const struct open_job *job);

/** Makes an open job one of these. `record` is its row; its funding has ended. */
status engine_settle_job(struct engine *engine, struct open_job *job, Pb__JobRecord *record,
                         struct error *reterr);

/** The task of an open job was cancelled, and what the job does is awaited: whoever has it may end
 * it. If nobody has it, it becomes one of these; or the run says next that nobody knows. */
status engine_settle_cancelled(struct engine *engine, const struct live_run *live,
                               struct open_job *job, const struct event *event,
                               struct error *reterr);

/** Such a job has failed to find out. `*ret_is_again`: it tries again later. */
status engine_settle_again(struct engine *engine, struct open_job *job, bool *ret_is_again,
                           struct error *reterr);

#endif
