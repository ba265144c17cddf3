/* Answers of JSON-RPC: documents, streams cut anywhere, what is none, and every limit. */
#include "cmocka.h"

#include "base/attr.h"
#include "base/mem.h"
#include "tool-adapter/peers/rpc_reply.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum { ID = 7, MESSAGE_MAX = 4'096 };

#define DONE "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":1}}"
#define NEWS "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}"

struct row {
    const char *name, *type, *text;
    status code;       /* of feeding and of the end */
    const char *said;  /* the result, or "!code message"; NULL: no answer */
    unsigned messages; /* that are no answer */
};

/* clang-format off */
static const struct row rows[] = {
    {"a document",           "application/json", DONE, STATUS_OK, "{\"a\":1}", 0},
    {"with a charset",       "Application/JSON; charset=utf-8", DONE, STATUS_OK, "{\"a\":1}", 0},
    {"a batch",              "application/json", "[" NEWS "," DONE "]", STATUS_OK, "{\"a\":1}", 1},
    {"an error",             "application/json", "{\"id\":7,\"error\":{\"code\":-32602,\"message\":\"no\"}}", STATUS_OK, "!-32602 no", 0},
    {"an error of nobody",   "application/json", "{\"id\":null,\"error\":{\"code\":-32700,\"message\":\"what?\"}}", STATUS_OK, "!-32700 what?", 0},
    {"an error of no words", "application/json", "{\"id\":7,\"error\":{}}", STATUS_OK, "!0 ", 0},
    {"of another request",   "application/json", "{\"id\":8,\"result\":{}}", STATUS_OK, NULL, 0},
    {"the id as a text",     "application/json", "{\"id\":\"7\",\"result\":{}}", STATUS_OK, NULL, 0},
    {"no result",            "application/json", "{\"id\":7}", STATUS_OK, NULL, 0},
    {"no JSON",              "application/json", "{\"id\":7,", STATUS_DATA_LOSS, NULL, 0},
    {"nothing",              "application/json", "", STATUS_OK, NULL, 0},
    {"a text",               "application/json", "\"hello\"", STATUS_OK, NULL, 0},
    {"a page",               "text/html", DONE, STATUS_OK, NULL, 0},
    {"no type",              "", DONE, STATUS_OK, NULL, 0},
    {"a stream",             "text/event-stream", "data: " NEWS "\n\nevent: message\ndata: " DONE "\n\n", STATUS_OK, "{\"a\":1}", 1},
    {"behind the answer",    "text/event-stream", "data: " DONE "\n\ndata: " NEWS "\n\n", STATUS_OK, "{\"a\":1}", 0},
    {"an empty event",       "text/event-stream", "id: 1\ndata: \n\ndata: " DONE "\n\n", STATUS_OK, "{\"a\":1}", 0},
    {"a stream that is cut", "text/event-stream", "data: " NEWS "\n\ndata: {\"id\"", STATUS_OK, NULL, 1},
    {"an event of no JSON",  "text/event-stream", "data: hello\n\n", STATUS_DATA_LOSS, NULL, 0},
    {"a deep document",      "application/json", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", STATUS_RESOURCE_EXHAUSTED, NULL, 0},
};
/* clang-format on */

static void count(json message, void *context)
{
    assert_true(json_is(json_get_text(message, "method"), JSON_TEXT));
    (*(unsigned *)context)++;
}

static status feed(struct rpc_reply *reply, const char *type, str text, size_t piece)
{
    rpc_reply_begin(reply, str_from(type));
    for (size_t at = 0; at < text.len; at += piece) {
        size_t end  = at + piece < text.len ? at + piece : text.len;
        status code = rpc_reply_feed(reply, str_slice(text, at, end), NULL);
        if (code != STATUS_OK) return code;
    }
    return rpc_reply_end(reply, NULL);
}

static void is_read(void **state)
{
    const struct row *row        = *state;
    static const size_t pieces[] = {1, 3, 1'000};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        unsigned messages                 = 0;
        CLEANUP(buf_done) struct buf said = buf_init(MESSAGE_MAX);
        CLEANUP(rpc_reply_done) struct rpc_reply reply;
        rpc_reply_init(&reply, ID, MESSAGE_MAX, count, &messages);
        assert_int_equal(feed(&reply, row->type, str_from(row->text), pieces[i]), row->code);
        assert_int_equal(reply.is_answered, row->said != NULL);
        assert_int_equal(messages, row->messages);
        if (!row->said) continue;
        if (json_is(reply.error, JSON_OBJECT)) {
            (void)buf_put_byte(&said, '!');
            rpc_error_put(reply.error, &said);
        } else {
            (void)json_print(reply.result, JSON_COMPACT, &said);
        }
        assert_true(str_is(buf_str(&said), row->said));
    }
}

/* So much is taken out that there is room for what comes behind it: no half of an address. */
static void no_half_of_an_address_is_said(void **)
{
    static const char address[] = "somebody.with.a.name@mail.company.example";
    for (size_t lead = 0; lead < sizeof address + 1; lead++) {
        CLEANUP(buf_done) struct buf text = buf_init(MESSAGE_MAX);
        CLEANUP(buf_done) struct buf said = buf_init(MESSAGE_MAX);
        CLEANUP(json_unrefp) json error   = json_object_new(1);
        for (size_t i = 0; i < lead; i++) (void)buf_put_byte(&text, '.');
        for (size_t i = 0; i < 60; i++) (void)buf_printf(&text, " %s", address);
        json_object_put_text(&error, "message", json_text_new(buf_str(&text)));
        rpc_error_put(error, &said);
        (void)buf_put_byte(&said, '\0');
        assert_non_null(strstr(said.ptr, "[EMAIL]"));
        assert_null(strstr(said.ptr, "somebody"));
        assert_null(strstr(said.ptr, " s"));
    }
}

/* --- limits ----------------------------------------------------------------------------------- */

static void is_limited(void **)
{
    static const char *const types[] = {"application/json", "text/event-stream", "text/html"};
    char *text                       = mem_new(1, RPC_STREAM_MAX + 2);
    memset(text, 'x', RPC_STREAM_MAX + 1);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        CLEANUP(rpc_reply_done) struct rpc_reply reply;
        rpc_reply_init(&reply, ID, MESSAGE_MAX, NULL, NULL);
        rpc_reply_begin(&reply, str_from(types[i]));
        size_t room = i < 2 ? MESSAGE_MAX : RPC_STREAM_MAX;
        assert_int_equal(rpc_reply_feed(&reply, (str){.ptr = text, .len = room}, NULL), STATUS_OK);
        assert_int_equal(rpc_reply_feed(&reply, (str){.ptr = text, .len = 1}, NULL),
                         STATUS_RESOURCE_EXHAUSTED);
    }
    free(text);
}

