#include "tool-adapter/call/tool_service_internal.h"

#include "adapter/example.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "tool-adapter/call/call_cache.h"
#include "tool-adapter/call/personal.h"
#include "tool.pb-c.h"
#include "workflow/function_catalog.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX    = 16 << 20, /* bytes of an answer */
    DEPTH_MAX   = 64,
    VALUES_MAX  = 1'000'000,
    NONCE_BYTES = 16,
    ARENA_MAX   = 64 << 20,

    REQUEST_ID_SIZE = 128,
};

/* One call under way. */
struct invocation {
    struct invocation *next, *previous;
    struct tool_service *service;
    struct rpc_call *rpc;
    struct toolbox *toolbox; /* a reference */
    json params;             /* owned */
    char key[2 * NONCE_BYTES + 1];
    struct tool tool;
    struct tool_call *call;
    int64_t started_ms;
};

/* --- life ------------------------------------------------------------------------------------- */

struct tool_service *tool_service_new(const struct tool_service_options *options)
{
    struct tool_service *service = mem_new(1, sizeof *service);
    *service                     = (struct tool_service){.means    = options->means,
                                                         .toolbox  = toolbox_ref(options->toolbox),
                                                         .measures = options->measures};
    return service;
}

static void invocation_free(struct invocation *invocation)
{
    struct tool_service *service = invocation->service;
    if (invocation->next) invocation->next->previous = invocation->previous;
    if (invocation->previous) {
        invocation->previous->next = invocation->next;
    } else {
        service->invocations = invocation->next;
    }
    service->count--;
    json_unref(invocation->params);
    toolbox_unref(invocation->toolbox);
    free(invocation);
}

void tool_service_freep(struct tool_service **ref)
{
    struct tool_service *service = *ref;
    if (!service) return;
    while (service->invocations) {
        tool_call_cancel(service->invocations->call);
        invocation_free(service->invocations);
    }
    tool_service_drop_tests(service);
    toolbox_unref(service->toolbox);
    free(service);
    *ref = NULL;
}

void tool_service_drain(struct tool_service *service)
{
    atomic_store(&service->is_draining, true);
}

void tool_service_use(struct tool_service *service, struct toolbox *toolbox)
{
    toolbox_unref(service->toolbox);
    service->toolbox = toolbox_ref(toolbox);
}

/* --- to the loop and back --------------------------------------------------------------------- */

struct arrived {
    struct rpc_call *rpc;
    tool_answer_fn *answer; /* OK: it has replied, or will */
};

static void on_arrived(void *context)
{
    struct arrived arrived = *(struct arrived *)context;
    struct error error     = {};
    free(context);
    status code = arrived.answer(arrived.rpc->context, arrived.rpc, &error);
    if (code != STATUS_OK) rpc_reply(arrived.rpc, code, &error);
}

status tool_service_post(struct rpc_call *rpc, tool_answer_fn *answer, struct error *reterr)
{
    struct tool_service *service = rpc->context;
    struct arrived *arrived      = mem_new(1, sizeof *arrived);
    *arrived                     = (struct arrived){.rpc = rpc, .answer = answer};
    if (loop_post(service->means.loop, on_arrived, arrived) == STATUS_OK) return STATUS_OK;
    free(arrived);
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "this tool-adapter is overloaded");
}

ProtobufCBinaryData tool_service_document(struct rpc_call *rpc, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    if (json_is(value, JSON_INVALID) || !json_print(value, JSON_COMPACT, &text)) {
        return (ProtobufCBinaryData){};
    }
    char *copy = arena_strdup(rpc->arena, buf_str(&text));
    return (ProtobufCBinaryData){.data = (uint8_t *)copy, .len = copy ? text.len : 0};
}

static status read_params(ProtobufCBinaryData text, json *ret_params, struct error *reterr)
{
    const struct json_limits limits = {.depth_max = DEPTH_MAX, .values_max = VALUES_MAX};
    str source                      = {.ptr = (const char *)text.data, .len = text.len};
    if (source.len == 0) return STATUS_OK;
    if (source.len > TOOL_PARAMS_SIZE_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the arguments have over %d MiB",
                    TOOL_PARAMS_SIZE_MAX >> 20);
    }
    TRY(json_parse(source, &limits, ret_params, NULL, reterr));
    if (json_is(*ret_params, JSON_OBJECT)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "the arguments are no map");
}

/* The connection that is called by, which may stand among the arguments, as in workflows and in the
 * schema that agents see; they are without it then. Owned. */
