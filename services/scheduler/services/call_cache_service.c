/* CallCache: how much is kept of answers of calls, and deleting it. Of the system partition. */
#include "call_cache.pb-c.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/call_cache.h"

enum { FILTER_MAX = 255 /* bytes of one */ };

static struct shard *system_shard(const struct rpc_call *call)
{
    return scheduler_shard(call->context, 0);
}

static status stats(struct rpc_call *call, struct error *reterr)
{
    const Pb__CacheStatsRequest *request = call->request;
    Pb__CacheStats *answer               = call->response;
    const struct shard *shard            = system_shard(call);
    if (!shard) return call_moved(call, 0);
    const struct call_cache_limits *limits = scheduler_cache_limits(call->context);
    Pb__CacheTotals totals                 = PB__CACHE_TOTALS__INIT;
    CLEANUP(txn_abortp) struct txn *txn    = NULL;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(call_cache_stats(txn, call_namespace(call, request->namespace_), call->arena, &totals,
                         reterr));
    answer->hits            = totals.hits;
    answer->misses          = totals.misses;
    answer->entries         = totals.entries;
    answer->bytes           = totals.bytes;
    answer->entries_max     = limits->entries_max;
    answer->bytes_max       = limits->bytes_max;
    answer->value_bytes_max = limits->value_bytes_max;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static status clear(struct rpc_call *call, struct error *reterr)
{
    const Pb__ClearCache *request = call->request;
    if (!system_shard(call)) return call_moved(call, 0);
    const char *const filters[] = {request->prefix, request->function, request->workflow};
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        if (strlen(filters[i]) <= FILTER_MAX) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a filter has at most %d bytes", FILTER_MAX);
    }
    struct command *command = call_command(call, COMMAND_CLEAR_CALL_CACHE, 0);
    Pb__ClearCache *wanted  = arena_alloc(call->arena, sizeof *wanted);
    if (!command || !wanted) {
        if (command) command_release(command);
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    }
    *wanted            = *request;
    wanted->namespace_ = text_in(call->arena, call_namespace(call, request->namespace_));
    command->request   = wanted;
    call_post(call, system_shard(call), command);
    return STATUS_OK;
}

const struct rpc_method call_cache_service_methods[] = {
    {.name = "Stats", .handle = stats},
    {.name = "Clear", .handle = clear},
    {},
};
