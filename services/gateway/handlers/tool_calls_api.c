/* Functions of adapters for somebody who waits: the request shown, or made; and connections tried
 * out. */
#include "base/assert.h"
#include "gateway/api/audit.h"
#include "gateway/handlers/handlers.h"
#include "tool.pb-c.h"
#include "json/json_text.h"

#include <inttypes.h>

#define NO_TOOLS "this gateway knows no tool-adapter: set gateway.tools"

enum {
    ARGUMENTS_MAX = 8 << 20, /* bytes */
    INVOKE_MS     = 60'000,
    SLACK_MS      = 5'000, /* for the way there and back */
    DETAIL_MAX    = 2'000, /* bytes */
};

/* --- asking -------------------------------------------------------------------------------------
 */

static void fail_rpc(struct api_call *call, const struct rpc_answer *answer)
{
    str code = str_from(answer->error_code);
    if (str_is(code, RPC_NOT_SENT)) {
        api_fail_with(call, "unavailable", (str){},
                      "no tool-adapter can be reached: nothing was done; try again in a second");
    } else if (str_is(code, RPC_ANSWER_LOST)) {
        api_fail_with(call, "unknown_outcome", (str){},
                      "the tool-adapter was lost before it answered: the call may or may not have "
                      "been made; look, or repeat it with the same Idempotency-Key");
    } else {
        api_fail_answer(call, answer);
    }
}

struct asking {
    struct api_waiter head;
    struct api_call *call; /* a reference */
    api_then *then;
    uint64_t rpc;
};

static void on_answer(const struct rpc_answer *answer, void *context)
{
    const struct asking *asking = context;
    struct api_call *call       = asking->call;
    if (answer->code == STATUS_OK) {
        asking->then(call, answer);
    } else {
        fail_rpc(call, answer);
    }
    api_call_unref(call);
}

/* The client has gone: what is under way is ended, and heard of for the audit log. Of a gateway
 * that stops nothing is any more. */
static void on_forget(struct api_waiter *head)
{
    const struct asking *asking = (struct asking *)head;
    struct api_call *call       = asking->call;
    call->waiter                = NULL;
    if (call->api->tools) rpc_client_stop(call->api->tools, asking->rpc);
}

static void watch(struct api_call *call)
{
    struct asking *asking = call->state;
    call->waiter          = &asking->head;
    if (api_call_is_gone(call)) on_forget(&asking->head);
}

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    struct api_call *kept = api_call_ref(call); /* it may be answered at once */
    struct asking *asking = arena_alloc(call->arena, sizeof *asking);
    struct error error    = {};
    ASSERT(asking);
    *asking =
        (struct asking){.head = {.forget = on_forget}, .call = api_call_ref(call), .then = then};
    call->state                      = asking;
    const struct rpc_request request = {.service     = &pb__tools__descriptor,
                                        .method      = method,
                                        .message     = message,
                                        .timeout_ms  = INVOKE_MS + SLACK_MS,
                                        .request_id  = str_from(call->rpc_id),
                                        .traceparent = str_from(call->traceparent),
                                        .key_id      = str_from(call->identity.key_id),
                                        .done        = on_answer,
                                        .context     = asking};
    struct rpc_client *tools         = call->api->tools;
    status code = tools ? rpc_client_call(tools, &request, &asking->rpc, &error)
                        : fail(&error, STATUS_UNAVAILABLE, NO_TOOLS);
    if (code == STATUS_OK) {
        atomic_store(&kept->is_parked, true);
        (void)api_send_home(kept, watch); /* without it the call goes on until its answer */
    } else {
        api_fail(call, code, &error);
        api_call_unref(call);
    }
    api_call_unref(kept);
}

/* --- answers ------------------------------------------------------------------------------------
 */

static str text_of(ProtobufCBinaryData data)
{
    return (str){.ptr = (const char *)data.data, .len = data.len};
}

static void on_rendered(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__RenderedTool *rendered = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_text(&response.json, "function", str_from(rendered->function));
    json_put_text(&response.json, "connection", str_from(rendered->connection));
    json_put_raw(&response.json, "requests", text_of(rendered->requests_json));
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
}

/* The code for a call that was made and failed, by its class (docs/guide/adapters.md). */
static const char *code_of(const Pb__InvokedTool *invoked)
{
    static const struct {
        const char *class, *code;
    } rows[] = {
        {"invalid", "tool_invalid"},
        {"throttled", "rate_limited"},
        {"transient", "upstream_error"},
        {"unknown", "unknown_outcome"},
    };
    if (invoked->unknown_outcome) return "unknown_outcome";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_is(str_from(invoked->class_), rows[i].class)) return rows[i].code;
    }
    return "tool_failed";
}