static json take_connection(const char *named, json *params)
{
    json given = json_get_text(*params, "connection");
    if (*named || !json_is(given, JSON_TEXT)) return json_text_lossy(str_from(named));
    json connection = json_ref(given);
    (void)json_object_remove(params, str_from("connection"));
    return connection;
}

/* Who is asked, and with which version: "github.create_issue:1". */
static status find(const struct toolbox *toolbox, const char *function, str connection,
                   const char *namespace, struct tool *ret_tool, struct error *reterr)
{
    struct function_selector selector = {};
    if (!function_selector_read(str_from(function), &selector)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "write the function as adapter.action");
    }
    const struct tool_question question = {
        .function = selector.name, .connection = connection, .namespace = str_from(namespace)};
    TRY(toolbox_find(toolbox, &question, ret_tool, reterr));
    if (function_version_matches(str_from(ret_tool->action->manifest->version), selector.version)) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_NOT_FOUND, "this tool-adapter has `%s.%s` in version %s only",
                ret_tool->action->manifest->name, ret_tool->action->name,
                ret_tool->action->manifest->version);
}

/* --- List ------------------------------------------------------------------------------------- */

static Pb__ToolConnection *connection_new(const struct connection *connection, struct arena *arena)
{
    Pb__ToolConnection *view = arena_alloc(arena, sizeof *view);
    size_t count             = 0;
    if (!view) return NULL;
    pb__tool_connection__init(view);
    view->name       = connection->name;
    view->adapter    = connection->manifest->name;
    view->is_default = !connection->is_entry;
    view->lacks      = connection->lacks ? connection->lacks : "";
    while (connection->namespaces && connection->namespaces[count]) count++;
    view->namespaces   = (const char **)(uintptr_t)connection->namespaces;
    view->n_namespaces = count;
    return view;
}

static status answer_list(struct tool_service *service, struct rpc_call *rpc, struct error *reterr)
{
    const Pb__ListTools *message = rpc->request;
    Pb__ToolList *list           = rpc->response;
    const struct toolbox *box    = service->toolbox;
    size_t functions             = 0;
    size_t connections           = 0;
    while (toolbox_functions(box)[functions]) functions++;
    while (toolbox_connection(box, connections)) connections++;
    list->functions_json = arena_alloc(rpc->arena, (functions + 1) * sizeof *list->functions_json);
    list->connections    = arena_alloc(rpc->arena, (connections + 1) * sizeof *list->connections);
    if (!list->functions_json || !list->connections) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the list is too large");
    }
    for (size_t i = 0; i < functions; i++) {
        str text = str_from(toolbox_functions(box)[i]);
        list->functions_json[i] =
            (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)text.ptr, .len = text.len};
    }
    list->n_functions_json = functions;
    for (size_t i = 0; i < connections; i++) {
        const struct connection *one = toolbox_connection(box, i);
        if (*message->namespace_ && !connection_serves(one, str_from(message->namespace_))) {
            continue;
        }
        Pb__ToolConnection *view = connection_new(one, rpc->arena);
        if (view) list->connections[list->n_connections++] = view;
    }
    rpc_reply(rpc, STATUS_OK, NULL);
    return STATUS_OK;
}

static status handle_list(struct rpc_call *rpc, struct error *reterr)
{
    return tool_service_post(rpc, answer_list, reterr);
}

/* --- Invoke ----------------------------------------------------------------------------------- */

