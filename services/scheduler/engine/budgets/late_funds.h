/**
 * late_funds: what is set aside for calls that have no job, until somebody says what they have
 * cost, or they must be over. Part of the engine.
 *
 * Calls of jobs that were cancelled, until their holders have spoken, or their lease is over; and
 * calls of clients that are charged to a run (run_calls.c).
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

/** A call of a client: takes `funding`, which is granted, until engine_late_funds_release() or
 * `until_us`, and writes its row. RESOURCE_EXHAUSTED: there are too many; then nothing is taken. */
status engine_late_funds_hold(struct engine *engine, const struct id *call, const struct id *run,
                              struct funding *funding, int64_t until_us, struct error *reterr);

/** What is set aside for such a call, to be changed; NULL: nothing. Then its row is written anew.
 */
struct funding *engine_late_funds_of(const struct engine *engine, str call);
status engine_late_funds_put(struct engine *engine, str call, struct error *reterr);

/** The call is over: what is set aside for it comes back, if there is something. */
status engine_late_funds_release(struct engine *engine, str call, struct error *reterr);

/** Says whether that was said of it lately: a question that comes after it comes too late. */
bool engine_late_funds_is_over(const struct engine *engine, str call);

/** Gives back what nobody has spoken for in time. */
status engine_late_funds_expire(struct engine *engine, struct error *reterr);

/** When the next one is given back; INT64_MAX: none is kept. */
int64_t engine_late_funds_due_us(const struct engine *engine);

/** Reads the rows. */
status engine_late_funds_recover(struct engine *engine, struct error *reterr);

#endif
