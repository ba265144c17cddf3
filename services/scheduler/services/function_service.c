/*
 * Functions: what workers can do. A worker sends all it has whenever it (re)connects; what is known
 * already is answered at once, so that costs no commit.
 */
#include "function.pb-c.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/function_registry.h"
#include "scheduler/tables/run_wire.h"
#include "json/json_text.h"

enum { REGISTER_MAX = 1'024 /* functions of one call */ };

static struct shard *system_shard(const struct rpc_call *call)
{
    return scheduler_shard(call->context, 0);
}

/* --- register -----------------------------------------------------------------------------------
 */

/* Says whether `text` has to be written; what is wrong with it is answered. */
static bool is_new(const struct rpc_call *call, const struct function_catalog *catalog,
                   uint32_t index, json *ret_value)
{
    const Pb__RegisterFunctions *request    = call->request;
    Pb__RegisteredFunctions *answer         = call->response;
    struct function_description description = {};
    struct error why                        = {};
    CLEANUP(json_unrefp) json value         = json_invalid();
    status read = json_out(request->functions_json[index], "function", &value, &why);
    if (read == STATUS_OK) read = function_description_read(value, &description, &why);
    if (read == STATUS_OK && function_is_builtin(str_from(description.name))) {
        read = fail(&why, STATUS_INVALID_ARGUMENT, "this name is built in");
    }
    if (read == STATUS_OK && !queue_is_own(str_from(description.queue))) {
        read = fail(&why, STATUS_INVALID_ARGUMENT, "queue: `tools`, `llm` or one below them");
    }
    if (read != STATUS_OK) {
        function_refuse(call->arena, answer, index, &description, why.text);
        return false;
    }
    const struct function_description *there =
        function_catalog_find(catalog, str_from(description.name), str_from(description.version));
    if (there && json_equal(there->source, value)) {
        answer->known++;
        return false;
    }
    *ret_value = json_take(&value);
    return true;
}

/* A registration on its way through the engine, which has its own references to the values. */
struct registration {
    struct rpc_call *call;
    json functions; /* array: one per function of the call; null: nothing to write */
};

static void on_registered(struct command *command)
{
    struct registration *registration     = command->context;
    struct rpc_call *call                 = registration->call;
    const Pb__RegisteredFunctions *answer = call->response;
    CLEANUP(json_unrefp) json all         = json_take(&registration->functions);
    CLEANUP(json_unrefp) json written     = json_array_new(json_count(all));
    for (size_t i = 0; i < answer->n_refused; i++) {
        json_array_set(&all, answer->refused[i]->index, json_null());
    }
    for (size_t i = 0; i < json_count(all); i++) {
        json value = json_at(all, i);
        if (!json_is(value, JSON_NULL)) json_array_push(&written, json_ref(value));
    }
    if (command->code == STATUS_OK) {
        function_registry_add(scheduler_functions(call->context), written);
    }
    rpc_reply(call, command->code, command->code == STATUS_OK ? NULL : &command->error);
}

static status register_functions(struct rpc_call *call, struct error *reterr)
{
    const Pb__RegisterFunctions *request = call->request;
    Pb__RegisteredFunctions *answer      = call->response;
    size_t count                         = request->n_functions_json;
    if (!system_shard(call)) return call_moved(call, 0);
    if (count > REGISTER_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "at most %d functions in one call",
                    REGISTER_MAX);
    }
    /* Refused here, or by the engine: never both. */
    answer->refused         = arena_alloc(call->arena, (count + 1) * sizeof *answer->refused);
    struct command *command = call_command(call, COMMAND_REGISTER_FUNCTIONS, count);
    struct registration *registration = arena_alloc(call->arena, sizeof *registration);
    if (!answer->refused || !command || !registration) {
        if (command) command_release(command);
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    }
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *catalog =
        function_registry_get(scheduler_functions(call->context));
    CLEANUP(json_unrefp) json all = json_array_new(count);
    bool has_new                  = false;
    for (uint32_t i = 0; i < count; i++) {
        bool is_one = is_new(call, catalog, i, &command->values[i]);
        json_array_push(&all, is_one ? json_ref(command->values[i]) : json_null());
        has_new = has_new || is_one;
    }
    if (!has_new) {
        command_release(command);
        rpc_reply(call, STATUS_OK, NULL);
        return STATUS_OK;
    }
    registration->call      = call;
    registration->functions = json_take(&all);
    command->context        = registration;
    command->done           = on_registered;
    call_post(call, system_shard(call), command);
    return STATUS_OK;
}

/* --- list ---------------------------------------------------------------------------------------
 */

static status put_item(struct arena *arena, const struct function_description *function,
                       Pb__FunctionList *answer, struct error *reterr)
{
    CLEANUP(json_unrefp) json text = json_to_text_new(function->source);
    ProtobufCBinaryData copy       = bytes_in(arena, json_str(text));
    if (!copy.data) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many functions");
    answer->functions_json[answer->n_functions_json++] = copy;
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListFunctions *request = call->request;
    Pb__FunctionList *answer         = call->response;
    if (!system_shard(call)) return call_moved(call, 0);
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *catalog =
        function_registry_get(scheduler_functions(call->context));
    size_t count           = function_catalog_count(catalog);
    answer->functions_json = arena_alloc(call->arena, (count + 1) * sizeof(ProtobufCBinaryData));
    if (!answer->functions_json) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");

    const char *version = request->version;
    for (size_t i = 0; i < count; i++) {
        const struct function_description *function = function_catalog_at(catalog, i);
        bool is_wanted = !*request->name || strcmp(request->name, function->name) == 0;
        if (!is_wanted ||
            !function_version_matches(str_from(function->version), str_from(version))) {
            continue;
        }
        TRY(put_item(call->arena, function, answer, reterr));
        if (*request->name && *version) break; /* the newest comes first */
    }
    if (*request->name && answer->n_functions_json == 0) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no function `%s%s%s`",
                         request->name, *version ? ":" : "", version);
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method function_service_methods[] = {
    {.name = "Put", .handle = register_functions},
    {.name = "List", .handle = list},
    {},
};
