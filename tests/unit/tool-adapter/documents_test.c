/* documents.split through the engine's interface: its settings, its answer, what it refuses. */
#include "cmocka.h"

#include "base/attr.h"
#include "tool-adapter/documents/documents.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { TURN_MS = 1'000, TURNS_MAX = 120 };

struct fixture {
    struct loop *loop;
    struct work_pool *pool;
    struct module module;
    bool is_done;
    json response;
};

static int begin(void **state)
{
    struct fixture *it = calloc(1, sizeof *it);
    assert_int_equal(loop_new(NULL, &it->loop, NULL), STATUS_OK);
    assert_int_equal(work_pool_new(it->loop, 1, &it->pool, NULL), STATUS_OK);
    it->module = (struct module){.pool = it->pool, .functions = documents_functions};
    *state     = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    module_stop(&it->module);
    work_pool_freep(&it->pool);
    loop_free(it->loop);
    json_unref(it->response);
    free(it);
    return 0;
}

static void on_done(const struct engine_result *result, void *context)
{
    struct fixture *it = context;
    it->is_done        = true;
    it->response       = json_ref(result->response);
}

static status ask(struct fixture *it, const char *settings)
{
    CLEANUP(json_unrefp) json value       = json_invalid();
    struct engine_call *call              = NULL;
    struct error error                    = {};
    const struct engine_handlers handlers = {.done = on_done, .context = it};
    assert_int_equal(json_parse(str_from(settings), NULL, &value, NULL, &error), STATUS_OK);
    const struct engine_request request = {
        .function = "documents.split", .settings = value, .total_ms = 60'000};
    json_unref(it->response);
    it->response = json_invalid();
    it->is_done  = false;
    status code  = module_start(&it->module, &request, &handlers, &call, &error);
    if (code != STATUS_OK) return code;
    for (unsigned i = 0; !it->is_done && i < TURNS_MAX; i++) loop_turn(it->loop, TURN_MS);
    assert_true(it->is_done);
    return STATUS_OK;
}

/* The body of the answer as JSON; empty views beyond it. */
static void assert_body(struct fixture *it, const char *settings, const char *want)
{
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    assert_int_equal(ask(it, settings), STATUS_OK);
    assert_true(json_print(json_get_text(it->response, "body"), JSON_COMPACT, &text));
    assert_string_equal(text.ptr, want);
}

static void answers_chunks(void **state)
{
    struct fixture *it = *state;
    assert_body(
        it,
        "{\"text\":\"# Ü\\n\\näöü one.\\n\\ntwo two two "
        "two\",\"mime\":\"text/markdown\",\"size\":16,"
        "\"overlap\":0,\"id\":\"d\"}",
        "{\"chunks\":[{\"key\":\"d#0\",\"text\":\"# Ü\\n\\näöü one.\",\"start\":0,\"end\":13,"
        "\"headings\":[\"Ü\"],"
        "\"sha256\":\"c5dca12155b082837cd007bd8cb892eaa21f614887579c16c55dae875e6a2302\"},"
        "{\"key\":\"d#1\",\"text\":\"two two two "
        "two\",\"start\":15,\"end\":30,\"headings\":[\"Ü\"],"
        "\"sha256\":\"dc9a50f70185a877465b6e32499f168d57354e5564e86686446158f4d9edb974\"}]}");
}

static void takes_bytes_and_names_what_has_no_name(void **state)
{
    struct fixture *it = *state;
    assert_int_equal(
        ask(it, "{\"blob\":{\"base64\":\"PHA+YQ==\"},\"mime\":\"text/html; charset=utf-8\"}"),
        STATUS_OK);
    json chunk = json_at(json_get_text(json_get_text(it->response, "body"), "chunks"), 0);
    assert_true(str_is(json_str(json_get_text(chunk, "text")), "a"));
    assert_true(str_is(
        json_str(json_get_text(chunk, "key")),
        "e71530e478475c7fb8137fe05abfac99f310334a496d9294dedc93cbaf1d3000#0")); /* of the bytes */
    static const struct {
        const char *settings, *text;
    } types[] = {
        {"{\"blob\":{\"base64\":\"PHA+YQ==\",\"mime\":\"text/html; charset=utf-8\"}}", "a"},
        {"{\"blob\":{\"base64\":\"PHA+YQ==\",\"mime\":\"text/html\"},\"mime\":\"text/plain\"}",
         "<p>a"},
        {"{\"blob\":{\"base64\":\"PHA+YQ==\"}}", "<p>a"},
        {"{\"blob\":{\"base64\":\"PHA+YQ==\",\"mime\":\"application/octet-stream\"}}", "<p>a"},
        {"{\"blob\":{\"base64\":\"PHA+YQ==\",\"mime\":\"text/x-notes\"}}", "<p>a"},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        assert_int_equal(ask(it, types[i].settings), STATUS_OK);
        json one = json_at(json_get_text(json_get_text(it->response, "body"), "chunks"), 0);
        assert_string_equal(json_str(json_get_text(one, "text")).ptr, types[i].text);
    }
    assert_body(it, "{\"text\":\" \\n\"}", "{\"chunks\":[]}");
}

static void refuses(void **state)
{
    struct fixture *it               = *state;
    static const char *const wrong[] = {
        "{}",
        "{\"text\":\"a\",\"blob\":{\"base64\":\"YQ==\"}}",
        "{\"blob\":{\"$blob\":\"x\"}}",
        "{\"blob\":{\"base64\":\"!\"}}",
        "{\"text\":\"a\",\"mime\":\"application/pdf\"}",
        "{\"blob\":{\"base64\":\"YQ==\",\"mime\":\"application/pdf\"}}",
        "{\"text\":\"a\",\"size\":15}",
        "{\"text\":\"a\",\"size\":\"100\"}",
        "{\"text\":\"a\",\"size\":100,\"overlap\":51}",
        "{\"text\":\"a\",\"unit\":\"bytes\"}",
        "{\"text\":\"a\",\"by\":1}",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(ask(it, wrong[i]), STATUS_INVALID_ARGUMENT);
    }
    assert_int_equal(ask(it, "{\"blob\":{\"base64\":\"/w==\"}}"), STATUS_OK);
    int64_t http = 0;
    assert_true(json_to_int(json_get_text(it->response, "status"), &http));
    assert_int_equal(http, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_chunks, begin, end),
        cmocka_unit_test_setup_teardown(takes_bytes_and_names_what_has_no_name, begin, end),
        cmocka_unit_test_setup_teardown(refuses, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
