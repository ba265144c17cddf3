#include "scheduler/engine/outbox/peers.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "partition.pb-c.h"
#include "scheduler/engine/outbox/outbox.h"

#include <stdlib.h>

struct peers {
    struct rpc_client *client;
    uint16_t count;
};

status peers_new(const struct peers_options *options, struct peers **ret_peers,
                 struct error *reterr)
{
    static const ProtobufCServiceDescriptor *const services[] = {&pb__partitions__descriptor, NULL};
    const struct rpc_client_options client                    = {.endpoints = options->endpoints,
                                                                 .choice    = RPC_OWNER,
                                                                 .services  = services,
                                                                 .identity  = options->identity,
                                                                 .tls       = options->tls};
    struct rpc_client *opened                                 = NULL;
    TRY(rpc_client_open(&client, &opened, reterr));
    struct peers *peers = mem_new(1, sizeof *peers);
    peers->client       = opened;
    peers->count        = options->count;
    *ret_peers          = peers;
    return STATUS_OK;
}

void peers_free(struct peers *peers)
{
    if (!peers) return;
    rpc_client_closep(&peers->client);
    free(peers);
}

/* The outbox asks again whatever it was; what a person has to mend is logged. */
static bool is_passing(status code)
{
    return code == STATUS_OK || code == STATUS_UNAVAILABLE || code == STATUS_RESOURCE_EXHAUSTED ||
           code == STATUS_DEADLINE_EXCEEDED || code == STATUS_CANCELLED;
}

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct command *command = context;
    if (!is_passing(answer->code)) {
        log_write(LOG_ERROR, "messages.refused", LOG_TEXT_OF("error", answer->detail));
    }
    command->code = answer->code;
    command->done(command);
}

status peers_post(struct peers *peers, uint16_t partition, struct command *command,
                  struct error *reterr)
{
    ASSERT(command->kind == COMMAND_MESSAGES && partition < peers->count);
    const struct message_batch *batch = command->request;
    Pb__DeliverMessages message       = PB__DELIVER_MESSAGES__INIT;
    message.source                    = batch->source;
    message.partition_count           = peers->count;
    message.sequences                 = batch->sequences;
    message.n_sequences               = batch->count;
    message.messages                  = batch->messages;
    message.n_messages                = batch->count;
    const struct rpc_request request  = {.service    = &pb__partitions__descriptor,
                                         .method     = "Deliver",
                                         .message    = &message,
                                         .partition  = partition,
                                         .timeout_ms = PEERS_TIMEOUT_MS,
                                         .done       = on_answer,
                                         .context    = command};
    return rpc_client_call(peers->client, &request, NULL, reterr);
}

bool peers_reach(const struct peers *peers, uint16_t partition)
{
    return rpc_client_is_connected(peers->client, partition);
}
