/* Keys of providers that were set by the API: kept in the system partition, sealed. */
#include "base/log.h"
#include "provider_key.pb-c.h"
#include "scheduler/engine/commands/provider_keys.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"

enum { NAME_MAX_BYTES = 64, SEALED_MAX = 8 << 10, FINGERPRINT_MAX = 64 };

static status post(struct rpc_call *call, enum command_kind kind, struct error *reterr)
{
    struct command *command = call_command(call, kind, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    call_post(call, scheduler_shard(call->context, 0), command);
    return STATUS_OK;
}

/* Calls of all namespaces go out with it. */
static status check_caller(const struct rpc_call *call, struct error *reterr)
{
    if (str_is(call_namespace(call, ""), "*")) return STATUS_OK;
    return fail_code(reterr, STATUS_PERMISSION_DENIED, "forbidden",
                     "the key of a provider serves all namespaces: it takes a key of all of them");
}

static status check_provider(const char *name, struct error *reterr)
{
    size_t length = strlen(name);
    if (length > 0 && length <= NAME_MAX_BYTES) return STATUS_OK;
    return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no provider of that name");
}

static status put(struct rpc_call *call, struct error *reterr)
{
    const Pb__ProviderKey *request = call->request;
    bool is_reference              = *request->secret != '\0';
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    TRY(check_caller(call, reterr));
    TRY(check_provider(request->provider, reterr));
    if (is_reference == (request->sealed.len > 0) || request->sealed.len > SEALED_MAX ||
        strlen(request->secret) > NAME_MAX_BYTES ||
        strlen(request->fingerprint) > FINGERPRINT_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a sealed key, or the name of a secret");
    }
    return post(call, COMMAND_PUT_PROVIDER_KEY, reterr);
}

static status delete_key(struct rpc_call *call, struct error *reterr)
{
    const Pb__DeleteProviderKey *request = call->request;
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    TRY(check_caller(call, reterr));
    TRY(check_provider(request->provider, reterr));
    return post(call, COMMAND_DROP_PROVIDER_KEY, reterr);
}

struct listing {
    struct arena *arena;
    Pb__ProviderKeyList *list;
};

static status take_row(bytes, bytes value, struct error *reterr, void *context)
{
    struct listing *listing = context;
    Pb__ProviderKey *row    = NULL;
    struct error why        = {};
    status read = record_read(value, &pb__provider_key__descriptor, listing->arena, &row, &why);
    if (read == STATUS_DATA_LOSS) { /* the others hold all the same */
        log_write(LOG_ERROR, "provider_key.unreadable", LOG_TEXT_OF("error", why.text));
        return STATUS_OK;
    }
    if (read != STATUS_OK) return fail(reterr, read, "%s", why.text);
    listing->list->keys[listing->list->n_keys++] = row;
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    struct store *store                 = scheduler_system_store(call->context);
    struct listing listing              = {.arena = call->arena, .list = call->response};
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct page page                    = {};
    struct key prefix;
    if (!store) return call_moved(call, 0);
    listing.list->keys = arena_alloc(call->arena, PROVIDER_KEYS_KEPT_MAX * sizeof(void *));
    if (!listing.list->keys) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(txn_begin_read(store, &txn, reterr));
    provider_key_row(&prefix, (str){});
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    TRY(txn_page(txn, TABLE_META, &scan, PROVIDER_KEYS_KEPT_MAX, &page, take_row, &listing,
                 reterr));
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method provider_key_service_methods[] = {
    {.name = "Put", .handle = put},
    {.name = "Delete", .handle = delete_key},
    {.name = "List", .handle = list},
    {},
};
