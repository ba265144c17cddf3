/** job_wait: whether an open job waits for the breaker of its target or for its budgets, as the
 * rows say. */
#ifndef SCHEDULER_BREAKER_JOB_WAIT_H
#define SCHEDULER_BREAKER_JOB_WAIT_H

#include "base/arena.h"
#include "fleet/breaker.h"
#include "run.pb-c.h"
#include "scheduler/tables/record.h"

/** The breaker of a target as its row says; closed if there is none. */
status target_breaker_get(struct txn *txn, str target, struct arena *arena,
                          struct breaker *ret_breaker, struct error *reterr);

/** The target that holds a job now; empty: none does. Lives as long as the rows. */
status job_wait_target(struct txn *txn, const Pb__ReadyRecord *ready, int64_t due_us,
                       int64_t now_us, struct arena *arena, str *ret_target, struct error *reterr);

/** What it waits for, if it is budgets; NULL: it does not. Lives as long as the row. */
const char *job_wait_budget(const Pb__ReadyRecord *ready, int64_t due_us, int64_t now_us);

/** Turns what a run waits for from `job` into `breaker` or `budget`, where that is so. Its detail
 * then is `<target>: job <id>`, or `<what the budget says>: job <id>`. */
status run_waits_explain(struct txn *txn, Pb__RunView *view, int64_t now_us, struct arena *arena,
                         struct error *reterr);

/** Where an open job stands: its row in the queue; NULL: it has none. */
status ready_row_of(struct txn *txn, const Pb__JobRecord *record, struct arena *arena,
                    Pb__ReadyRecord **ret_ready, struct error *reterr);

#endif
