/**
 * call: the way of an RPC call to an engine and back.
 *
 * A handler checks and parses, makes a command in the call's arena and posts it; the engine answers
 * after the commit, on its own thread. Commit calls of one batch go into the mailbox together, when
 * the batch ends: so a batch of calls is a batch of commands is one commit.
 */
#ifndef SCHEDULER_CALL_H
#define SCHEDULER_CALL_H

#include "rpc/rpc.h"
#include "scheduler/scheduler.h"
#include "scheduler/services/run_reader.h"

/** A command with request, response and arena of the call, and room for `value_count` values. NULL
 * only past the arena's limit. */
struct command *call_command(struct rpc_call *call, enum command_kind kind, size_t value_count);

/** What `done` of such a command is: answers the call. For a `done` of one's own. */
void call_done(struct command *command);

/** Posts the command of a call, with the other commands of its batch if it has one. Takes both. */
void call_post(struct rpc_call *call, struct shard *shard, struct command *command);

/** rpc_hooks.batch_end: posts what call_post() collected. */
void call_batch_end(uint16_t partition, void *staged, void *context);

/** Sends the caller to the owner of another partition. Returns OK: it is answered. */
status call_moved(struct rpc_call *call, uint16_t partition);

/** The namespace of a call: of the message if it names one, else of the caller; "*" if neither. */
str call_namespace(const struct rpc_call *call, const char *of_message);

/** Findings as the JSON array that travels with an error (problem+json `errors`). Sets
 * call->details_json. */
void call_set_findings(struct rpc_call *call, const struct diagnostics *list);

/** The same as protobuf. NULL past the arena's limit. */
Pb__Finding **findings_in(struct arena *arena, const struct diagnostics *list);

#endif
