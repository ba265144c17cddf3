/* Partitions: what the outboxes of other processes bring (outbox.h, peers.h). */
#include "partition.pb-c.h"
#include "scheduler/engine/outbox/outbox.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"

static status check(const struct rpc_call *call, struct error *reterr)
{
    const Pb__DeliverMessages *request = call->request;
    uint16_t count                     = scheduler_partition_count(call->context);
    if (request->partition_count != count || request->source >= count) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "partition %u of %u sends, here are %u: scheduler.partitions differs between "
                    "the processes",
                    request->source, request->partition_count, count);
    }
    if (request->n_sequences != request->n_messages || request->n_messages == 0 ||
        request->n_messages > OUTBOX_BATCH_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "1 to %d messages, with a number each",
                    OUTBOX_BATCH_MAX);
    }
    for (size_t i = 1; i < request->n_sequences; i++) {
        if (request->sequences[i] > request->sequences[i - 1]) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the numbers of messages do not grow");
    }
    return STATUS_OK;
}

static status deliver(struct rpc_call *call, struct error *reterr)
{
    const Pb__DeliverMessages *request = call->request;
    struct shard *shard                = scheduler_shard(call->context, call->partition);
    if (!shard) return call_moved(call, call->partition);
    TRY(check(call, reterr));
    struct message_batch *batch = arena_alloc(call->arena, sizeof *batch);
    struct command *command     = call_command(call, COMMAND_MESSAGES, 0);
    if (!batch || !command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *batch           = (struct message_batch){.source    = (uint16_t)request->source,
                                              .count     = request->n_messages,
                                              .sequences = request->sequences,
                                              .messages  = request->messages};
    command->request = batch;
    call_post(call, shard, command);
    return STATUS_OK;
}

const struct rpc_method partition_service_methods[] = {
    {.name = "Deliver", .handle = deliver},
    {},
};
