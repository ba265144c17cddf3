/* Requests of MCP as they go out: bodies and headers of both eras, and marks in schemas of tools.
 */
#include "cmocka.h"

#include "base/attr.h"
#include "tool-adapter/peers/mcp_message.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 1 << 20, TEXT_MAX = 1 << 16 };

static json parse(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static struct mcp_outgoing outgoing_of(const char *method, json params, bool is_modern)
{
    return (struct mcp_outgoing){.method         = method,
                                 .id             = 3,
                                 .params         = params,
                                 .is_modern      = is_modern,
                                 .version        = is_modern ? MCP_MODERN : MCP_LEGACY,
                                 .session        = is_modern ? "" : "s1",
                                 .client_name    = str_from("me"),
                                 .client_version = str_from("1")};
}

static void versions_are_known(void **)
{
    bool is_modern = false;
    assert_true(mcp_version_is_known(str_from("2026-07-28"), &is_modern));
    assert_true(is_modern);
    assert_true(mcp_version_is_known(str_from("2025-06-18"), &is_modern));
    assert_false(is_modern);
    assert_false(mcp_version_is_known(str_from("2024-11-05"), &is_modern));
    assert_string_equal(mcp_list_of("resources/templates/list"), "resourceTemplates");
    assert_null(mcp_list_of("tools/call"));
}

static void bodies_are_made(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json params         = parse("{\"name\":\"t\",\"_meta\":{\"x\":1}}");
    struct mcp_outgoing outgoing             = outgoing_of("tools/call", params, false);
    str body                                 = {};
    assert_int_equal(mcp_body_make(&outgoing, arena, &body, NULL), STATUS_OK);
    assert_string_equal(
        body.ptr, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":"
                  "\"t\",\"_meta\":{\"x\":1,\"progressToken\":3},\"arguments\":{}}}");
    outgoing = outgoing_of("tools/list", json_invalid(), false);
    assert_int_equal(mcp_body_make(&outgoing, arena, &body, NULL), STATUS_OK);
    assert_string_equal(body.ptr, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/list\"}");
    outgoing = outgoing_of("tools/list", json_invalid(), true);
    assert_int_equal(mcp_body_make(&outgoing, arena, &body, NULL), STATUS_OK);
    assert_non_null(strstr(body.ptr, "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\""));
    assert_non_null(strstr(body.ptr, "\"io.modelcontextprotocol/clientCapabilities\":{}"));
    outgoing.asks = true;
    assert_int_equal(mcp_body_make(&outgoing, arena, &body, NULL), STATUS_OK);
    assert_non_null(strstr(body.ptr,
                           "\"io.modelcontextprotocol/"
                           "clientCapabilities\":{\"elicitation\":{\"form\":{},\"url\":{}}}"));
    outgoing    = outgoing_of("notifications/initialized", json_invalid(), false);
    outgoing.id = 0;
    assert_int_equal(mcp_body_make(&outgoing, arena, &body, NULL), STATUS_OK);
    assert_string_equal(body.ptr, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
}

static void what_was_said_before_is_not_said_again(void **)
{
    CLEANUP(json_unrefp) json responses = parse("{\"a\":{\"action\":\"accept\"}}");
    CLEANUP(json_unrefp) json state     = parse("\" s \"");
    CLEANUP(json_unrefp) json first     = parse("{\"name\":\"t\"}");
    CLEANUP(buf_done) struct buf text   = buf_init(TEXT_MAX);
    CLEANUP(json_unrefp) json again     = mcp_params_again(json_ref(first), responses, state);
    again                               = mcp_params_again(again, responses, json_invalid());
    assert_true(json_print(again, JSON_COMPACT, &text) && buf_put_byte(&text, '\0'));
    assert_string_equal(text.ptr,
                        "{\"name\":\"t\",\"inputResponses\":{\"a\":{\"action\":\"accept\"}}}");
    again = mcp_params_again(again, json_invalid(), state);
    assert_int_equal(json_count(again), 2);
    assert_true(json_equal(json_get_text(again, "requestState"), state));
    assert_int_equal(json_count(first), 1);
}

/* "name: value" of each, one a line. */
static void put_headers(const struct mcp_outgoing *outgoing, struct buf *out)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct http_header *headers              = NULL;
    size_t count                             = 0;
    assert_int_equal(mcp_headers_make(outgoing, arena, &headers, &count, NULL), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        (void)buf_printf(out, STR_FMT ": " STR_FMT "\n", STR_ARG(headers[i].name),
                         STR_ARG(headers[i].value));
    }
    (void)buf_put_byte(out, '\0');
}

static void headers_are_made(void **)
{
    CLEANUP(buf_done) struct buf old  = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf new  = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf rest = buf_init(TEXT_MAX);
    CLEANUP(json_unrefp)
    json params =
        parse("{\"name\":\"gr\\u00fcn\",\"arguments\":{\"r\":\" x\",\"n\":{\"d\":7},\"o\":1}}");
    CLEANUP(json_unrefp)
    json schema =
        parse("{\"properties\":{\"r\":{\"x-mcp-header\":\"Region\"},\"n\":{\"properties\":{\"d\":{"
              "\"x-mcp-header\":\"Depth\"}}},\"z\":{\"x-mcp-header\":\"Z\"}}}");
    CLEANUP(json_unrefp) json given = parse("{\"X-Own\":5}");
    struct mcp_outgoing outgoing    = outgoing_of("tools/call", params, false);
    outgoing.headers                = given;
    put_headers(&outgoing, &old);
    assert_string_equal(
        old.ptr,
        "X-Own: 5\nAccept: application/json, text/event-stream\nContent-Type: application/json\n"
        "MCP-Protocol-Version: 2025-11-25\nMcp-Session-Id: s1\n");
    outgoing        = outgoing_of("tools/call", params, true);
    outgoing.schema = schema;
    put_headers(&outgoing, &new);
    assert_string_equal(new.ptr, "Accept: application/json, text/event-stream\nContent-Type: "
                                 "application/json\nMCP-Protocol-Version: "
                                 "2026-07-28\nMcp-Method: tools/call\nMcp-Name: "
                                 "=?base64?Z3LDvG4=?=\nMcp-Param-Region: =?base64?IHg=?=\n"
                                 "Mcp-Param-Depth: 7\n");
    outgoing         = outgoing_of("tools/call", params, false);
    outgoing.last_id = "e5";
    put_headers(&outgoing, &rest);
    assert_string_equal(rest.ptr, "Accept: text/event-stream\nMCP-Protocol-Version: "
                                  "2025-11-25\nMcp-Session-Id: s1\nLast-Event-ID: e5\n");
}

static void given_headers_are_checked(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json given          = parse("[1]");
    struct mcp_outgoing outgoing             = outgoing_of("tools/list", json_invalid(), false);
    struct http_header *headers              = NULL;
    size_t count                             = 0;
    outgoing.headers                         = given;
    assert_int_equal(mcp_headers_make(&outgoing, arena, &headers, &count, NULL),
                     STATUS_INVALID_ARGUMENT);
}

static void tools_are_callable(void **)
{
    /* clang-format off */
    static const struct { const char *tool; bool is_callable; } cases[] = {
        {"{}", true},
        {"{\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}}", true},
        {"{\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\"}}}}", false},
        {"{\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a b\"}}}}", false},
        {"{\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":7}}}}", false},
        {"{\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"object\",\"x-mcp-header\":\"A\"}}}}", false},
        {"{\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},\"b\":{\"type\":\"string\",\"x-mcp-header\":\"a\"}}}}", false},
        {"{\"inputSchema\":{\"properties\":{\"a\":{\"properties\":{\"b\":{\"type\":\"array\",\"x-mcp-header\":\"B\"}}}}}}", false},
    };
    /* clang-format on */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(json_unrefp) json tool = parse(cases[i].tool);
        assert_int_equal(mcp_tool_is_callable(tool), cases[i].is_callable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_known),
        cmocka_unit_test(bodies_are_made),
        cmocka_unit_test(what_was_said_before_is_not_said_again),
        cmocka_unit_test(headers_are_made),
        cmocka_unit_test(given_headers_are_checked),
        cmocka_unit_test(tools_are_callable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
