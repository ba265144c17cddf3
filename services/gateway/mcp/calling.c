/* tools/call: the operation, function or workflow that a name stands for, and what it answers. */
#include "gateway/api/api_inner.h"
#include "gateway/mcp/methods.h"
#include "gateway/mcp/tools.h"
#include "json/json_text.h"

enum {
    PATH_LEN_MAX = 256,     /* bytes */
    BODY_MAX     = 1 << 20, /* bytes */
};

static const struct mcp_message *message_of(const struct api_call *call)
{
    const struct mcp_call *kept = call->state;
    return &kept->message;
}

static void put_text_content(struct json_writer *w, str text)
{
    json_member(w, "content");
    json_begin_array(w);
    json_begin_object(w);
    json_put_text(w, "type", str_from("text"));
    json_put_text(w, "text", text);
    json_end_object(w);
    json_end_array(w);
}

static void send_text(struct api_call *call, const struct mcp_message *message, str text,
                      bool is_error)
{
    struct api_answer answer;
    mcp_result_begin(&answer, call, message);
    put_text_content(&answer.json, text);
    if (is_error) json_put_bool(&answer.json, "isError", true);
    mcp_result_send(&answer, message);
}

/* A value as text and, if it is an object, as it is. */
static void send_value(struct api_call *call, const struct mcp_message *message, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(MCP_TEXT_MAX);
    if (json_is(value, JSON_TEXT)) {
        send_text(call, message, json_str(value), false);
        return;
    }
    if (!json_print(value, JSON_COMPACT, &text)) {
        send_text(call, message, str_from("the answer is too large; get_run has it"), true);
        return;
    }
    struct api_answer answer;
    mcp_result_begin(&answer, call, message);
    put_text_content(&answer.json, buf_str(&text));
    if (json_is(value, JSON_OBJECT)) {
        json_put_raw(&answer.json, "structuredContent", buf_str(&text));
    }
    mcp_result_send(&answer, message);
}

/* A workflow whose output is {content: [{type, ...}]} speaks for itself: images, sound, files. */
static bool is_content(json output)
{
    json content = json_get_text(output, "content");
    if (!json_is(content, JSON_ARRAY) || json_count(content) == 0) return false;
    for (size_t i = 0; i < json_count(content); i++) {
        if (!json_is(json_get_text(json_at(content, i), "type"), JSON_TEXT)) return false;
    }
    return true;
}

static void send_content(struct api_call *call, const struct mcp_message *message, json output)
{
    CLEANUP(buf_done) struct buf text = buf_init(MCP_TEXT_MAX);
    if (!json_print(json_get_text(output, "content"), JSON_COMPACT, &text)) {
        send_text(call, message, str_from("the answer is too large; get_run has it"), true);
        return;
    }
    struct api_answer answer;
    mcp_result_begin(&answer, call, message);
    json_put_raw(&answer.json, "content", buf_str(&text));
    mcp_result_send(&answer, message);
}

static json parse_answer(str body)
{
    json value = json_invalid();
    (void)json_parse(body, &(struct json_limits){.values_max = UINT32_MAX}, &value, NULL, NULL);
    return value;
}

/* A problem document in one sentence; the model may mend what it has sent. */
static void send_problem(struct api_call *call, const struct mcp_message *message, json problem)
{
    CLEANUP(buf_done) struct buf text = buf_init(MCP_TEXT_MAX);
    json code                         = json_get_text(problem, "code");
    json detail                       = json_get_text(problem, "detail");
    if (json_is(code, JSON_TEXT)) (void)buf_put_str(&text, json_str(code));
    if (json_is(detail, JSON_TEXT)) {
        (void)buf_printf(&text, ": " STR_FMT, STR_ARG(json_str(detail)));
    }
    if (text.len == 0) (void)buf_put_text(&text, "it failed");
    send_text(call, message, buf_str(&text), true);
}

static void on_answered(struct api_call *call, int http_status, str body)
{
    const struct mcp_message *message = message_of(call);
    CLEANUP(json_unrefp) json value   = parse_answer(body);
    if (http_status >= 400) {
        send_problem(call, message, value);
    } else if (json_is(value, JSON_INVALID)) {
        send_text(call, message, str_from("done"), false);
    } else {
        send_value(call, message, value);
    }
}

/* What a function of an adapter has answered. */
static void on_called(struct api_call *call, int http_status, str body)
{
    const struct mcp_message *message = message_of(call);
    CLEANUP(json_unrefp) json value   = parse_answer(body);
    if (http_status >= 400) {
        send_problem(call, message, value);
    } else {
        send_value(call, message, json_get_text(value, "output"));
    }
}

