/* Breakers: kept in the system partition; how many jobs each holds, all partitions know together.
 */
#include "scheduler/breaker/breaker_rules.h"
#include "scheduler/breaker/target_name.h"
#include "scheduler/engine/breakers/breaker_view.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { REPORT_TARGETS_MAX = 1'000, HOLDER_MAX = 128 /* bytes */ };

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
}

/* --- reading -----------------------------------------------------------------------------------
 */

struct listing {
    struct rpc_call *call;
    const struct breaker_rules *rules;
    Pb__BreakerList *list;
    Pb__BreakerView *views; /* BREAKERS_MAX of them */
    int64_t now_us;
};

static status take_row(bytes key, bytes row, struct error *reterr, void *context)
{
    const struct listing *listing = context;
    Pb__BreakerList *list         = listing->list;
    Pb__BreakerView *view         = &listing->views[list->n_breakers];
    struct key_text name          = {};
    struct known_breaker known    = {};
    Pb__BreakerRecord *record     = NULL;
    bytes rest                    = key;
    if (!key_take_text(&rest, &name)) {
        return fail(reterr, STATUS_DATA_LOSS, "table breakers: a key");
    }
    TRY(record_read(row, &pb__breaker_record__descriptor, listing->call->arena, &record, reterr));
    breaker_record_read(record, &known.breaker);
    known.opened                           = record->opened;
    known.failed                           = record->failed;
    str text                               = {name.data, name.len};
    const struct breaker_settings settings = breaker_rules_of(listing->rules, text);
    breaker_view_fill(&known, &settings, listing->now_us, view);
    view->name = text_in(listing->call->arena, text);
    if (!view->name) return no_memory(reterr);
    list->breakers[list->n_breakers++] = view;
    return STATUS_OK;
}

static status add_held(struct rpc_call *call, Pb__BreakerList *list, struct error *reterr)
{
    for (uint16_t i = 0; i < scheduler_partition_count(call->context); i++) {
        const struct shard *shard = scheduler_shard(call->context, i);
        struct board_held held    = {};
        if (!shard) continue;
        TRY(board_held(shard->board, call->arena, &held, reterr));
        for (size_t b = 0; b < list->n_breakers; b++) {
            list->breakers[b]->held += board_held_of(&held, list->breakers[b]->name);
        }
    }
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListBreakers *request = call->request;
    Pb__BreakerList *answer         = call->response;
    const struct shard *shard       = scheduler_shard(call->context, 0);
    if (!shard) return call_moved(call, 0);
    uint32_t max           = *request->name ? 1 : BREAKERS_MAX;
    struct listing listing = {.call   = call,
                              .rules  = scheduler_breaker_rules(call->context),
                              .list   = answer,
                              .now_us = clock_unix_us(),
                              .views  = arena_alloc(call->arena, max * sizeof *listing.views)};
    answer->breakers       = arena_alloc(call->arena, max * sizeof *answer->breakers);
    if (!listing.views || !answer->breakers) return no_memory(reterr);

    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct key key;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    breaker_key(&key, str_from(request->name));
    if (*request->name) {
        bytes row  = {};
        status got = target_name_is_valid(str_from(request->name))
                         ? txn_get(txn, TABLE_BREAKERS, key_bytes(&key), &row, NULL)
                         : STATUS_NOT_FOUND;
        if (got != STATUS_OK) {
            return fail_code(reterr, got, "not_found", "there is no circuit breaker %s",
                             request->name);
        }
        TRY(take_row(key_bytes(&key), row, reterr, &listing));
    } else {
        const struct scan scan = {};
        struct page page       = {};
        TRY(txn_page(txn, TABLE_BREAKERS, &scan, max, &page, take_row, &listing, reterr));
    }
    TRY(add_held(call, answer, reterr));
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- commands ----------------------------------------------------------------------------------
 */

static status set(struct rpc_call *call, struct error *reterr)
{
    const Pb__SetBreaker *request = call->request;
    struct shard *shard           = scheduler_shard(call->context, 0);
    bool is_known                 = request->action == PB__BREAKER_ACTION__BREAKER_ACTION_RESET ||
                    request->action == PB__BREAKER_ACTION__BREAKER_ACTION_OPEN;
    if (!shard) return call_moved(call, 0);
    if (!is_known || !target_name_is_valid(str_from(request->name))) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                         "a target is `tool:HOST:PORT` (the host in small letters), "
                         "`tool:CONNECTION`, `llm:PROVIDER` or `worker:FUNCTION`, at most %d "
                         "bytes",
                         TARGET_NAME_MAX);
    }
    if (!breaker_rules_allow(scheduler_breaker_rules(call->context), str_from(request->name))) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "conflict",
                         "%s has no circuit breaker: name it in `limits.targets`", request->name);
    }
    struct command *command = call_command(call, COMMAND_SET_BREAKER, 0);
    if (!command) return no_memory(reterr);
    call_post(call, shard, command);
    return STATUS_OK;
}

static status report(struct rpc_call *call, struct error *reterr)
{
    const Pb__BreakerReport *request = call->request;
    struct shard *shard              = scheduler_shard(call->context, 0);
    if (!shard) return call_moved(call, 0);
    if (request->n_targets > REPORT_TARGETS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "at most %d targets", REPORT_TARGETS_MAX);
    }
    bool is_named = *request->holder && strlen(request->holder) <= HOLDER_MAX;
    if (request->number > 0 && !is_named) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a report with a number has a holder of at most %d bytes", HOLDER_MAX);
    }
    struct command *command = call_command(call, COMMAND_REPORT_BREAKERS, 0);
    if (!command) return no_memory(reterr);
    call_post(call, shard, command);
    return STATUS_OK;
}

const struct rpc_method breaker_service_methods[] = {
    {.name = "List", .handle = list},
    {.name = "Set", .handle = set},
    {.name = "Report", .handle = report},
    {},
};
