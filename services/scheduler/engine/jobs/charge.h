/**
 * charge: what attempts have used that ended without an answer. Part of the engine.
 *
 * A worker that hands a job back says what its call has cost until then. One whose job was
 * cancelled, or whose lease was over before it spoke, says so as well: the job is gone by then or
 * somebody else has it, and its run may have ended. A row waits for that report, so that it counts
 * once, however often it is said.
 *
 * A lease is what a call is known by. Who gets a job next may find the answer that was bought under
 * an earlier lease, and completes the job with it (JobCompleted.bought_by): whichever of the two
 * reports comes first is charged, the other one has used nothing.
 *
 * What a worker has used that never speaks again is known to nobody, and is not charged.
 */
#ifndef SCHEDULER_ENGINE_JOBS_CHARGE_H
#define SCHEDULER_ENGINE_JOBS_CHARGE_H

#include "job.pb-c.h"
#include "scheduler/engine/engine_internal.h"

/** The run's own sum, also of one that has ended; `job` is what has used it. Nothing of one that
 * was deleted, or cannot be read. */
status engine_charge_run(struct engine *engine, const struct id *job, str run,
                         const struct usage *usage, struct error *reterr);

/** The lease of a job ends without a report: it was cancelled, or its holder was silent for too
 * long. What is set aside for a job that `goes` with it stays so (late_funds.h); one that stays may
 * be leased anew, and asks anew. */
status engine_lease_unsaid(struct engine *engine, struct open_job *job, bool goes,
                           struct error *reterr);

/** Reports of a job that is not leased any more: if their lease ended without one, what they say
 * was used is charged. `*ret_is_taken`: nobody is to hear that it was lost. */
status engine_charge_late(struct engine *engine, const Pb__JobReport *report, bool *ret_is_taken,
                          struct error *reterr);

/** A report is taken of a job that completes it; before its budgets are told. `*ret_counted` is
 * what counts: the report, or one that lives as long as the turn and has used nothing, since what
 * was bought is charged already. */
status engine_charge_once(struct engine *engine, const struct open_job *job,
                          const Pb__JobReport *report, const Pb__JobReport **ret_counted,
                          struct error *reterr);

/** A run has taken nothing of a report: it knows no such job, or was not asked since somebody is to
 * look on. What the report says was used is charged to the run all the same; its budgets have been
 * told. `report` NULL: none. */
status engine_charge_untaken(struct engine *engine, const struct id *job, str run,
                             const Pb__JobReport *report, struct error *reterr);

/** A job is handed back with that report, and may have used something; before it is given back. Its
 * budgets are told. */
status engine_charge_released(struct engine *engine, struct open_job *job,
                              const Pb__JobReport *report, struct error *reterr);

#endif
