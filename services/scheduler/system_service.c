/* System: keys, queues, workers, topology. One answer covers all partitions of this process. */
#include "scheduler/call.h"
#include "scheduler/services.h"
#include "system.pb-c.h"

enum { KEY_ID_MAX = 64, KEY_NAME_MAX = 255, QUEUES_SHOWN_MAX = 10'000, WORKERS_SHOWN_MAX = 10'000 };

/* --- queues ------------------------------------------------------------------------------------
 */

/* Queues of several partitions, added up by name. */
struct queue_sum {
    Pb__QueueView **items;
    size_t count;
};

static Pb__QueueView *find_queue(const struct queue_sum *sum, const char *name)
{
    for (size_t i = 0; i < sum->count; i++) {
        if (strcmp(sum->items[i]->name, name) == 0) return sum->items[i];
    }
    return NULL;
}

static void add_queue(struct queue_sum *sum, Pb__QueueView *view)
{
    Pb__QueueView *found = find_queue(sum, view->name);
    if (!found) {
        if (sum->count < QUEUES_SHOWN_MAX) sum->items[sum->count++] = view;
        return;
    }
    found->depth += view->depth;
    found->delayed += view->delayed;
    found->held += view->held;
    found->running += view->running;
    found->dead_letters += view->dead_letters;
    if (view->workers > found->workers) found->workers = view->workers; /* the same ones, mostly */
    bool is_older = view->oldest_us > 0 && view->oldest_us < found->oldest_us;
    if (found->oldest_us == 0 || is_older) found->oldest_us = view->oldest_us;
    found->paused = found->paused && view->paused;
}

static status sum_queues(struct rpc_call *call, const char *namespace, const char *name,
                         struct queue_sum *ret_sum, struct error *reterr)
{
    struct queue_sum sum = {};
    sum.items            = arena_alloc(call->arena, QUEUES_SHOWN_MAX * sizeof *sum.items);
    if (!sum.items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (uint16_t i = 0; i < scheduler_partition_count(call->context); i++) {
        const struct shard *shard = scheduler_shard(call->context, i);
        if (!shard) continue;
        struct board_queues found = {};
        TRY(board_queues(shard->board, namespace, name, call->arena, &found, reterr));
        for (size_t q = 0; q < found.count; q++) add_queue(&sum, found.items[q]);
    }
    *ret_sum = sum;
    return STATUS_OK;
}

static status queues(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListQueues *request = call->request;
    Pb__QueueList *answer         = call->response;
    str namespace                 = call_namespace(call, request->namespace_);
    const char *copy              = text_in(call->arena, namespace);
    struct queue_sum sum          = {};
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(sum_queues(call, copy, request->name, &sum, reterr));
    if (*request->name && sum.count == 0) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no queue `%s`",
                         request->name);
    }
    answer->queues   = sum.items;
    answer->n_queues = sum.count;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- status and topology -----------------------------------------------------------------------
 */

static status add_workers(struct rpc_call *call, const struct shard *shard,
                          Pb__SystemStatus *answer, struct error *reterr)
{
    struct board_workers found = {};
    TRY(board_workers(shard->board, call->arena, &found, reterr));
    for (size_t i = 0; i < found.count; i++) {
        Pb__WorkerStatus *same = NULL;
        for (size_t k = 0; k < answer->n_workers && !same; k++) {
            bool is_same = strcmp(answer->workers[k]->name, found.items[i]->name) == 0;
            if (is_same) same = answer->workers[k];
        }
        if (same) { /* a worker polls every partition with a share of its slots */
            same->slots += found.items[i]->slots;
            same->busy += found.items[i]->busy;
        } else if (answer->n_workers < WORKERS_SHOWN_MAX) {
            answer->workers[answer->n_workers++] = found.items[i];
        }
    }
    return STATUS_OK;
}

static status status_of_all(struct rpc_call *call, struct error *reterr)
{
    Pb__SystemStatus *answer    = call->response;
    uint16_t count              = scheduler_partition_count(call->context);
    struct queue_sum sum        = {};
    answer->version             = TUTTI_VERSION;
    answer->started_us          = scheduler_started_us(call->context);
    answer->partitions          = arena_alloc(call->arena, count * sizeof *answer->partitions);
    Pb__PartitionStatus *states = arena_alloc(call->arena, count * sizeof *states);
    answer->workers = arena_alloc(call->arena, WORKERS_SHOWN_MAX * sizeof *answer->workers);
    if (!answer->partitions || !states || !answer->workers) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    }
    for (uint16_t i = 0; i < count; i++) {
        const struct shard *shard = scheduler_shard(call->context, i);
        if (!shard) continue;
        board_partition(shard->board, &states[i]);
        states[i].mailbox_depth                  = engine_depth(shard->engine);
        answer->partitions[answer->n_partitions] = &states[i];
        answer->n_partitions++;
        TRY(add_workers(call, shard, answer, reterr));
    }
    TRY(sum_queues(call, "*", "", &sum, reterr));
    answer->queues   = sum.items;
    answer->n_queues = sum.count;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static status topology(struct rpc_call *call, struct error *reterr)
{
    Pb__TopologyView *answer = call->response;
    uint16_t count           = scheduler_partition_count(call->context);
    answer->partition_count  = count;
    answer->owned            = arena_alloc(call->arena, count * sizeof *answer->owned);
    if (!answer->owned) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (uint16_t i = 0; i < count; i++) {
        const struct shard *shard = scheduler_shard(call->context, i);
        if (!shard) continue;
        answer->owned[answer->n_owned++] = i;
        if (shard->partition->epoch > answer->epoch) answer->epoch = shard->partition->epoch;
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- keys --------------------------------------------------------------------------------------
 */

static status lookup_key(struct rpc_call *call, struct error *reterr)
{
    const Pb__LookupKeyRequest *request = call->request;
    const struct shard *shard           = scheduler_shard(call->context, 0);
    if (!shard) return call_moved(call, 0);
    size_t len = strlen(request->id);
    if (len == 0 || len > KEY_ID_MAX) {
        return fail(reterr, STATUS_NOT_FOUND, "there is no such key");
    }
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    struct key key;
    api_key_key(&key, str_from(request->id));
    Pb__ApiKey *row = NULL;
    status got      = record_get(txn, TABLE_API_KEYS, key_bytes(&key), &pb__api_key__descriptor,
                                 call->arena, &row, NULL);
    if (got != STATUS_OK) return fail(reterr, got, "there is no key %s", request->id);
    *(Pb__ApiKey *)call->response = *row;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static status put_key(struct rpc_call *call, struct error *reterr)
{
    const Pb__ApiKey *request = call->request;
    struct shard *shard       = scheduler_shard(call->context, 0);
    if (!shard) return call_moved(call, 0);
    size_t id_len = strlen(request->id);
    if (id_len == 0 || id_len > KEY_ID_MAX || strlen(request->name) > KEY_NAME_MAX ||
        request->secret_sha256.len != SHA256_SIZE) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a key has an id, a name of at most %d bytes and the digest of its secret",
                    KEY_NAME_MAX);
    }
    struct command *command = call_command(call, COMMAND_PUT_KEY, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    call_post(call, shard, command);
    return STATUS_OK;
}

const struct rpc_method system_service_methods[] = {
    {.name = "Status", .handle = status_of_all}, {.name = "Queues", .handle = queues},
    {.name = "LookupKey", .handle = lookup_key}, {.name = "PutKey", .handle = put_key},
    {.name = "Topology", .handle = topology},    {},
};
