/* Runs.Variables and SetVariable: the members of a run's context. */
#include "run.pb-c.h"
#include "scheduler/services/call.h"
#include "scheduler/services/run_reader.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_wire.h"

enum { NAME_MAX_BYTES = 128, VALUE_MAX = 1 << 20 /* bytes */ };

status run_variables_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetRun *request           = call->request;
    Pb__RunVariables *answer            = call->response;
    struct run_place place              = {};
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    CLEANUP(run_freep) struct run *run  = NULL;
    Pb__RunHead *head                   = NULL;
    Pb__RunView *row                    = NULL;
    TRY(run_find(call->context, str_from(request->id), call_namespace(call, request->namespace_),
                 call->arena, &place, reterr));
    if (!place.shard) return call_moved(call, place.partition);
    TRY(txn_begin_read(place.shard->partition->store, &txn, reterr));
    TRY(run_rows_get(txn, str_from(place.id.text), call->arena, &row, &head, reterr));
    TRY(run_load(txn, scheduler_definitions(call->context), str_from(place.id.text), head,
                 (bytes){row->digest.data, row->digest.len}, false, NULL, &run, reterr));
    if (run_status_is_final(run_status(run))) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_finished",
                         "run %s has ended, and its variables with it; its history has what was "
                         "exported",
                         row->id);
    }
    CLEANUP(json_unrefp) json nothing = json_object_new(0);
    bool has_any                      = json_is(run_context(run), JSON_OBJECT);
    answer->last_sequence             = run_sequence(run);
    TRY(json_in(call->arena, has_any ? run_context(run) : nothing, &answer->context_json, reterr));
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* As expressions can write it: `$context.name`. */
static bool is_name(str name)
{
    bool is_fine = name.len > 0 && name.len <= NAME_MAX_BYTES;
    for (size_t i = 0; i < name.len && is_fine; i++) {
        char c         = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        is_fine        = is_letter || (i > 0 && c >= '0' && c <= '9');
    }
    return is_fine;
}

status run_variable_set_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__SetRunVariable *request = call->request;
    if (!is_name(str_from(request->name))) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "variables_invalid",
                         "the name of a variable: letters, digits and `_`, at most %d",
                         NAME_MAX_BYTES);
    }
    if (request->value_json.len == 0 || request->value_json.len > VALUE_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a value of 1 to %d bytes", VALUE_MAX);
    }
    struct command *command = call_command(call, COMMAND_SET_VARIABLE, 1);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    status parsed = json_out(request->value_json, "value", &command->values[0], reterr);
    if (parsed != STATUS_OK) {
        command_release(command);
        return parsed;
    }
    return run_post(call, request->id, request->namespace_, command, reterr);
}
