/* Workflows.Delete: a version that no run needs any more. */
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_store.h"
#include "workflow.pb-c.h"

/* --- in use ------------------------------------------------------------------------------------
 */

struct search {
    const Pb__WorkflowVersion *wanted;
    const char *namespace;
    struct txn *txn;
    struct arena *arena; /* of the rows */
    struct id run;       /* found; empty text: none */
};

static status look(bytes key, bytes, struct error *reterr, void *context)
{
    struct search *search = context;
    struct id run         = {};
    Pb__RunView *row      = NULL;
    if (search->run.text[0]) return STATUS_OK;
    if (!key_take_id(&key, &run)) return fail(reterr, STATUS_DATA_LOSS, "run_heads: a key");
    arena_clear(search->arena);
    TRY(run_row_get(search->txn, str_from(run.text), search->arena, &row, reterr));
    bool is_it = strcmp(row->workflow, search->wanted->name) == 0 &&
                 strcmp(row->version, search->wanted->version) == 0 &&
                 strcmp(row->namespace_, search->namespace) == 0;
    if (is_it) search->run = run;
    return STATUS_OK;
}

/* Runs that have not ended are those that have a head of their own. */
static status search_shard(const struct shard *shard, struct search *search, struct error *reterr)
{
    enum { ROWS_PER_PAGE = 1'000 };
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct page page                    = {.has_more = true};
    const struct scan scan              = {};
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    search->txn = txn;
    while (page.has_more && !search->run.text[0]) {
        TRY(txn_page(txn, TABLE_RUN_HEADS, &scan, ROWS_PER_PAGE, &page, look, search, reterr));
    }
    return STATUS_OK;
}

static const char *namespace_in(struct rpc_call *call, const Pb__WorkflowVersion *request)
{
    str namespace = call_namespace(call, request->namespace_);
    bool is_any   = namespace.len == 0 || str_is(namespace, "*");
    return is_any ? "default" : text_in(call->arena, namespace);
}

status workflow_in_use_handle(struct rpc_call *call, struct error *reterr)
{
    enum { ROW_ARENA_MAX = 16 << 20 /* bytes */ };
    const Pb__WorkflowVersion *request       = call->request;
    Pb__WorkflowUse *answer                  = call->response;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);

    struct search search = {
        .wanted = request, .namespace = namespace_in(call, request), .arena = arena};
    uint16_t count = scheduler_partition_count(call->context);
    for (uint16_t i = 0; i < count && !search.run.text[0]; i++) {
        const struct shard *shard = scheduler_shard(call->context, i);
        if (shard) TRY(search_shard(shard, &search, reterr));
    }
    answer->run = text_in(call->arena, str_from(search.run.text));
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- delete ------------------------------------------------------------------------------------
 */

static void on_deleted(struct command *command)
{
    struct rpc_call *call = command->context;
    if (command->code == STATUS_OK) definitions_changed(scheduler_definitions(call->context));
    rpc_reply(call, command->code, command->code == STATUS_OK ? NULL : &command->error);
}

status workflow_delete_handle(struct rpc_call *call, struct error *reterr)
{
    struct shard *shard = scheduler_shard(call->context, 0);
    if (!shard) return call_moved(call, 0);
    struct command *command = call_command(call, COMMAND_DELETE_WORKFLOW, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    command->namespace = str_from(namespace_in(call, call->request));
    command->done      = on_deleted;
    call_post(call, shard, command);
    return STATUS_OK;
}
