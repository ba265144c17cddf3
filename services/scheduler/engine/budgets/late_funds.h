/**
 * late_funds: what is set aside for calls that were cancelled, until their holders say what they
 * have cost, or the lease is over under which they were made. Part of the engine.
 *
 * A worker hears of a cancellation with its next heartbeat and reports then what it has used. Were
 * the money free meanwhile, others would spend it a second time.
 *
 * What is kept stands in the row of its lease in `unsaid_leases` (charge.h), and in memory by its
 * end.
 */
#ifndef SCHEDULER_BUDGETS_LATE_FUNDS_H
#define SCHEDULER_BUDGETS_LATE_FUNDS_H

#include "scheduler/engine/engine_internal.h"

struct late_funds;

/** Owned: late_funds_free(). NULL is fine. */
struct late_funds *late_funds_new(void);
void late_funds_free(struct late_funds *funds);
size_t late_funds_count(const struct late_funds *funds);

/** A job goes whose lease lasts: takes what is set aside for it, and says so in `row`, which the
 * caller writes. Nothing, if nothing is. */
void engine_late_funds_keep(struct engine *engine, struct open_job *job,
                            Pb__UnsaidLeaseRecord *row);

/** Its holder has spoken; `used` may be NULL. `*ret_is_kept` false: nothing is kept for that job,
 * and nothing was charged. The caller deletes the row. */
status engine_late_funds_end(struct engine *engine, str job, const Pb__Usage *used,
                             bool *ret_is_kept, struct error *reterr);

/** Gives back what nobody has spoken for in time. */
status engine_late_funds_expire(struct engine *engine, struct error *reterr);

/** When the next one is given back; INT64_MAX: none is kept. */
int64_t engine_late_funds_due_us(const struct engine *engine);

/** Reads the rows. */
status engine_late_funds_recover(struct engine *engine, struct error *reterr);

#endif
