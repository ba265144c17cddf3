/* System: keys, queues, workers, topology. One answer covers all partitions of this process. */
#include "scheduler/services/everywhere.h"
#include "scheduler/services/overview.h"
#include "scheduler/services/services.h"
#include "system.pb-c.h"

enum { KEY_ID_MAX = 64, KEY_NAME_MAX = 255 };

/* --- queues ------------------------------------------------------------------------------------
 */

static status queues(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListQueues *request = call->request;
    Pb__QueueList *answer         = call->response;
    str namespace                 = call_namespace(call, request->namespace_);
    const char *copy              = text_in(call->arena, namespace);
    struct queue_sum sum          = {};
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(scheduler_sum_queues(call->context, copy, request->name, call->arena, &sum, reterr));
    if (*request->name && sum.count == 0) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no queue `%s`",
                         request->name);
    }
    answer->queues   = sum.items;
    answer->n_queues = sum.count;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- workers -----------------------------------------------------------------------------------
 */

static void add_drain(struct rpc_call *call, ProtobufCMessage *part)
{
    Pb__WorkerStatus *answer     = call->response;
    const Pb__WorkerStatus *here = (const Pb__WorkerStatus *)part;
    answer->name                 = here->name;
    answer->draining |= here->draining;
    answer->busy += here->busy;
}

static status drain_worker(struct rpc_call *call, struct error *reterr)
{
    const struct everywhere what = {.kind              = COMMAND_DRAIN_WORKER,
                                    .namespace         = call_namespace(call, ""),
                                    .tolerates_missing = true,
                                    .add               = add_drain};
    return everywhere_handle(call, &what, reterr);
}

/* --- status and topology -----------------------------------------------------------------------
 */

static status archive_status(struct rpc_call *call, Pb__SystemStatus *answer, struct error *reterr)
{
    struct archiver *archiver = scheduler_archiver(call->context);
    if (!archiver) return STATUS_OK;
    struct archiver_state state = {};
    archiver_state(archiver, &state);
    Pb__ArchiveStatus *view = arena_alloc(call->arena, sizeof *view);
    answer->archives        = arena_alloc(call->arena, sizeof *answer->archives);
    if (!view || !answer->archives) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *view               = (Pb__ArchiveStatus)PB__ARCHIVE_STATUS__INIT;
    view->failure       = arena_strdup(call->arena, str_from(state.failure));
    view->covered_us    = state.covered_us;
    view->waiting_bytes = state.waiting_bytes;
    view->given_up      = state.given_up;
    if (!view->failure) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    answer->archives[0] = view;
    answer->n_archives  = 1;
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
    if (!answer->partitions || !states) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    }
    for (uint16_t i = 0; i < count; i++) {
        const struct shard *shard = scheduler_shard(call->context, i);
        if (!shard) continue;
        board_partition(shard->board, &states[i]);
        states[i].mailbox_depth                  = engine_depth(shard->engine);
        answer->partitions[answer->n_partitions] = &states[i];
        answer->n_partitions++;
    }
    TRY(archive_status(call, answer, reterr));
    TRY(scheduler_sum_queues(call->context, "*", "", call->arena, &sum, reterr));
    struct worker_sum workers = {};
    TRY(scheduler_sum_workers(call->context, call->arena, &workers, reterr));
    answer->workers   = workers.items;
    answer->n_workers = workers.count;
    answer->queues    = sum.items;
    answer->n_queues  = sum.count;
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
    struct store *store                 = scheduler_system_store(call->context);
    if (!store) return call_moved(call, 0);
    size_t len = strlen(request->id);
    if (len == 0 || len > KEY_ID_MAX) {
        return fail(reterr, STATUS_NOT_FOUND, "there is no such key");
    }
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(store, &txn, reterr));
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

/* --- secrets -----------------------------------------------------------------------------------
 */

static status secrets(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListSecrets *request = call->request;
    Pb__SecretList *answer         = call->response;
    struct secret_name *names      = NULL;
    size_t count                   = 0;
    TRY(secrets_list(scheduler_secrets_place(call->context),
                     call_namespace(call, request->namespace_), call->arena, &names, &count,
                     reterr));
    Pb__SecretName *items = arena_alloc(call->arena, (count + 1) * sizeof *items);
    answer->secrets       = arena_alloc(call->arena, (count + 1) * sizeof *answer->secrets);
    if (!items || !answer->secrets) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < count; i++) {
        items[i]            = (Pb__SecretName)PB__SECRET_NAME__INIT;
        items[i].namespace_ = names[i].namespace;
        items[i].name       = names[i].name;
        answer->secrets[i]  = &items[i];
    }
    answer->n_secrets = count;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method system_service_methods[] = {
    {.name = "Status", .handle = status_of_all},
    {.name = "Queues", .handle = queues},
    {.name = "ChangeQueue", .handle = queue_set_handle},
    {.name = "DrainWorker", .handle = drain_worker},
    {.name = "LookupKey", .handle = lookup_key},
    {.name = "PutKey", .handle = put_key},
    {.name = "Topology", .handle = topology},
    {.name = "Secrets", .handle = secrets},
    {.name = "CreateBackup", .handle = backup_begin_handle},
    {.name = "Backups", .handle = backup_list_handle},
    {},
};
