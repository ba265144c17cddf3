/* The MCP client against a server that means no good: each call ends once, with what it came to. */
#include "cmocka.h"

#include "base/attr.h"
#include "base/clock.h"
#include "http/url.h"
#include "support/http/outside.h"
#include "tool-adapter/peers/mcp_internal.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS_MAX = 20'000, TURN_MS = 1, PATIENT_MS = 60'000, HASTY_MS = 50 };

struct fixture {
    int64_t ahead_ms; /* of the loop's clock, of the real one */
    struct outside outside;
    struct mcp_client *client;
    json endpoint;

    unsigned told;
    status code;
    bool was_sent, is_error;
    int http_status;
    char words[ERROR_TEXT_MAX];
};

static int64_t clock_ahead(void *context)
{
    const struct fixture *it = context;
    return clock_mono_ms() + it->ahead_ms;
}

static int begin(void **state)
{
    struct fixture *it                = calloc(1, sizeof *it);
    const struct loop_options options = {.clock = clock_ahead, .clock_context = it};
    outside_begin(&it->outside, &options);
    it->client = mcp_client_new(it->outside.http, it->outside.loop, it->outside.tokens);
    *state     = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    mcp_client_freep(&it->client);
    outside_end(&it->outside);
    json_unref(it->endpoint);
    free(it);
    return 0;
}

static void on_done(const struct mcp_result *result, void *context)
{
    struct fixture *it = context;
    it->told++;
    it->code        = result->code;
    it->was_sent    = result->was_sent;
    it->is_error    = json_is(result->error, JSON_OBJECT);
    it->http_status = result->http_status;
    (void)snprintf(it->words, sizeof it->words, "%s", result->why.text);
}

/* A path of the server; what stands behind '?' is encoded. */
static json endpoint_at(struct fixture *it, const char *path)
{
    CLEANUP(buf_done) struct buf url = buf_init(8 << 10);
    const char *said                 = strchr(path, '?');
    size_t len                       = said ? (size_t)(said - path) + 1 : strlen(path);
    (void)buf_printf(&url, "http://127.0.0.1:%u%.*s", hostile_port(it->outside.server), (int)len,
                     path);
    if (said) (void)url_encode(&url, str_from(said + 1));
    json_unref(it->endpoint);
    it->endpoint = json_object_new(1);
    json_object_put_text(&it->endpoint, "uri", json_text_new(buf_str(&url)));
    return it->endpoint;
}

static struct mcp_request request_at(struct fixture *it, const char *path, int64_t patience_ms)
{
    return (struct mcp_request){.endpoint = endpoint_at(it, path),
                                .method   = "tools/list",
                                .until_ms = clock_mono_ms() + patience_ms};
}

static void call(struct fixture *it, const struct mcp_request *request)
{
    const struct mcp_handlers handlers = {.done = on_done, .context = it};
    unsigned told                      = it->told;
    (void)mcp_call_start(it->client, request, &handlers);
    for (int turns = 0; it->told == told; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(it->outside.loop, TURN_MS);
    }
    assert_int_equal(it->told, told + 1);
}

/* --- what came of it -------------------------------------------------------------------------- */

struct row {
    const char *name, *path;
    status code;
    int http_status;
    bool is_error;
};

