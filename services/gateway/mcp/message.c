#include "gateway/mcp/message.h"

#include "base/assert.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>

#define META_VERSION      "io.modelcontextprotocol/protocolVersion"
#define META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define META_SERVER       "io.modelcontextprotocol/serverInfo"

const char *const mcp_versions[] = {MCP_NEWEST, MCP_NEWEST_LEGACY, "2025-06-18", "2025-03-26",
                                    NULL};

static bool is_known(str version)
{
    for (const char *const *one = mcp_versions; *one; one++) {
        if (str_is(version, *one)) return true;
    }
    return false;
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void begin(struct api_answer *answer, struct api_call *call,
                  const struct mcp_message *message)
{
    api_answer_begin(answer, call);
    json_begin_object(&answer->json);
    json_put_text(&answer->json, "jsonrpc", str_from("2.0"));
    json_put_raw(&answer->json, "id", str_from(message->id));
}

static void put_server(struct api_answer *answer)
{
    json_member(&answer->json, "_meta");
    json_begin_object(&answer->json);
    json_member(&answer->json, META_SERVER);
    json_begin_object(&answer->json);
    json_put_text(&answer->json, "name", str_from("tutti"));
    json_put_text(&answer->json, "version", str_from(answer->call->api->version));
    json_end_object(&answer->json);
    json_end_object(&answer->json);
}

void mcp_result_begin(struct api_answer *answer, struct api_call *call,
                      const struct mcp_message *message)
{
    begin(answer, call, message);
    json_member(&answer->json, "result");
    json_begin_object(&answer->json);
    if (!message->is_modern) return;
    json_put_text(&answer->json, "resultType", str_from("complete"));
    put_server(answer);
}

void mcp_put_private(struct api_answer *answer, const struct mcp_message *message, int64_t ttl_ms)
{
    if (!message->is_modern) return;
    json_put_int(&answer->json, "ttlMs", ttl_ms);
    json_put_text(&answer->json, "cacheScope", str_from("private"));
}

void mcp_result_send(struct api_answer *answer, const struct mcp_message *)
{
    json_end_object(&answer->json);
    json_end_object(&answer->json);
    api_answer_send(answer, 200, NULL);
}

static int http_of(const struct mcp_message *message, enum mcp_error code)
{
    if (code == MCP_PARSE_ERROR || code == MCP_INVALID_REQUEST) return 400;
    if (!message->is_modern) return 200;
    if (code == MCP_METHOD_NOT_FOUND) return 404;
    return code == MCP_INTERNAL_ERROR ? 500 : 400;
}

static void begin_error(struct api_answer *answer, struct api_call *call,
                        const struct mcp_message *message, enum mcp_error code, const char *text)
{
    begin(answer, call, message);
    json_member(&answer->json, "error");
    json_begin_object(&answer->json);
    json_put_int(&answer->json, "code", code);
    json_put_text(&answer->json, "message", str_from(text));
}

static void send_error(struct api_answer *answer, const struct mcp_message *message,
                       enum mcp_error code)
{
    json_end_object(&answer->json);
    json_end_object(&answer->json);
    api_answer_send(answer, http_of(message, code), NULL);
}

void mcp_fail(struct api_call *call, const struct mcp_message *message, enum mcp_error code,
              const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    struct api_answer answer;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    begin_error(&answer, call, message, code, text);
    send_error(&answer, message, code);
}

static void fail_version(struct api_call *call, const struct mcp_message *message, str requested)
{
    struct api_answer answer;
    begin_error(&answer, call, message, MCP_UNSUPPORTED_VERSION, "Unsupported protocol version");
    json_member(&answer.json, "data");
    json_begin_object(&answer.json);
    json_member(&answer.json, "supported");
    json_begin_array(&answer.json);
    json_write_text(&answer.json, str_from(MCP_NEWEST));
    json_end_array(&answer.json);
    json_put_text(&answer.json, "requested", requested);
    json_end_object(&answer.json);
    send_error(&answer, message, MCP_UNSUPPORTED_VERSION);
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* A text, a number, or nothing; what else stands there is no id. */
static bool read_id(struct api_call *call, json id, struct mcp_message *message)
{
    CLEANUP(buf_done) struct buf text = buf_init(MCP_ID_MAX);
    message->id                       = "null";
    if (json_is(id, JSON_INVALID)) return true;
    bool is_id = json_is(id, JSON_TEXT) || json_is(id, JSON_INT);
    if (!is_id || !json_print(id, JSON_COMPACT, &text)) return false;
    message->id = api_text(call, buf_str(&text));
    return true;
}

/* The value that a header has to repeat; empty: none. */
static str named(const struct mcp_message *message)
{
    bool is_call = str_is(str_from(message->method), "tools/call") ||
                   str_is(str_from(message->method), "prompts/get");
    bool is_read = str_is(str_from(message->method), "resources/read");
    json name    = json_get_text(message->params, is_read ? "uri" : "name");
    return (is_call || is_read) && json_is(name, JSON_TEXT) ? json_str(name) : (str){};
}

/* The headers of a modern message say what its body says. */
static bool check_headers(struct api_call *call, const struct mcp_message *message, str version)
{
    str name                            = named(message);
    const struct httpd_request *request = call->request;
    const struct {
        const char *header;
        str wanted;
    } rows[] = {{"mcp-protocol-version", version},
                {"mcp-method", str_from(message->method)},
                {"mcp-name", name}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (i > 0 && rows[i].wanted.len == 0) continue;
        if (str_equal(httpd_request_field(request, rows[i].header), rows[i].wanted)) continue;
        mcp_fail(call, message, MCP_HEADER_MISMATCH,
                 "Header mismatch: the header %s is not what the body says", rows[i].header);
        return false;
    }
    return true;
}

static bool check_modern(struct api_call *call, const struct mcp_message *message)
{
    json meta    = json_get_text(message->params, "_meta");
    json version = json_get_text(meta, META_VERSION);
    if (!json_is(version, JSON_TEXT) ||
        !json_is(json_get_text(meta, META_CAPABILITIES), JSON_OBJECT)) {
        mcp_fail(call, message, MCP_INVALID_PARAMS, "Invalid params: _meta needs %s and %s",
                 META_VERSION, META_CAPABILITIES);
        return false;
    }
    if (!check_headers(call, message, json_str(version))) return false;
    if (str_is(json_str(version), MCP_NEWEST)) return true;
    fail_version(call, message, json_str(version));
    return false;
}

/* What says that it is of the older era: a header with one of its revisions, or nothing at all. */
static bool is_modern(struct api_call *call, const struct mcp_message *message)
{
    str header  = httpd_request_field(call->request, "mcp-protocol-version");
    json meta   = json_get_text(message->params, "_meta");
    bool claims = !json_is(json_get_text(meta, META_VERSION), JSON_INVALID);
    if (header.len == 0) return claims;
    return str_is(header, MCP_NEWEST) || !is_known(header);
}

bool mcp_message_read(struct api_call *call, json body, struct mcp_message *ret_message)
{
    json method  = json_get_text(body, "method");
    json id      = json_get_text(body, "id");
    json version = json_get_text(body, "jsonrpc");
    *ret_message = (struct mcp_message){.id = "null", .params = json_get_text(body, "params")};
    bool is_rpc  = json_is(version, JSON_TEXT) && str_is(json_str(version), "2.0");
    if (!is_rpc || !read_id(call, id, ret_message)) {
        mcp_fail(call, ret_message, MCP_INVALID_REQUEST,
                 "Invalid request: one JSON-RPC 2.0 message, its id a text or a whole number");
        return false;
    }
    ret_message->is_silent = json_is(id, JSON_INVALID) || json_is(method, JSON_INVALID);
    if (!json_is(method, JSON_TEXT) && !json_is(method, JSON_INVALID)) {
        mcp_fail(call, ret_message, MCP_INVALID_REQUEST, "Invalid request: `method` is a text");
        return false;
    }
    bool has_params = json_is(ret_message->params, JSON_OBJECT);
    if (!has_params && !json_is(ret_message->params, JSON_INVALID)) {
        mcp_fail(call, ret_message, MCP_INVALID_PARAMS, "Invalid params: `params` is an object");
        return false;
    }
    ret_message->method    = json_is(method, JSON_TEXT) ? api_text(call, json_str(method)) : "";
    ret_message->is_modern = is_modern(call, ret_message);
    if (ret_message->is_silent || !ret_message->is_modern) return true;
    return check_modern(call, ret_message);
}
