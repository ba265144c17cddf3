/* Runs.Edit, Approve and Reset: drafts, and runs that go on from an earlier event. */
#include "base/clock.h"
#include "run.pb-c.h"
#include "scheduler/engine/commands/start_key.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_wire.h"

enum { PATCH_MAX = 1 << 20, REASON_MAX = 1'000, COMMENT_MAX = 4'000 /* bytes */ };

status run_edit_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__EditRun *request = call->request;
    if (request->patch_json.len == 0 || request->patch_json.len > PATCH_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a merge patch of 1 to %d bytes", PATCH_MAX);
    }
    struct command *command = call_command(call, COMMAND_EDIT_RUN, 1);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    status parsed = json_out(request->patch_json, "patch", &command->values[0], reterr);
    if (parsed != STATUS_OK) {
        command_release(command);
        return parsed;
    }
    return run_post(call, request->id, request->namespace_, command, reterr);
}

/* --- approve -----------------------------------------------------------------------------------
 */

/* What is checked without the engine; it looks again whether this still is a draft. */
static status check_draft(struct rpc_call *call, const struct run_place *place,
                          const Pb__RunView *view, struct command *command, struct error *reterr)
{
    const Pb__ApproveRun *request = call->request;
    /* The engine refuses it, but for a repetition, which it answers as before. */
    if (view->status != PB__RUN_STATUS__RUN_STATUS_DRAFT) return STATUS_OK;
    if (scheduler_has_four_eyes(call->context) && strcmp(view->created_by, request->by_id) == 0) {
        return fail_code(reterr, STATUS_PERMISSION_DENIED, "self_approval",
                         "who made the draft may not approve it (approvals.four_eyes)");
    }
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    CLEANUP(txn_abortp) struct txn *txn                      = NULL;
    CLEANUP(json_unrefp) json input                          = json_invalid();
    TRY(txn_begin_read(place->shard->partition->store, &txn, reterr));
    TRY(definitions_get(scheduler_definitions(call->context), txn,
                        (bytes){view->digest.data, view->digest.len}, &workflow, reterr));
    TRY(json_out(view->input_json, "input", &input, reterr));
    TRY(run_input_check(call, workflow, input, reterr));
    TRY(start_key_eval(workflow, input, clock_unix_us(), NULL, call->arena, &command->start_key,
                       reterr));
    if (command->start_key.len == 0) return STATUS_OK;
    uint16_t count = scheduler_partition_count(call->context);
    if (start_key_partition(workflow, command->start_key, count) == place->partition) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "the workflow's idempotencyKey puts this input into another partition than the "
                "draft's; start it without a draft");
}

status run_approve_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__ApproveRun *request = call->request;
    struct run_place place        = {};
    Pb__RunView *view             = NULL;
    if (strlen(request->comment) > COMMENT_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "comment: over %d bytes", COMMENT_MAX);
    }
    TRY(run_find(call->context, str_from(request->id), call_namespace(call, request->namespace_),
                 call->arena, &place, reterr));
    if (!place.shard) return call_moved(call, place.partition);
    TRY(run_read_view(place.shard, str_from(place.id.text), true, call->arena, &view, reterr));

    struct command *command = call_command(call, COMMAND_APPROVE_RUN, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    status checked = check_draft(call, &place, view, command, reterr);
    if (checked != STATUS_OK) {
        command_release(command);
        return checked;
    }
    command->run = place.id;
    call_post(call, place.shard, command);
    return STATUS_OK;
}

/* --- reset -------------------------------------------------------------------------------------
 */

status run_reset_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__ResetRun *request = call->request;
    if (request->to_sequence == 0 || strlen(request->reason) > REASON_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "to_sequence: the number of an event, from 1; reason: at most %d bytes",
                    REASON_MAX);
    }
    struct command *command = call_command(call, COMMAND_RESET, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    return run_post(call, request->id, request->namespace_, command, reterr);
}