/* clang-format off */
static const struct row rows[] = {
    {"a result",             "/say?{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[]}}", STATUS_OK, 200, false},
    {"an error",             "/say?{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"no\"}}", STATUS_OK, 200, true},
    {"a result of no kind",  "/say?{\"id\":1,\"result\":7}", STATUS_DATA_LOSS, 200, false},
    {"pages without end",    "/say?{\"id\":1,\"result\":{\"tools\":[1],\"nextCursor\":\"x\"}}", STATUS_UNAVAILABLE, 200, false},
    {"a state without end",  "/say?{\"id\":1,\"result\":{\"resultType\":\"input_required\",\"requestState\":\"x\"}}", STATUS_UNAVAILABLE, 200, false},
    {"a question",           "/say?{\"id\":1,\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"a\":{}}}}", STATUS_FAILED_PRECONDITION, 200, false},
    {"an answer to another", "/say?{\"id\":9,\"result\":{}}", STATUS_UNAVAILABLE, 200, false},
    {"no JSON",              "/say?{\"id\":", STATUS_DATA_LOSS, 200, false},
    {"no JSON at all",       "/ok", STATUS_UNAVAILABLE, 200, false},
    {"a stream of others",   "/events", STATUS_UNAVAILABLE, 200, false},
    {"its own request",      "/post", STATUS_UNAVAILABLE, 200, false},
    {"no HTTP",              "/garbage", STATUS_UNAVAILABLE, 0, false},
    {"a cut",                "/cut", STATUS_UNAVAILABLE, 200, false},
    {"no answer",            "/empty", STATUS_UNAVAILABLE, 0, false},
    {"headers without end",  "/headers", STATUS_RESOURCE_EXHAUSTED, 0, false},
    {"401",                  "/status/401", STATUS_UNAVAILABLE, 401, false},
    {"404 in both eras",     "/status/404", STATUS_UNAVAILABLE, 404, false},
    {"400 in both eras",     "/status/400", STATUS_UNAVAILABLE, 400, false},
    {"500",                  "/status/500", STATUS_UNAVAILABLE, 500, false},
    {"a redirect",           "/to?http://127.0.0.1:1/", STATUS_UNAVAILABLE, 307, false},
};
/* clang-format on */

static void ends_once(void **state)
{
    struct fixture *it = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct mcp_request request = request_at(it, rows[i].path, PATIENT_MS);
        call(it, &request);
        if (it->code != rows[i].code || it->http_status != rows[i].http_status ||
            it->is_error != rows[i].is_error) {
            fail_msg("%s: %d, HTTP %d, %s", rows[i].name, (int)it->code, it->http_status,
                     it->words);
        }
        assert_true(it->code == STATUS_OK || it->words[0] != '\0');
    }
}

static void is_not_waited_for(void **state)
{
    static const char *const paths[] = {"/silent", "/stall"};
    struct fixture *it               = *state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const struct mcp_request request = request_at(it, paths[i], HASTY_MS);
        call(it, &request);
        assert_int_equal(it->code, STATUS_DEADLINE_EXCEEDED);
        assert_true(it->was_sent);
    }
    const struct mcp_request late = request_at(it, "/ok", 0);
    call(it, &late);
    assert_int_equal(it->code, STATUS_DEADLINE_EXCEEDED);
    assert_false(it->was_sent);
}

