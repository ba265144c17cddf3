/* Runs.Bulk and Runs.Operation: work on many runs. */
#include "run.pb-c.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/record.h"

enum { REASON_MAX = 1'000, FILTERS_MAX = 16 };

static bool is_narrow(const Pb__ListRuns *filter)
{
    return filter &&
           (filter->n_status > 0 || filter->n_labels > 0 || *filter->workflow || *filter->version ||
            *filter->parent || filter->created_after_us > 0 || filter->created_before_us > 0);
}

status run_bulk_handle(struct rpc_call *call, struct error *reterr)
{
    Pb__StartBulk *request = (Pb__StartBulk *)(uintptr_t)call->request;
    struct shard *shard    = scheduler_shard(call->context, call->partition);
    if (!shard) return call_moved(call, call->partition);
    bool is_known = request->action >= PB__BULK_ACTION__BULK_ACTION_CANCEL &&
                    request->action <= PB__BULK_ACTION__BULK_ACTION_ERASE;
    if (!is_known || strlen(request->reason) > REASON_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "action: cancel, terminate, retry, delete or erase; reason: at most %d bytes",
                    REASON_MAX);
    }
    if (!is_narrow(request->filter) || request->filter->n_labels > FILTERS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "filter: name at least one of status, workflow, version, label, parent, "
                    "created_after, created_before");
    }
    if (*request->filter->parent && !id_is_valid(str_from(request->filter->parent))) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "parent: the id of a run");
    }
    request->namespace_     = text_in(call->arena, call_namespace(call, request->namespace_));
    struct command *command = call_command(call, COMMAND_BULK, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    call_post(call, shard, command);
    return STATUS_OK;
}

status run_operation_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetOperation *request = call->request;
    struct shard *shard             = scheduler_shard(call->context, call->partition);
    str namespace                   = call_namespace(call, request->namespace_);
    if (!shard) return call_moved(call, call->partition);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__OperationRecord *record         = NULL;
    status got                          = STATUS_NOT_FOUND;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    if (id_is_valid(str_from(request->id))) {
        struct key key;
        id_key(&key, str_from(request->id));
        got = record_get(txn, TABLE_OPERATIONS, key_bytes(&key), &pb__operation_record__descriptor,
                         call->arena, &record, reterr);
    }
    bool is_ours =
        got == STATUS_OK && (str_is(namespace, "*") || str_is(namespace, record->view->namespace_));
    if (got == STATUS_NOT_FOUND || (got == STATUS_OK && !is_ours)) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no operation %.64s",
                         request->id);
    }
    TRY(got);
    *(Pb__OperationView *)call->response = *record->view;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}
