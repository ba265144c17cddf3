/* The tools that agents get: the file as it is compiled in, and requests made of arguments. */
#include "cmocka.h"

#include "gateway/mcp/tools.h"
#include "gateway/server.h"
#include "json/json_text.h"

#include <stdlib.h>

struct fixture {
    struct contract *contract;
    struct mcp_tools *tools;
    struct api_call call;
};

static int begin(void **state)
{
    struct error error      = {};
    struct fixture *it      = calloc(1, sizeof *it);
    const char **operations = server_operations();
    assert_non_null(it);
    assert_int_equal(contract_load(operations, &it->contract, &error), STATUS_OK);
    free(operations);
    if (mcp_tools_read(it->contract, &it->tools, &error) != STATUS_OK) fail_msg("%s", error.text);
    it->call.arena = arena_new(API_CALL_ARENA_MAX);
    *state         = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    arena_free(it->call.arena);
    mcp_tools_freep(&it->tools);
    contract_freep(&it->contract);
    free(it);
    return 0;
}

static const struct row {
    const char *tool, *arguments;
    const char *path, *query, *body; /* path NULL: refused, and `query` is in the text */
} rows[] = {
    {"list_workflows", "{}", "/v1/workflows", "", ""},
    {"list_workflows", "{\"page_size\":2,\"page_token\":\"a b&c\"}", "/v1/workflows",
     "page_size=2&page_token=a%20b%26c", ""},
    {"get_run", "{\"run\":\"01X\",\"explain\":true}", "/v1/runs/01X", "explain=true", ""},
    {"start_run", "{\"workflow\":\"a\",\"input\":{\"x\":[1]},\"wait\":\"5s\"}", "/v1/runs",
     "wait=5s", "{\"workflow\":\"a\",\"input\":{\"x\":[1]}}"},
    {"signal_run", "{\"run\":\"01X\",\"name\":\"go\",\"data\":7}", "/v1/runs/01X/signals/go", "",
     "7"},
    {"signal_run", "{\"run\":\"01X\",\"name\":\"go\"}", "/v1/runs/01X/signals/go", "", "null"},
    {"cancel_run", "{\"run\":\"01X\"}", "/v1/runs/01X/cancel", "", "{}"},
    {"get_run", "{}", NULL, "run", ""},
    {"get_run", "{\"run\":\"\"}", NULL, "/run: a name without slashes", ""},
    {"get_run", "{\"run\":\"../keys\"}", NULL, "/run: a name without slashes", ""},
    {"get_run", "{\"run\":1}", NULL, "/run", ""},
    {"get_run", "{\"run\":\"01X\",\"wiat\":\"1s\"}", NULL, "wiat", ""},
    {"list_runs", "{\"status\":\"lost\"}", NULL, "/status", ""},
};

static void test_arguments_become_requests(void **state)
{
    struct fixture *it = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row           = &rows[i];
        CLEANUP(json_unrefp) json given = json_invalid();
        struct api_inner inner          = {};
        struct error error              = {};
        const struct mcp_tool *tool     = mcp_tools_find(it->tools, str_from(row->tool));
        assert_non_null(tool);
        assert_int_equal(json_parse(str_from(row->arguments), NULL, &given, NULL, NULL), STATUS_OK);
        status code = mcp_tool_request(tool, &it->call, given, &inner, &error);
        if (!row->path) {
            assert_int_equal(code, STATUS_INVALID_ARGUMENT);
            if (!strstr(error.text, row->query)) fail_msg("%s", error.text);
            continue;
        }
        if (code != STATUS_OK) fail_msg("%s: %s", row->tool, error.text);
        assert_true(str_is(inner.path, row->path));
        assert_true(str_is(inner.query, row->query));
        assert_true(str_is(inner.body, row->body));
    }
}

static void test_descriptions_are_what_the_protocol_wants(void **state)
{
    struct fixture *it               = *state;
    CLEANUP(buf_done) struct buf out = buf_init(1 << 20);
    CLEANUP(json_unrefp) json list   = json_invalid();
    struct json_writer w             = json_writer_init(&out);
    json_begin_array(&w);
    mcp_tools_print(it->tools, "go_", &w);
    json_end_array(&w);
    assert_int_equal(json_parse(buf_str(&out), NULL, &list, NULL, NULL), STATUS_OK);
    assert_true(json_count(list) > 8);
    for (size_t i = 0; i < json_count(list); i++) {
        json tool   = json_at(list, i);
        json schema = json_get_text(tool, "inputSchema");
        assert_true(json_is(json_get_text(tool, "name"), JSON_TEXT));
        assert_true(json_str(json_get_text(tool, "description")).len > 10);
        assert_true(str_is(json_str(json_get_text(schema, "type")), "object"));
        assert_true(json_is(json_get_text(schema, "additionalProperties"), JSON_FALSE));
    }
    assert_non_null(strstr(out.ptr, "a tool of its own, go_NAME."));
    assert_null(strstr(out.ptr, "run_NAME"));
    assert_null(strstr(out.ptr, "{prefix}"));
    assert_null(mcp_tools_find(it->tools, str_from("nobody")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_become_requests),
        cmocka_unit_test(test_descriptions_are_what_the_protocol_wants),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