static void on_done(const struct tool_call_result *result, void *context)
{
    struct invocation *invocation = context;
    struct rpc_call *rpc          = invocation->rpc;
    Pb__InvokedTool *invoked      = rpc->response;
    bool is_fine                  = result->class == OUTCOME_OK;
    int64_t duration_ms           = clock_mono_ms() - invocation->started_ms;
    const char *adapter           = invocation->tool.action->manifest->name;
    const char *action            = invocation->tool.action->name;
    const char *function          = arena_printf(rpc->arena, "%s.%s", adapter, action);
    if (is_fine) {
        invoked->output_json = tool_service_document(rpc, result->value);
    } else {
        invoked->error_json = tool_service_document(rpc, result->value);
    }
    invoked->undo_json       = tool_service_document(rpc, result->undo);
    invoked->class_          = outcome_class_name(result->class);
    invoked->unknown_outcome = result->is_unknown;
    invoked->retry_after_ms  = is_fine ? 0 : result->wait_ms;
    invoked->http_status     = (uint32_t)result->http_status;
    invoked->duration_ms     = duration_ms;
    invoked->writes          = result->writes->items;
    invoked->n_writes        = result->writes->count;
    if (function) {
        measures_call(invocation->service->measures, function, is_fine ? "ok" : "error",
                      duration_ms);
    }
    measures_cache(invocation->service->measures, invocation->service->means.cache);
    log_write(is_fine ? LOG_INFO : LOG_WARN, "tool.invoked", LOG_TEXT_OF("function", function),
              LOG_TEXT_OF("connection", invocation->tool.connection->name),
              LOG_STR("key", rpc->caller.key_id), LOG_STR("request", rpc->request_id),
              LOG_TEXT_OF("class", invoked->class_), LOG_INT("http_status", result->http_status),
              LOG_INT("duration_ms", duration_ms));
    bool fits          = invoked->output_json.len > 0 || invoked->error_json.len > 0;
    struct error error = {};
    status code        = STATUS_OK;
    if (!fits) code = fail(&error, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
    rpc_reply(rpc, code, &error);
    invocation_free(invocation);
}

static int64_t timeout_of(const Pb__InvokeTool *message)
{
    int64_t asked_ms = message->timeout_ms > 0 ? message->timeout_ms : TOOL_INVOKE_MS;
    return asked_ms < TOOL_INVOKE_MS_MAX ? asked_ms : TOOL_INVOKE_MS_MAX;
}

static void start(struct invocation *invocation)
{
    const Pb__InvokeTool *message            = invocation->rpc->request;
    const struct tool_call_handlers handlers = {.done = on_done, .context = invocation};
    uint8_t nonce[NONCE_BYTES];
    random_bytes(nonce, sizeof nonce);
    hex_encode(nonce, sizeof nonce, invocation->key);
    const char *key = *message->idempotency_key ? message->idempotency_key : invocation->key;
    const struct tool_call_request request = {
        .tool            = invocation->tool,
        .params          = invocation->params,
        .namespace       = str_from(message->namespace_),
        .idempotency_key = str_from(key),
        .payer           = {.key_id = invocation->rpc->caller.key_id},
        .created_us      = clock_unix_us(),
        .until_ms        = invocation->started_ms + timeout_of(message),
    };
    struct tool_call *call = tool_call_start(&invocation->service->means, &request, &handlers);
    if (call) invocation->call = call; /* else it is over */
}

static status answer_invoke(struct tool_service *service, struct rpc_call *rpc,
                            struct error *reterr)
{
    const Pb__InvokeTool *message        = rpc->request;
    CLEANUP(json_unrefp) json params     = json_invalid();
    CLEANUP(json_unrefp) json connection = json_invalid();
    struct tool tool                     = {};
    if (service->count >= TOOL_CALLS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "more than %d calls at once",
                    TOOL_CALLS_MAX);
    }
    TRY(read_params(message->params_json, &params, reterr));
    connection = take_connection(message->connection, &params);
    TRY(find(service->toolbox, message->function, json_str(connection), message->namespace_, &tool,
             reterr));
    struct invocation *invocation = mem_new(1, sizeof *invocation);
    *invocation                   = (struct invocation){.next       = service->invocations,
                                                        .service    = service,
                                                        .rpc        = rpc,
                                                        .toolbox    = toolbox_ref(service->toolbox),
                                                        .params     = json_take(&params),
                                                        .tool       = tool,
                                                        .started_ms = clock_mono_ms()};
    if (invocation->next) invocation->next->previous = invocation;
    service->invocations = invocation;
    service->count++;
    start(invocation);
    return STATUS_OK;
}

static status handle_invoke(struct rpc_call *rpc, struct error *reterr)
{
    return tool_service_post(rpc, answer_invoke, reterr);
}

/* Nobody waits for it any more. What had left is answered all the same, for the audit log. */
static void stop(struct invocation *invocation)
{
    static const char why[]              = "whoever asked for it has gone";
    struct rpc_call *rpc                 = invocation->rpc;
    Pb__InvokedTool *invoked             = rpc->response;
    const struct manifest_action *action = invocation->tool.action;
    const struct writes *writes          = tool_call_stop(invocation->call);
    struct error error                   = {};
    bool is_unknown                      = writes->count > 0;
    log_write(LOG_INFO, "tool.stopped", LOG_TEXT_OF("adapter", action->manifest->name),
              LOG_TEXT_OF("action", action->name), LOG_STR("request", rpc->request_id),
              LOG_INT("writes", (int64_t)writes->count));
    if (is_unknown) {
        CLEANUP(json_unrefp) json said = outcome_unknown_new(action, why);
        invoked->error_json            = tool_service_document(rpc, said);
        invoked->class_                = outcome_class_name(OUTCOME_UNKNOWN);
        invoked->unknown_outcome       = true;
        invoked->duration_ms           = clock_mono_ms() - invocation->started_ms;
        invoked->writes                = writes->items;
        invoked->n_writes              = writes->count;
    } else {
        (void)fail(&error, STATUS_CANCELLED, "%s", why);
    }
    rpc_reply(rpc, is_unknown ? STATUS_OK : STATUS_CANCELLED, &error);
    tool_call_cancel(invocation->call);
    invocation_free(invocation);
}