static void fail_call(struct api_call *call, const Pb__InvokedTool *invoked)
{
    CLEANUP(json_unrefp) json error     = json_invalid();
    CLEANUP(buf_done) struct buf detail = buf_init(DETAIL_MAX);
    (void)json_parse(text_of(invoked->error_json), NULL, &error, NULL, NULL);
    json text = json_get_text(error, "detail");
    if (json_is(text, JSON_TEXT)) {
        (void)buf_put_str(&detail, str_slice(json_str(text), 0, DETAIL_MAX - 1));
    }
    const struct tool_failure failure = {.code           = code_of(invoked),
                                         .error_json     = text_of(invoked->error_json),
                                         .detail         = buf_str(&detail),
                                         .undo_json      = text_of(invoked->undo_json),
                                         .retry_after_ms = invoked->retry_after_ms};
    api_fail_tool(call, &failure);
}

static void on_invoked(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__InvokedTool *invoked = answer->message;
    audit_writes(call, invoked->writes, invoked->n_writes);
    if (invoked->output_json.len == 0) {
        fail_call(call, invoked);
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_raw(&response.json, "output", text_of(invoked->output_json));
    if (invoked->undo_json.len > 0) {
        json_put_raw(&response.json, "undo", text_of(invoked->undo_json));
    }
    json_put_int(&response.json, "duration_ms", invoked->duration_ms);
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
}

/* --- the operation ------------------------------------------------------------------------------
 */

static bool is_dry_run(struct api_call *call)
{
    json dry_run = json_get_text(call->body, "dry_run");
    return json_is(dry_run, JSON_TRUE);
}

/* A key of all namespaces that has named none calls as the one that runs have without a name. */
static const char *namespace_of(struct api_call *call)
{
    const char *namespace = api_namespace(call);
    return str_is(str_from(namespace), "*") ? "default" : namespace;
}

void tools_invoke(struct api_call *call)
{
    CLEANUP(buf_done) struct buf params = buf_init(ARGUMENTS_MAX);
    json arguments                      = json_get_text(call->body, "arguments");
    str key                             = {};
    struct error error                  = {};
    status code                         = api_idempotency_key(call, &key, &error);
    if (code != STATUS_OK) {
        api_fail(call, code, &error);
        return;
    }
    if (json_is(arguments, JSON_OBJECT) && !api_print(call, arguments, &params)) return;
    ProtobufCBinaryData document = {.data = (uint8_t *)params.ptr, .len = params.len};
    const char *function         = api_text(call, call->params[0]);
    const char *connection       = api_member(call, call->body, "connection");
    const char *idempotency_key  = key.len > 0 ? api_text(call, key) : "";
    if (is_dry_run(call)) {
        audit_leave_out(call);
        Pb__RenderTool message  = PB__RENDER_TOOL__INIT;
        message.function        = function;
        message.params_json     = document;
        message.connection      = connection;
        message.namespace_      = namespace_of(call);
        message.idempotency_key = idempotency_key;
        ask(call, "Render", &message, on_rendered);
        return;
    }
    Pb__InvokeTool message  = PB__INVOKE_TOOL__INIT;
    message.function        = function;
    message.params_json     = document;
    message.connection      = connection;
    message.namespace_      = namespace_of(call);
    message.idempotency_key = idempotency_key;
    message.timeout_ms      = INVOKE_MS;
    ask(call, "Invoke", &message, on_invoked);
}

/* --- a connection is tried out ------------------------------------------------------------------
 */

static void put_trial(struct json_writer *w, const Pb__ToolTrial *trial)
{
    json_begin_object(w);
    json_put_text(w, "function", str_from(trial->function));
    json_put_bool(w, "ok", str_is(str_from(trial->class_), "ok"));
    if (trial->skipped) json_put_bool(w, "skipped", true);
    json_put_text(w, "class", str_from(trial->class_));
    if (trial->http_status > 0) json_put_int(w, "http_status", trial->http_status);
    json_put_int(w, "duration_ms", trial->duration_ms);
    if (trial->error_json.len > 0) json_put_raw(w, "error", text_of(trial->error_json));
    json_end_object(w);
}

static void on_tested(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__TestedToolConnection *tested = answer->message;
    struct api_answer response;
    bool is_fine = true;
    for (size_t i = 0; i < tested->n_trials; i++) {
        const Pb__ToolTrial *trial = tested->trials[i];
        is_fine = is_fine && (trial->skipped || str_is(str_from(trial->class_), "ok"));
    }
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_text(&response.json, "connection", str_from(tested->connection));
    json_put_text(&response.json, "adapter", str_from(tested->adapter));
    if (*tested->account) json_put_text(&response.json, "account", str_from(tested->account));
    json_put_bool(&response.json, "ok", is_fine);
    json_member(&response.json, "checks");
    json_begin_array(&response.json);
    for (size_t i = 0; i < tested->n_trials; i++) put_trial(&response.json, tested->trials[i]);
    json_end_array(&response.json);
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
}

void connectors_test(struct api_call *call)
{
    Pb__TestToolConnection message = PB__TEST_TOOL_CONNECTION__INIT;
    message.connection             = api_text(call, call->params[0]);
    message.namespace_             = namespace_of(call);
    ask(call, "TestConnection", &message, on_tested);
}
