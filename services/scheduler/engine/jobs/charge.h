/**
 * charge: what attempts have used that ended without an answer. Part of the engine.
 *
 * A worker that hands a job back says what its call has cost until then. One whose job was
 * cancelled says so as well, when the job is gone already and its run may have ended: a row waits
 * for that report, and goes with it, so that it counts once however often it is said.
 */
#ifndef SCHEDULER_ENGINE_JOBS_CHARGE_H
#define SCHEDULER_ENGINE_JOBS_CHARGE_H

#include "job.pb-c.h"
#include "scheduler/engine/engine_internal.h"

/** A job goes that somebody has leased. What is set aside for it stays so (late_funds.h). */
status engine_cancelled_note(struct engine *engine, struct open_job *job, struct error *reterr);

/** Reports of a job that is not leased any more: if it was cancelled under that lease, what the
 * report says it has used is charged. `*ret_is_taken`: nobody is to hear that it was lost. */
status engine_charge_cancelled(struct engine *engine, const Pb__JobReport *report,
                               bool *ret_is_taken, struct error *reterr);

/** A job is handed back with that report, and may have used something; before it is given back. Its
 * budgets are told. */
status engine_charge_released(struct engine *engine, struct open_job *job,
                              const Pb__JobReport *report, struct error *reterr);

#endif