/* The run, after its end or after as long as a call may wait. */
static void on_run(struct api_call *call, int http_status, str body)
{
    const struct mcp_message *message = message_of(call);
    CLEANUP(json_unrefp) json run     = parse_answer(body);
    CLEANUP(buf_done) struct buf text = buf_init(MCP_TEXT_MAX);
    json state                        = json_get_text(run, "status");
    json id                           = json_get_text(run, "id");
    json output                       = json_get_text(run, "output");
    if (http_status >= 400 || !json_is(state, JSON_TEXT) || !json_is(id, JSON_TEXT)) {
        send_problem(call, message, run);
    } else if (str_is(json_str(state), "completed") && is_content(output)) {
        send_content(call, message, output);
    } else if (str_is(json_str(state), "completed")) {
        send_value(call, message, json_is(output, JSON_INVALID) ? json_null() : output);
    } else if (!json_is(json_get_text(run, "error"), JSON_INVALID)) {
        (void)buf_printf(&text, "run " STR_FMT " " STR_FMT ": ", STR_ARG(json_str(id)),
                         STR_ARG(json_str(state)));
        (void)json_print(json_get_text(run, "error"), JSON_COMPACT, &text);
        send_text(call, message, buf_str(&text), true);
    } else {
        (void)buf_printf(
            &text, "run " STR_FMT " is " STR_FMT " and goes on; get_run with `wait` says more",
            STR_ARG(json_str(id)), STR_ARG(json_str(state)));
        send_text(call, message, buf_str(&text), false);
    }
}

/* Behind the prefix: names of workflows have `-` where those of tools have `_`. */
static bool print_start(str tool, size_t prefix, json arguments, struct buf *out)
{
    struct json_writer w              = json_writer_init(out);
    CLEANUP(buf_done) struct buf name = buf_init(MCP_NAME_MAX);
    for (size_t i = prefix; i < tool.len; i++) {
        (void)buf_put_byte(&name, tool.ptr[i] == '_' ? '-' : tool.ptr[i]);
    }
    json_begin_object(&w);
    json_put_text(&w, "workflow", buf_str(&name));
    json_member(&w, "input");
    if (json_is(arguments, JSON_OBJECT)) {
        json_write_value(&w, arguments);
    } else {
        json_begin_object(&w);
        json_end_object(&w);
    }
    json_end_object(&w);
    return !out->is_full && !name.is_full;
}

static void call_workflow(struct api_call *call, const struct mcp_message *message, str name,
                          json arguments)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    if (!print_start(name, strlen(call->api->mcp_prefix), arguments, &body)) {
        mcp_fail(call, message, MCP_INVALID_PARAMS, "the arguments are too large");
        return;
    }
    (void)mcp_keep(call, message);
    const struct api_inner inner = {.method = METHOD_POST,
                                    .path   = str_from("/v1/runs"),
                                    .query  = str_from("wait=55s"),
                                    .body   = buf_str(&body),
                                    .done   = on_run};
    api_ask_inner(call, &inner);
}

/* "adapter.action": the API's own operation asks the tool-adapter. */
static void call_function(struct api_call *call, const struct mcp_message *message, str name,
                          json arguments)
{
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    CLEANUP(buf_done) struct buf path = buf_init(PATH_LEN_MAX);
    struct json_writer w              = json_writer_init(&body);
    json_begin_object(&w);
    if (json_is(arguments, JSON_OBJECT)) {
        json_member(&w, "arguments");
        json_write_value(&w, arguments);
    }
    json_end_object(&w);
    (void)buf_printf(&path, "/v1/tools/" STR_FMT "/invoke", STR_ARG(name));
    if (body.is_full || path.is_full || memchr(name.ptr, '/', name.len)) {
        mcp_fail(call, message, MCP_INVALID_PARAMS, "the name or the arguments are too large");
        return;
    }
    (void)mcp_keep(call, message);
    const struct api_inner inner = {.method = METHOD_POST,
                                    .path   = buf_str(&path),
                                    .query  = str_from(""),
                                    .body   = buf_str(&body),
                                    .done   = on_called};
    api_ask_inner(call, &inner);
}

static void call_operation(struct api_call *call, const struct mcp_message *message,
                           const struct mcp_tool *tool, json arguments)
{
    struct api_inner inner = {};
    struct error error     = {};
    if (mcp_tool_request(tool, call, arguments, &inner, &error) != STATUS_OK) {
        send_text(call, message, str_from(error.text), true); /* so that the model can mend it */
        return;
    }
    (void)mcp_keep(call, message);
    inner.done = on_answered;
    api_ask_inner(call, &inner);
}

static bool is_workflow(const struct api *api, str name)
{
    str prefix = str_from(api->mcp_prefix);
    return name.len > prefix.len && str_starts_with(name, prefix);
}

void mcp_call_tool(struct api_call *call, const struct mcp_message *message)
{
    json name      = json_get_text(message->params, "name");
    json arguments = json_get_text(message->params, "arguments");
    bool is_object = json_is(arguments, JSON_OBJECT) || json_is(arguments, JSON_INVALID);
    if (!json_is(name, JSON_TEXT) || !is_object) {
        mcp_fail(call, message, MCP_INVALID_PARAMS,
                 "Invalid params: `name` is a text, `arguments` an object");
        return;
    }
    const struct mcp_tool *tool = mcp_tools_find(call->api->mcp_tools, json_str(name));
    if (tool) {
        call_operation(call, message, tool, arguments);
    } else if (memchr(json_str(name).ptr, '.', json_str(name).len)) {
        call_function(call, message, json_str(name), arguments);
    } else if (is_workflow(call->api, json_str(name))) {
        call_workflow(call, message, json_str(name), arguments);
    } else {
        mcp_fail(call, message, MCP_INVALID_PARAMS, "Unknown tool: %.*s",
                 (int)(json_str(name).len < MCP_NAME_MAX ? json_str(name).len : MCP_NAME_MAX),
                 json_str(name).ptr);
    }
}
