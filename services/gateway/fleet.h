/**
 * fleet: what only all scheduler processes together can say: queues, workers, the state of the
 * suite.
 *
 * Each process is asked once, for its own partitions, and their answers are added up. Partition p
 * belongs to process p mod count of `gateway.scheduler`, so partitions 0 to count - 1 stand for one
 * process each.
 *
 * Threads: asking from any; `then` follows on a thread of the RPC library, or before the return.
 */
#ifndef GATEWAY_FLEET_H
#define GATEWAY_FLEET_H

#include "gateway/api.h"
#include "system.pb-c.h"

/** How many processes there are; at least 1. */
unsigned fleet_count(const struct api *api);

/** The queues of all (name "": all of them); the problem of the first that does not answer, since a
 * sum without it would be wrong. `list` lives until `then` returns. */
typedef void fleet_then_queues(struct api_call *call, const Pb__QueueList *list);
void fleet_ask_queues(struct api_call *call, const char *name, fleet_then_queues *then);

/** The state of those that answer; `missing`: how many did not. If none did, `state` is NULL and
 * `failed` says why. */
typedef void fleet_then_status(struct api_call *call, const Pb__SystemStatus *state,
                               unsigned missing, const struct rpc_answer *failed);
void fleet_ask_status(struct api_call *call, fleet_then_status *then);

#endif
