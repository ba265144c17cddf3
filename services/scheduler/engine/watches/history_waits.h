/**
 * history_waits: calls of Runs.History that wait for a run to move.
 *
 * A parked call belongs to a thread of this module, which answers it when its run moves or its wait
 * is over, by reading the store anew: the engine only says which runs have moved.
 *
 * Threads: any. Limits: HISTORY_WAITS_MAX parked calls.
 */
#ifndef SCHEDULER_HISTORY_WAITS_H
#define SCHEDULER_HISTORY_WAITS_H

#include "base/id.h"
#include "base/status.h"
#include "rpc/rpc.h"

enum { HISTORY_WAITS_MAX = 8'192 };

struct history_waits;

/** Answers a call: `is_last`: now, with whatever there is. Returns false if there is still nothing
 * to say and it is not the last time. Takes the call if true. */
typedef bool (*history_answer_fn)(struct rpc_call *call, bool is_last);

/** Owned: history_waits_stop(). */
status history_waits_start(history_answer_fn answer, struct history_waits **ret_waits,
                           struct error *reterr);

/** Answers all and ends the thread. NULL is fine. */
void history_waits_stop(struct history_waits *waits);

/** Parks a call until `run` moves or `until_ms` on clock_mono_ms(). It is answered once more right
 * away, so that a move between the reading and the parking is not missed. Takes it if OK.
 * RESOURCE_EXHAUSTED: too many are parked. */
status history_wait(struct history_waits *waits, struct rpc_call *call, str run, int64_t until_ms,
                    struct error *reterr);

/** A run has moved. */
void history_moved(struct history_waits *waits, str run);

/** The caller of a parked call has gone. */
void history_cancel(struct history_waits *waits, const struct rpc_call *call);

/** Says whether anybody waits at all: a cheap look before history_moved(). */
bool history_is_waited_for(const struct history_waits *waits);

#endif