/* The one that is to be stopped, which may be over. */
struct stopped {
    struct tool_service *service;
    const struct rpc_call *rpc;
    char request_id[REQUEST_ID_SIZE]; /* its place in memory may be another call's by then */
};

static void on_stopped(void *context)
{
    struct stopped *stopped       = context;
    struct invocation *invocation = stopped->service->invocations;
    while (invocation && invocation->rpc != stopped->rpc) invocation = invocation->next;
    if (invocation && str_is(invocation->rpc->request_id, stopped->request_id)) stop(invocation);
    free(stopped);
}

static void cancel_invoke(struct rpc_call *rpc)
{
    struct tool_service *service = rpc->context;
    if (atomic_load(&service->is_draining) || rpc->request_id.len >= REQUEST_ID_SIZE) return;
    struct stopped *stopped = mem_new(1, sizeof *stopped);
    *stopped                = (struct stopped){.service = service, .rpc = rpc};
    memcpy(stopped->request_id, rpc->request_id.ptr, rpc->request_id.len);
    if (loop_post(service->means.loop, on_stopped, stopped) != STATUS_OK) free(stopped);
}

/* --- Render ----------------------------------------------------------------------------------- */

/* What has been read or done by then is that of the manifest's example. */
static void put_example(const struct manifest_action *action, json *scope)
{
    static const char *const members[][2] = {
        {"before", "before"}, {"current", "before"}, {"steps", "steps"}};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json value = json_get_text(action->example, members[i][1]);
        if (!json_is(value, JSON_INVALID)) scope_put(scope, members[i][0], json_ref(value));
    }
}

static status render(const struct tool *tool, const Pb__RenderTool *message, json given,
                     struct arena *arena, json *ret_requests, struct error *reterr)
{
    CLEANUP(json_unrefp) json params = json_invalid();
    CLEANUP(json_unrefp) json scope  = json_invalid();
    TRY(personal_apply(&tool->connection->personal, tool->action, given, &params, reterr));
    const struct scope_options options = {.config          = tool->connection->config,
                                          .params          = params,
                                          .idempotency_key = str_from(message->idempotency_key),
                                          .created_us      = clock_unix_us(),
                                          .secrets         = &example_secrets,
                                          .arena           = arena};
    TRY(scope_new(tool->action, &options, &scope, reterr));
    put_example(tool->action, &scope);
    return example_requests(tool->action, scope, tool->connection->name, arena, ret_requests,
                            reterr);
}

static status answer_render(struct tool_service *service, struct rpc_call *rpc,
                            struct error *reterr)
{
    const Pb__RenderTool *message            = rpc->request;
    Pb__RenderedTool *rendered               = rpc->response;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json params         = json_invalid();
    CLEANUP(json_unrefp) json connection     = json_invalid();
    CLEANUP(json_unrefp) json requests       = json_invalid();
    struct tool tool                         = {};
    TRY(read_params(message->params_json, &params, reterr));
    connection = take_connection(message->connection, &params);
    TRY(find(service->toolbox, message->function, json_str(connection), message->namespace_, &tool,
             reterr));
    TRY(render(&tool, message, params, arena, &requests, reterr));
    const struct manifest *manifest = tool.action->manifest;
    const char *function =
        arena_printf(rpc->arena, "%s.%s:%s", manifest->name, tool.action->name, manifest->version);
    rendered->function      = function ? function : "";
    rendered->connection    = tool.connection->name;
    rendered->requests_json = tool_service_document(rpc, requests);
    rpc_reply(rpc, STATUS_OK, NULL);
    return STATUS_OK;
}

static status handle_render(struct rpc_call *rpc, struct error *reterr)
{
    return tool_service_post(rpc, answer_render, reterr);
}

const struct rpc_method tool_service_methods[] = {
    {.name = "List", .handle = handle_list},
    {.name = "Invoke", .handle = handle_invoke, .cancel = cancel_invoke},
    {.name = "Render", .handle = handle_render},
    {.name = "TestConnection", .handle = tool_service_handle_test},
    {},
};
