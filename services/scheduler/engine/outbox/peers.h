/**
 * peers: the way to partitions of other scheduler processes.
 *
 * It carries the batches of outboxes (outbox.h) to the process of their receiver, by the RPC method
 * Partitions.Deliver, and their answers back. It repeats nothing itself: a batch that is not
 * answered in time, or whose connection is lost, is refused, and its outbox sends it again.
 *
 * Threads: peers_post() from any; the answer comes on a thread of the RPC library. peers_free()
 * answers everything that is under way first, so the outboxes must still be there.
 */
#ifndef SCHEDULER_PEERS_H
#define SCHEDULER_PEERS_H

#include "rpc/rpc_client.h"
#include "scheduler/engine/commands/command.h"

enum { PEERS_TIMEOUT_MS = 10'000 /* of a batch */ };

struct peers_options {
    const char *endpoints; /* of all scheduler processes, in the order of their partitions */
    struct rpc_identity identity;
    struct rpc_tls tls;
    uint16_t count; /* of all partitions */
};

struct peers;

/** Owned: peers_free(). Fails as rpc_client_open(). */
status peers_new(const struct peers_options *options, struct peers **ret_peers,
                 struct error *reterr);
void peers_free(struct peers *peers); /* NULL is fine */

/** Sends a COMMAND_MESSAGES to the process of a partition; `done` is called with the outcome. If it
 * fails, `done` is not called: as rpc_client_call(). */
status peers_post(struct peers *peers, uint16_t partition, struct command *command,
                  struct error *reterr);

/** Says whether the process of a partition is connected now. */
bool peers_reach(const struct peers *peers, uint16_t partition);

#endif
