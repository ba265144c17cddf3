/* Runs.Export and Runs.Import: runs that have ended, on their way out of a store and into one. */
#include "base/clock.h"
#include "base/mem.h"
#include "run.pb-c.h"
#include "scheduler/engine/commands/start_key.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/kept_run.h"

enum { CLOCK_SKEW_MS = 3'600'000 /* of two machines; an id of a later time was made up */ };

status run_export_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__ExportRun *request        = call->request;
    struct run_place place              = {};
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(run_find(call->context, str_from(request->id), call_namespace(call, request->namespace_),
                 call->arena, &place, reterr));
    if (!place.shard) return call_moved(call, place.partition);
    TRY(txn_begin_read(place.shard->partition->store, &txn, reterr));
    TRY(kept_run_make(txn, str_from(place.id.text), call->arena, call->response, reterr));
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- import --------------------------------------------------------------------------------------
 */

static status misplaced(const char *what, struct error *reterr)
{
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "run_invalid",
                     "its %s belongs to another partition here: this installation has another "
                     "number of partitions than the one it comes from; import it into one with as "
                     "many",
                     what);
}

/* Everything by which the run is found leads to this partition. */
static status check_place(struct rpc_call *call, const struct kept_run *kept, uint16_t partition,
                          struct error *reterr)
{
    const Pb__RunView *row = kept->row;
    uint16_t count         = scheduler_partition_count(call->context);
    str client_id          = str_from(row->client_id);
    str namespace = call_namespace(call, ((const Pb__ImportRun *)call->request)->namespace_);
    if (!str_is(namespace, "*") && !str_is(namespace, row->namespace_)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "namespace_mismatch",
                         "the run is of namespace %s; use a key of that one", row->namespace_);
    }
    if (id_unix_ms(str_from(row->id)) > clock_unix_us() / 1000 + CLOCK_SKEW_MS) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "run_invalid",
                         "its id is of a time to come; look at the clocks of both machines");
    }
    if (client_id.len > 0) {
        if (!client_id_is_valid(client_id)) {
            return fail_code(reterr, STATUS_INVALID_ARGUMENT, "run_invalid",
                             "its client_id is none; export the run again");
        }
        str of = str_from(row->namespace_);
        if (partition_of_text(of, client_id, count) != partition) {
            return misplaced("client_id", reterr);
        }
    }
    if (row->start_key.len == 0) return STATUS_OK;
    if (row->start_key.len > START_KEY_MAX) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "run_invalid",
                         "its key is too long; export the run again");
    }
    uint16_t owner = start_key_partition(kept->workflow, str_of(row->start_key), count);
    return owner == partition ? STATUS_OK : misplaced("idempotencyKey", reterr);
}

static void on_imported(struct command *command)
{
    kept_run_done((struct kept_run *)(uintptr_t)command->request);
    call_done(command);
}

static status post(struct rpc_call *call, struct shard *shard, struct kept_run *kept,
                   struct error *reterr)
{
    TRY(check_place(call, kept, shard->index, reterr));
    struct command *command = call_command(call, COMMAND_IMPORT_RUN, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    command->request = kept;
    command->done    = on_imported;
    call_post(call, shard, command);
    return STATUS_OK;
}

status run_import_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__ImportRun *request = call->request;
    const Pb__KeptRun *message   = request->kept;
    struct kept_run *kept        = arena_alloc(call->arena, sizeof *kept);
    if (!kept) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    if (!message || !id_is_valid(str_from(message->id))) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "run_invalid",
                         "`id` is none of a run; export the run again");
    }
    uint16_t partition = id_partition(str_from(message->id));
    if (partition >= scheduler_partition_count(call->context)) return misplaced("id", reterr);
    struct shard *shard = scheduler_shard(call->context, partition);
    if (!shard) return call_moved(call, partition);
    TRY(kept_run_read(message, scheduler_definitions(call->context), call->arena, kept, reterr));
    status posted = post(call, shard, kept, reterr);
    if (posted != STATUS_OK) kept_run_done(kept);
    return posted;
}
