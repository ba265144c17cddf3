/**
 * calls: what is known of a call whose job is gone, for the next job of the same call: in the next
 * attempt of a `try` around it, in a retry of the run, of its dead letter.
 *
 * All jobs of a call have one idempotency key, so that is how it is known (TABLE_REDRIVES). A row
 * is written if an attempt may have acted, or has left a checkpoint, and goes with the end of its
 * run.
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_CALLS_H
#define SCHEDULER_CALLS_H

#include "record.pb-c.h"
#include "scheduler/engine/engine_internal.h"

/** `*ret_record` is NULL if nothing is known; else the arena's. */
status engine_call_find(struct engine *engine, str run, str call_key,
                        Pb__RedriveRecord **ret_record, struct error *reterr);

/** Keeps it under the call's key; does nothing for what belongs to no run. */
status engine_call_put(struct engine *engine, str run, str call_key,
                       const Pb__RedriveRecord *record, struct error *reterr);

/** The job of this row has ended without an output. */
status engine_call_note(struct engine *engine, const Pb__JobRecord *record, struct error *reterr);

/** A job of a call is being scheduled: it hears of those before. */
status engine_call_recall(struct engine *engine, Pb__LeasedJob *leased, struct error *reterr);

/** A run has ended and is not opened again, or goes. */
status engine_calls_forget(struct engine *engine, str run, struct error *reterr);

#endif
