/* Descriptions of APIs: fetched once, kept, shared; what is none, and what cannot be had. */
#include "cmocka.h"

#include "http/url.h"
#include "support/http/outside.h"
#include "tool-adapter/http/api_documents.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { TURNS_MAX = 20'000, TURN_MS = 1 };

struct fixture {
    struct outside outside;
    struct api_documents *documents;
    json endpoint;

    unsigned told;
    status code;
    char title[64];
    char words[ERROR_TEXT_MAX];
};

static int begin(void **state)
{
    struct fixture *it = calloc(1, sizeof *it);
    outside_begin(&it->outside, NULL);
    it->documents = api_documents_new(it->outside.http, it->outside.tokens);
    *state        = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    api_documents_freep(&it->documents);
    outside_end(&it->outside);
    json_unref(it->endpoint);
    free(it);
    return 0;
}

static void on_document(status code, json description, str url, size_t, const struct error *error,
                        void *context)
{
    struct fixture *it = context;
    json title         = json_get_text(description, "title");
    it->told++;
    it->code = code;
    (void)snprintf(it->title, sizeof it->title, STR_FMT,
                   STR_ARG(json_is(title, JSON_TEXT) ? json_str(title) : (str){.ptr = ""}));
    (void)snprintf(it->words, sizeof it->words, "%s", code == STATUS_OK ? "" : error->text);
    if (code == STATUS_OK) assert_true(str_starts_with(url, str_from("http://127.0.0.1:")));
}

static void await_told(struct fixture *it, unsigned count)
{
    for (int turns = 0; it->told < count; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(it->outside.loop, TURN_MS);
    }
    assert_int_equal(it->told, count);
}

/* A path of the server, "/say?" with what follows encoded. */
static json endpoint_at(struct fixture *it, const char *path, const char *said)
{
    CLEANUP(buf_done) struct buf url = buf_init(4 << 10);
    (void)buf_printf(&url, "http://127.0.0.1:%u%s", hostile_port(it->outside.server), path);
    (void)url_encode(&url, str_from(said));
    json_unref(it->endpoint);
    it->endpoint = json_object_new(1);
    json_object_put_text(&it->endpoint, "uri", json_text_new(buf_str(&url)));
    return it->endpoint;
}

static void ask(struct fixture *it, const char *path, const char *said)
{
    unsigned told = it->told;
    (void)api_documents_ask(it->documents, endpoint_at(it, path, said), on_document, it);
    await_told(it, told + 1);
}

static void is_read_and_kept(void **state)
{
    struct fixture *it = *state;
    ask(it, "/say?", "{\"title\":\"one\"}");
    assert_int_equal(it->code, STATUS_OK);
    assert_string_equal(it->title, "one");
    ask(it, "/say?", "title: two # YAML\n");
    assert_string_equal(it->title, "two");
    unsigned requests = hostile_requests(it->outside.server);
    ask(it, "/say?", "{\"title\":\"one\"}");
    assert_string_equal(it->title, "one");
    assert_int_equal(hostile_requests(it->outside.server), requests);
}

static void is_fetched_once(void **state)
{
    struct fixture *it = *state;
    json endpoint      = endpoint_at(it, "/say?", "{\"title\":\"three\"}");
    assert_non_null(api_documents_ask(it->documents, endpoint, on_document, it));
    struct api_document_wait *wait = api_documents_ask(it->documents, endpoint, on_document, it);
    assert_non_null(wait);
    assert_non_null(api_documents_ask(it->documents, endpoint, on_document, it));
    api_documents_cancel(wait);
    await_told(it, 2);
    assert_int_equal(hostile_requests(it->outside.server), 1);
    assert_string_equal(it->title, "three");
}

static void there_is_room(void **state)
{
    struct fixture *it = *state;
    char text[64];
    for (unsigned i = 0; i < API_DOCUMENTS_MAX + 2; i++) {
        (void)snprintf(text, sizeof text, "{\"title\":\"%u\"}", i);
        ask(it, "/say?", text);
        assert_string_equal(it->words, "");
    }
}

static void cannot_be_had(void **state)
{
    struct fixture *it = *state;
    const struct {
        const char *path, *said;
        status code;
    } rows[] = {
        {"/say?", "{\"a\":", STATUS_INVALID_ARGUMENT},
        {"/say?", "a: b: c", STATUS_INVALID_ARGUMENT},
        {"/status/404", "", STATUS_NOT_FOUND},
        {"/status/401", "", STATUS_UNAUTHENTICATED},
        {"/status/403", "", STATUS_PERMISSION_DENIED},
        {"/status/503", "", STATUS_UNAVAILABLE},
        {"/status/400", "", STATUS_INVALID_ARGUMENT},
        {"/cut", "", STATUS_UNAVAILABLE},
        {"/huge", "", STATUS_RESOURCE_EXHAUSTED},
        {"/bomb", "", STATUS_RESOURCE_EXHAUSTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask(it, rows[i].path, rows[i].said);
        assert_int_equal(it->code, rows[i].code);
        assert_true(it->words[0] != '\0');
    }
    ask(it, "/status/503", "");
    assert_int_equal(it->code, STATUS_UNAVAILABLE); /* asked anew */
    (void)api_documents_ask(it->documents, json_null(), on_document, it);
    assert_int_equal(it->code, STATUS_INVALID_ARGUMENT);
}

static void ends_while_asked(void **state)
{
    struct fixture *it = *state;
    assert_non_null(
        api_documents_ask(it->documents, endpoint_at(it, "/silent", ""), on_document, it));
    loop_turn(it->outside.loop, TURN_MS);
    assert_int_equal(it->told, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_read_and_kept, begin, end),
        cmocka_unit_test_setup_teardown(is_fetched_once, begin, end),
        cmocka_unit_test_setup_teardown(there_is_room, begin, end),
        cmocka_unit_test_setup_teardown(cannot_be_had, begin, end),
        cmocka_unit_test_setup_teardown(ends_while_asked, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
