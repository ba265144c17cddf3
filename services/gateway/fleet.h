/**
 * fleet: what only all scheduler processes together can say or do: queues, dead letters, workers,
 * the state of the suite.
 *
 * Each process is asked once, for its own partitions, and their answers are added up. Partition p
 * belongs to process p mod count of `gateway.scheduler`, so partitions 0 to count - 1 stand for one
 * process each.
 *
 * Threads: asking from any; `then` follows on a thread of the RPC library, or before the return.
 */
#ifndef GATEWAY_FLEET_H
#define GATEWAY_FLEET_H

#include "dead_letter.pb-c.h"
#include "fleet/usage_sum.h"
#include "gateway/api/api.h"
#include "system.pb-c.h"
#include "workflow.pb-c.h"

/** How many processes there are; at least 1. */
unsigned fleet_count(const struct api *api);

/** The queues of all (name "": all of them); the problem of the first that does not answer, since a
 * sum without it would be wrong. `list` lives until `then` returns. */
typedef void fleet_then_queues(struct api_call *call, const Pb__QueueList *list);
void fleet_ask_queues(struct api_call *call, const char *name, fleet_then_queues *then);

/** Sets something of a queue in all of them; the problem of the first that does not answer, then
 * others have set it: the call may be repeated. */
typedef void fleet_then_queue(struct api_call *call, const Pb__QueueView *queue);
void fleet_change_queue(struct api_call *call, const Pb__SetQueue *message, fleet_then_queue *then);

/** Drains a worker, or lets it go on, in all of them: `busy` is how many jobs it has by now; NULL:
 * none of them has drained it. Else as above. */
typedef void fleet_then_drained(struct api_call *call, const Pb__WorkerStatus *worker);
void fleet_drain_worker(struct api_call *call, const Pb__DrainWorkerRequest *message,
                        fleet_then_drained *then);

/** A page of the dead letters of all, newest first, and how many there are of each cause; the
 * problem of the first that does not answer. */
typedef void fleet_then_letters(struct api_call *call, const Pb__DeadLetterList *list);
void fleet_ask_letters(struct api_call *call, const Pb__ListDeadLetters *message,
                       fleet_then_letters *then);

/** Redrives those of all; added up. */
typedef void fleet_then_redriven(struct api_call *call, const Pb__RedrivenDeadLetters *done);
void fleet_redrive_all(struct api_call *call, const Pb__RedriveDeadLetters *message,
                       fleet_then_redriven *then);

/** A run, of any of them, that has not ended and is pinned to a version of a workflow; "": none. */
typedef void fleet_then_use(struct api_call *call, const char *run);
void fleet_ask_use(struct api_call *call, const Pb__WorkflowVersion *message, fleet_then_use *then);

/** What models have cost. `sum` lives until `then` returns, and call->state is `state` from then
 * on: it may ask on. If one does not answer, `sum` is NULL and `failed` says why. */
typedef void fleet_then_usage(struct api_call *call, const struct usage_sum *sum,
                              const struct rpc_answer *failed);
void fleet_ask_usage(struct api_call *call, const Pb__SumUsage *message, void *state,
                     fleet_then_usage *then);

/** The state of those that answer; `missing`: how many did not. If none did, `state` is NULL and
 * `failed` says why. */
typedef void fleet_then_status(struct api_call *call, const Pb__SystemStatus *state,
                               unsigned missing, const struct rpc_answer *failed);
void fleet_ask_status(struct api_call *call, fleet_then_status *then);

#endif