/* Nor is a server's word on where a token is to be had. */
static void is_not_waited_for_its_metadata(void **state)
{
    struct fixture *it         = *state;
    struct mcp_request request = request_at(it, "/status/401", HASTY_MS);
    request.client             = json_object_new(1);
    json_object_put_text(&request.client, "id", json_text_new(str_from("me")));
    call(it, &request);
    assert_int_equal(it->code, STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(hostile_requests(it->outside.server), 2);
    json_unref(request.client);
}

static void is_not_sent(void **state)
{
    struct fixture *it                = *state;
    struct mcp_request request        = request_at(it, "/ok", PATIENT_MS);
    CLEANUP(json_unrefp) json nothing = json_object_new(0);
    request.version                   = str_from("1999-01-01");
    call(it, &request);
    assert_int_equal(it->code, STATUS_INVALID_ARGUMENT);
    request                   = request_at(it, "/ok", PATIENT_MS);
    request.keeps_private_out = true;
    call(it, &request);
    assert_int_equal(it->code, STATUS_PERMISSION_DENIED);
    request          = request_at(it, "/ok", PATIENT_MS);
    request.endpoint = nothing;
    call(it, &request);
    assert_int_equal(it->code, STATUS_INVALID_ARGUMENT);
    assert_false(it->was_sent);
    assert_int_equal(hostile_requests(it->outside.server), 0);
}

static void is_called_off(void **state)
{
    struct fixture *it                 = *state;
    const struct mcp_handlers handlers = {.done = on_done, .context = it};
    struct mcp_request request         = request_at(it, "/silent", PATIENT_MS);
    struct mcp_call *modern            = mcp_call_start(it->client, &request, &handlers);
    request.version                    = str_from("2025-11-25");
    struct mcp_call *legacy            = mcp_call_start(it->client, &request, &handlers);
    assert_non_null(modern);
    assert_non_null(legacy);
    for (int turns = 0; hostile_requests(it->outside.server) < 2; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(it->outside.loop, TURN_MS);
    }
    mcp_call_cancel(modern);
    mcp_call_cancel(legacy);
    loop_turn(it->outside.loop, TURN_MS);
    assert_int_equal(it->told, 0);
}

static void turn_until(struct fixture *it, unsigned (*count)(const struct hostile *),
                       unsigned wanted)
{
    for (int turns = 0; count(it->outside.server) < wanted; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(it->outside.loop, TURN_MS);
    }
    assert_int_equal(count(it->outside.server), wanted);
}

/* A shared session outlives its calls, each of which begins its time anew; then it is given back,
 * and the next call has another one. */
static void gives_back_a_session_that_is_idle(void **state)
{
    enum { SHORT_MS = MCP_SESSION_IDLE_MS / 2 };
    struct fixture *it         = *state;
    struct mcp_request request = request_at(it, "/session", PATIENT_MS);
    request.version            = str_from("2025-11-25");
    request.owner              = str_from("box");
    for (unsigned calls = 0; calls < 4; calls++) {
        call(it, &request);
        assert_int_equal(it->code, STATUS_OK);
        it->ahead_ms += SHORT_MS;
        loop_turn(it->outside.loop, 0);
    }
    assert_int_equal(hostile_requests(it->outside.server), 6); /* two to open it, and the calls */
    assert_int_equal(hostile_sessions(it->outside.server), 1);
    it->ahead_ms += SHORT_MS;
    turn_until(it, hostile_farewells, 1);
    call(it, &request);
    assert_int_equal(it->code, STATUS_OK);
    assert_int_equal(hostile_sessions(it->outside.server), 2);
    it->ahead_ms += MCP_SESSION_IDLE_MS;
    turn_until(it, hostile_farewells, 2);
    assert_int_equal(hostile_requests(it->outside.server), 11);
}

static void say(struct fixture *it, json endpoint)
{
    CLEANUP(json_unrefp) json message  = json_object_new(0);
    const struct mcp_outgoing outgoing = {
        .method = "", .version = MCP_LEGACY, .session = "s", .client_name = str_from("me")};
    const struct mcp_aside aside = {.http_method = "POST",
                                    .endpoint    = endpoint,
                                    .outgoing    = &outgoing,
                                    .message     = message,
                                    .proxy       = str_from("")};
    mcp_aside_send(it->client, &aside);
}

/* Who takes no answers has room for some of them, and others have theirs. */
static void one_that_takes_no_messages_holds_up_nobody(void **state)
{
    struct fixture *it            = *state;
    struct hostile *other         = hostile_start();
    CLEANUP(json_unrefp) json url = json_object_new(1);
    char text[64];
    (void)snprintf(text, sizeof text, "http://127.0.0.1:%u/ok", hostile_port(other));
    json_object_put_text(&url, "uri", json_text_from(text));
    for (int i = 0; i < 2 * MCP_ASIDES_EACH; i++) say(it, endpoint_at(it, "/silent"));
    assert_int_equal(it->client->aside_count, MCP_ASIDES_EACH);
    say(it, url);
    assert_int_equal(it->client->aside_count, MCP_ASIDES_EACH + 1);
    for (int turns = 0; it->client->aside_count > MCP_ASIDES_EACH; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(it->outside.loop, TURN_MS);
    }
    assert_int_equal(hostile_requests(other), 1);
    hostile_stop(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ends_once, begin, end),
        cmocka_unit_test_setup_teardown(is_not_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(is_not_waited_for_its_metadata, begin, end),
        cmocka_unit_test_setup_teardown(is_not_sent, begin, end),
        cmocka_unit_test_setup_teardown(is_called_off, begin, end),
        cmocka_unit_test_setup_teardown(gives_back_a_session_that_is_idle, begin, end),
        cmocka_unit_test_setup_teardown(one_that_takes_no_messages_holds_up_nobody, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
