/* What is fetched for the arguments of a call before anything else: stored files, and vectors of
 * texts. */
#include "tool-adapter/call/tool_call_internal.h"

/* --- files --------------------------------------------------------------------------------------
 */

static void on_files(status code, const struct error *error, void *context)
{
    struct tool_call *call = context;
    struct error why       = *error;
    if (code == STATUS_OK) {
        code = file_arguments_fill(tool_call_action(call), call->files, &call->params, &why);
    }
    if (code == STATUS_OK) {
        call->on_arguments(call);
    } else {
        tool_call_end_refused(call, code, why.text);
    }
}

status tool_call_fetch_files(struct tool_call *call, void (*then)(struct tool_call *call),
                             struct error *reterr)
{
    str ids[FILE_SET_MAX + 1];
    size_t count = file_arguments_find(tool_call_action(call), call->params, ids);
    if (count == 0) return STATUS_OK;
    if (!call->means->files) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "stored files cannot be used here");
    }
    if (count > FILE_SET_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "over %d stored files", FILE_SET_MAX);
    }
    const struct file_set_request request = {.namespace = call->request.namespace,
                                             .ids       = ids,
                                             .count     = count,
                                             .until_ms  = call->request.until_ms,
                                             .done      = on_files,
                                             .context   = call};
    call->on_arguments                    = then;
    return file_set_start(call->means->files, &request, &call->files, reterr);
}

/* --- vectors ------------------------------------------------------------------------------------
 */

static void on_embedded(status code, const struct error *error, json params, const Pb__Usage *usage,
                        void *context)
{
    struct tool_call *call = context;
    call->embedding        = NULL;
    charge_add(&call->charge, usage, call->arena);
    if (code == STATUS_OK) {
        scope_put(&call->scope, "params", json_ref(params));
        call->on_arguments(call);
    } else {
        tool_call_end_refused(call, code, error->text);
    }
}

/* The connection says who makes them. */
static str model_of(const struct tool_call *call)
{
    json given = json_get_text(json_get_text(call->scope, "config"), "embedding");
    return json_is(given, JSON_TEXT) ? json_str(given) : str_from("embedding");
}

bool tool_call_wants_vectors(const struct tool_call *call)
{
    json params = json_get_text(call->scope, "params");
    return !call->request.settles && embed_params_are_due(tool_call_action(call), params);
}

status tool_call_embed(struct tool_call *call, void (*then)(struct tool_call *call),
                       struct error *reterr)
{
    const struct embed_params_request request = {.action    = tool_call_action(call),
                                                 .params    = json_get_text(call->scope, "params"),
                                                 .model     = model_of(call),
                                                 .namespace = call->request.namespace,
                                                 .idempotency_key = call->request.idempotency_key,
                                                 .payer           = call->request.payer,
                                                 .until_ms        = call->request.until_ms,
                                                 .done            = on_embedded,
                                                 .context         = call};
    if (!call->means->embedding) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "nothing embeds texts here");
    }
    call->on_arguments = then;
    return embed_params_start(call->means->embedding, &request, &call->embedding, reterr);
}