static void has_only_so_many_messages(void **)
{
    static const char event[] = "data: " NEWS "\n\n";
    CLEANUP(rpc_reply_done) struct rpc_reply reply;
    rpc_reply_init(&reply, ID, MESSAGE_MAX, NULL, NULL);
    rpc_reply_begin(&reply, str_from("text/event-stream"));
    for (unsigned i = 0; i < RPC_MESSAGES_MAX; i++) {
        assert_int_equal(rpc_reply_feed(&reply, str_from(event), NULL), STATUS_OK);
    }
    assert_int_equal(rpc_reply_feed(&reply, str_from(event), NULL), STATUS_RESOURCE_EXHAUSTED);
}

/* --- streams ---------------------------------------------------------------------------------- */

static void remembers_where_it_was(void **)
{
    CLEANUP(rpc_reply_done) struct rpc_reply reply;
    rpc_reply_init(&reply, ID, MESSAGE_MAX, NULL, NULL);
    assert_int_equal(rpc_reply_last_id(&reply).len, 0);
    rpc_reply_begin(&reply, str_from("text/event-stream"));
    assert_int_equal(rpc_reply_feed(&reply, str_from("retry: 5\nid: here\ndata:\n\n"), NULL),
                     STATUS_OK);
    assert_true(str_is(rpc_reply_last_id(&reply), "here"));
    assert_int_equal(reply.sse.retry_ms, 5);
    rpc_reply_begin(&reply, str_from("text/event-stream"));
    assert_true(str_is(rpc_reply_last_id(&reply), "here"));
    assert_int_equal(rpc_reply_feed(&reply, str_from("data: " DONE "\n\n"), NULL), STATUS_OK);
    assert_true(reply.is_answered);
}

static void takes_all_answers(void **)
{
    static const char both[] = "data: " DONE "\n\ndata: {\"id\":7,\"error\":{\"code\":1}}\n\n";
    CLEANUP(rpc_reply_done) struct rpc_reply reply;
    rpc_reply_init(&reply, ID, MESSAGE_MAX, NULL, NULL);
    reply.takes_all = true;
    rpc_reply_begin(&reply, str_from("text/event-stream"));
    assert_int_equal(rpc_reply_feed(&reply, str_from(both), NULL), STATUS_OK);
    assert_int_equal(rpc_error_code(reply.error), 1); /* the last one says how it ended */
    assert_true(json_is(reply.result, JSON_INVALID));
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(is_limited),
        cmocka_unit_test(no_half_of_an_address_is_said),
        cmocka_unit_test(has_only_so_many_messages),
        cmocka_unit_test(remembers_where_it_was),
        cmocka_unit_test(takes_all_answers),
    };
    struct CMUnitTest tests[ARRAY_LEN(rows)] = {};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = (struct CMUnitTest){.name          = rows[i].name,
                                       .test_func     = is_read,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    int failed = cmocka_run_group_tests_name("answers", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("the rest", others, NULL, NULL);
}
