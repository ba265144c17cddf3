/*
 * tutti as a server of the Model Context Protocol: POST /mcp.
 *
 * Tools are the operations of tools.yaml and the workflows of the caller's namespace: run_NAME (or
 * with another prefix), with `-` as `_`, and functions of adapters whose connection can be used. A
 * workflow's tool starts a run and waits for its end; one that takes longer goes on, and the answer
 * says how to look after it. There are no sessions and no streams: every answer is one JSON
 * document.
 */
#include "base/assert.h"
#include "gateway/handlers/handlers.h"
#include "gateway/mcp/methods.h"
#include "http/url.h"
#include "json/json_text.h"

/* --- who may ask --------------------------------------------------------------------------------
 */

/* A page of somebody else's that a browser shows here must not act with what this machine can
 * reach: only origins on this machine may (DNS rebinding). Programs send no Origin. */
static bool is_foreign(const struct api_call *call)
{
    str origin       = httpd_request_field(call->request, "origin");
    struct url parts = {};
    if (origin.len == 0) return false;
    if (!url_parse(origin, &parts)) return true;
    return !str_is(parts.host, "localhost") && !str_is(parts.host, "127.0.0.1") &&
           !str_is(parts.host, "[::1]") && !str_is(parts.host, "::1");
}

/* --- introductions ------------------------------------------------------------------------------
 */

static void put_capabilities(struct json_writer *w)
{
    json_member(w, "capabilities");
    json_begin_object(w);
    json_member(w, "tools");
    json_begin_object(w);
    json_end_object(w);
    json_end_object(w);
    json_put_text(w, "instructions",
                  str_from("Workflows are tools. A run that outlasts its call goes on: "
                           "ask get_run with `wait`."));
}

static void initialize(struct api_call *call, const struct mcp_message *message)
{
    json asked      = json_get_text(message->params, "protocolVersion");
    const char *use = MCP_NEWEST_LEGACY;
    for (const char *const *one = mcp_versions + 1; *one; one++) {
        if (json_is(asked, JSON_TEXT) && str_is(json_str(asked), *one)) use = *one;
    }
    struct api_answer answer;
    mcp_result_begin(&answer, call, message);
    json_put_text(&answer.json, "protocolVersion", str_from(use));
    put_capabilities(&answer.json);
    json_member(&answer.json, "serverInfo");
    json_begin_object(&answer.json);
    json_put_text(&answer.json, "name", str_from("tutti"));
    json_put_text(&answer.json, "version", str_from(call->api->version));
    json_end_object(&answer.json);
    mcp_result_send(&answer, message);
}

static void discover(struct api_call *call, const struct mcp_message *message)
{
    struct api_answer answer;
    mcp_result_begin(&answer, call, message);
    json_member(&answer.json, "supportedVersions");
    json_begin_array(&answer.json);
    json_write_text(&answer.json, str_from(MCP_NEWEST));
    json_end_array(&answer.json);
    put_capabilities(&answer.json);
    mcp_put_private(&answer, message, MCP_LIST_TTL_MS);
    mcp_result_send(&answer, message);
}

static void ping(struct api_call *call, const struct mcp_message *message)
{
    struct api_answer answer;
    mcp_result_begin(&answer, call, message);
    mcp_result_send(&answer, message);
}

/* --- the door -----------------------------------------------------------------------------------
 */

struct mcp_call *mcp_keep(struct api_call *call, const struct mcp_message *message)
{
    struct mcp_call *kept = arena_alloc(call->arena, sizeof *kept);
    ASSERT(kept);
    *kept                = (struct mcp_call){.message = *message};
    kept->message.params = json_invalid();
    call->state          = kept;
    return kept;
}

/* The two eras have only tools in common. */
static const struct method_row {
    const char *name;
    bool is_legacy, is_modern;
    void (*handle)(struct api_call *call, const struct mcp_message *message);
} rows[] = {
    {"initialize", true, false, initialize},    {"ping", true, false, ping},
    {"server/discover", false, true, discover}, {"tools/list", true, true, mcp_list_tools},
    {"tools/call", true, true, mcp_call_tool},
};

static void handle(struct api_call *call, const struct mcp_message *message)
{
    if (message->is_silent) {
        api_respond(call, 202, NULL, (str){}, NULL, 0);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!str_is(str_from(message->method), rows[i].name)) continue;
        if (message->is_modern ? !rows[i].is_modern : !rows[i].is_legacy) break;
        rows[i].handle(call, message);
        return;
    }
    mcp_fail(call, message, MCP_METHOD_NOT_FOUND, "Method not found: %.100s", message->method);
}

void mcp_post(struct api_call *call)
{
    CLEANUP(json_unrefp) json body  = json_invalid();
    const struct mcp_message unread = {.id = "null"};
    struct mcp_message message      = {};
    struct error error              = {};
    const struct json_limits limits = {.depth_max = MCP_DEPTH_MAX, .values_max = MCP_VALUES_MAX};
    if (is_foreign(call)) {
        api_fail_with(call, "forbidden", (str){}, "pages of other origins may not call this");
        return;
    }
    if (json_parse(buf_str(&call->request->body), &limits, &body, NULL, &error) != STATUS_OK) {
        mcp_fail(call, &unread, MCP_PARSE_ERROR, "Parse error: %s", error.text);
        return;
    }
    if (mcp_message_read(call, body, &message)) handle(call, &message);
}
