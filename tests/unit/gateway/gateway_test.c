/* Requests as a whole: hostile ones, limits, what travels with them, and the end. */
#include "support/gateway/front.h"

#include "base/clock.h"

static void set_failure(struct fixture *it, status code)
{
    (void)pthread_mutex_lock(&it->fake.mutex);
    it->fake.fails_with = code;
    (void)pthread_mutex_unlock(&it->fake.mutex);
}

struct refusal {
    const char *name, *method, *path, *body, *type;
    int http_status;
    const char *code;
};

static const struct refusal refusals[] = {
    {"no such path", "GET", "/v1/nothing", NULL, NULL, 404, "not_found"},
    {"a slash at the end", "GET", "/v1/runs/", NULL, NULL, 404, "not_found"},
    {"a foreign method", "BREW", "/v1/runs", NULL, NULL, 405, "method_not_allowed"},
    {"no body", "POST", "/v1/runs", NULL, NULL, 400, "invalid_json"},
    {"a broken body", "POST", "/v1/runs", "{\"workflow\":", NULL, 400, "invalid_json"},
    {"twice the same member", "POST", "/v1/runs", "{\"workflow\":\"a\",\"workflow\":\"b\"}", NULL,
     400, "invalid_json"},
    {"no UTF-8", "POST", "/v1/runs", "{\"workflow\":\"\xff\"}", NULL, 400, "invalid_json"},
    {"a NUL in a name", "POST", "/v1/runs", "{\"workflow\":\"a\\u0000b\"}", NULL, 400,
     "invalid_request"},
    {"a NUL in a label", "POST", "/v1/runs", "{\"workflow\":\"a\",\"labels\":{\"a\\u0000\":\"b\"}}",
     NULL, 400, "invalid_request"},
    {"an unknown member", "POST", "/v1/runs", "{\"workflow\":\"a\",\"x\":1}", NULL, 400,
     "invalid_request"},
    {"a budget too fine", "POST", "/v1/runs",
     "{\"workflow\":\"a\",\"budget\":{\"usd\":0.0000000001}}", NULL, 400, "invalid_request"},
    {"another media type", "POST", "/v1/runs", "workflow: a", "application/yaml", 415,
     "unsupported_media_type"},
    {"a query that is no text", "GET", "/v1/runs?label=%ff", NULL, NULL, 400, "invalid_request"},
    {"a query with NUL", "GET", "/v1/runs?label=%00", NULL, NULL, 400, "invalid_request"},
    {"a status that is none", "GET", "/v1/runs?status=done", NULL, NULL, 400, "invalid_request"},
    {"a label without value", "GET", "/v1/runs?label=x", NULL, NULL, 400, "invalid_request"},
    {"a time that is none", "GET", "/v1/runs?created_after=today", NULL, NULL, 400,
     "invalid_request"},
    {"an order that is none", "GET", "/v1/runs?order=up", NULL, NULL, 400, "invalid_request"},
    {"a page of nothing", "GET", "/v1/runs?page_size=0", NULL, NULL, 400, "invalid_request"},
    {"a page too large", "GET", "/v1/runs?page_size=501", NULL, NULL, 400, "invalid_request"},
    {"a token of nowhere", "GET", "/v1/runs?page_token=x", NULL, NULL, 400, "invalid_page_token"},
    {"a token of another partition", "GET", "/v1/runs?page_token=1.", NULL, NULL, 400,
     "invalid_page_token"},
    {"a wait that is none", "GET", "/v1/runs/a?wait=soon", NULL, NULL, 400, "invalid_request"},
    {"a view that is none", "GET", "/v1/runs/a?view=all", NULL, NULL, 400, "invalid_request"},
    {"types that are none", "GET", "/v1/runs/a/events?types=runs", NULL, NULL, 400,
     "invalid_request"},
    {"a position that is none", "GET", "/v1/runs/a/events?after=-1", NULL, NULL, 400,
     "invalid_request"},
    {"a page behind the first", "GET", "/v1/runs/a/history?order=newest&page_token=1", NULL, NULL,
     400, "invalid_page_token"},
    {"a workflow's name", "GET", "/v1/workflows/No_Name", NULL, NULL, 400, "invalid_request"},
    {"a signal's name", "POST", "/v1/runs/a/signals/a%20b", "1", NULL, 400, "invalid_request"},
    {"an approval's id", "GET", "/v1/approvals/aaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, NULL, 400,
     "invalid_request"},
};

/* One server for all rows: none of them may harm it. */
static void hostile_requests_are_refused_with_a_problem(void **state)
{
    struct fixture *it = *state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *row = &refusals[i];
        const struct wish wish    = {.method = row->method,
                                     .path   = row->path,
                                     .key    = FAKE_DEVELOPER,
                                     .body   = row->body,
                                     .type   = row->type};
        int http_status           = exchange(it, &wish);
        char code[80];
        (void)snprintf(code, sizeof code, "\"code\":\"%s\"", row->code);
        if (http_status != row->http_status || !has(it, code) ||
            !has(it, "application/problem+json") || !has(it, "X-Content-Type-Options: nosniff") ||
            !has(it, "\"request_id\":\"")) {
            fail_msg("%s: %s", row->name, it->answer.ptr);
        }
    }
    assert_int_equal(get(it, run_path), 200);
}

static void limits_of_sizes_hold(void **state)
{
    struct fixture *it = *state;
    char *body         = mem_new(1, (1 << 20) + 64);
    (void)snprintf(body, 64, "{\"workflow\":\"a\",\"input\":\"");
    memset(body + strlen(body), 'x', 1 << 20);
    assert_int_equal(post(it, "/v1/runs", NULL, body), 413);
    assert_true(has(it, "\"request_id\":\"")); /* the server's own answers look like ours */

    /* A small document that is large when its numbers are written out. */
    size_t at = (size_t)snprintf(body, 64, "{\"workflow\":\"a\",\"input\":[1");
    while (at < 900'000) at += (size_t)snprintf(body + at, 8, ",1e15");
    (void)snprintf(body + at, 8, "]}");
    int http_status = post(it, "/v1/runs", NULL, body);
    assert_true(http_status == 413 || http_status == 400);
    free(body);

    char path[512] = "/v1/runs/";
    memset(path + 9, 'a', 200);
    assert_int_equal(get(it, path), 400);
    assert_int_equal(get(it, "/v1/runs?page_size=1"), 200);
}

static void other_methods_get_the_list(void **state)
{
    struct fixture *it = *state;
    struct wish wish   = {.method = "DELETE", .path = "/v1/runs", .key = FAKE_DEVELOPER};
    assert_int_equal(exchange(it, &wish), 405);
    assert_true(has(it, "Allow: GET, HEAD, POST\r\n"));
    wish.method = "HEAD";
    assert_int_equal(exchange(it, &wish), 200);
    assert_true(strstr(it->answer.ptr, "\r\n\r\n")[4] == '\0');
}

static void the_inside_stays_inside(void **state)
{
    struct fixture *it = *state;
    set_failure(it, STATUS_INTERNAL);
    assert_int_equal(get(it, run_path), 500);
    assert_false(has(it, "the inside"));
    assert_true(has(it, "\"request_id\":\""));
    set_failure(it, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(get(it, run_path), 503);
    assert_true(has(it, "Retry-After: 1\r\n"));
}

static void traces_and_request_ids_travel(void **state)
{
    struct fixture *it = *state;
    assert_int_equal(post(it, "/v1/runs",
                          "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
                          "X-Request-Id: my.id-1\r\n",
                          "{\"workflow\":\"hello\",\"input\":{\"a\":1}}"),
                     201);
    assert_true(
        noted(it, it->fake.traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    assert_string_equal(it->fake.input, "{\"a\":1}");
    assert_true(noted(it, it->fake.roles, "developer"));
    assert_true(has(it, "X-Request-Id: my.id-1\r\n"));
    assert_true(has(it, "Location: /v1/runs/01M80MMGJ40000000006EA9WX1\r\n"));
    assert_int_equal(post(it, "/v1/runs",
                          "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
                          "X-Request-Id: no good\r\n",
                          "{}"),
                     400);
    assert_true(has(it, "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\""));
    assert_false(has(it, "no good"));
}

/* Services keep ids in order: those of one time lie beside each other. */
static void request_ids_begin_with_the_time(void **state)
{
    enum { TIME_LEN = 12, ID_HEX_LEN = 32 };
    struct fixture *it = *state;
    char id[FAKE_TEXT_MAX];
    int64_t before_ms = clock_unix_us() / 1000;
    assert_int_equal(post(it, "/v1/runs", NULL, "{\"workflow\":\"hello\"}"), 201);
    (void)pthread_mutex_lock(&it->fake.mutex);
    memcpy(id, it->fake.request_id, sizeof id);
    (void)pthread_mutex_unlock(&it->fake.mutex);
    assert_int_equal(strlen(id), ID_HEX_LEN);
    id[TIME_LEN] = '\0';
    assert_in_range(strtoll(id, NULL, 16), before_ms, clock_unix_us() / 1000);
}

static void an_idempotency_key_names_the_request(void **state)
{
    struct fixture *it = *state;
    char path[128];
    char first[FAKE_TEXT_MAX];
    static const char key[] = "Idempotency-Key: abc\r\n";
    (void)path_of("/cancel", path);
    assert_int_equal(post(it, path, key, NULL), 202);
    (void)pthread_mutex_lock(&it->fake.mutex);
    memcpy(first, it->fake.request_id, sizeof first);
    (void)pthread_mutex_unlock(&it->fake.mutex);
    assert_int_equal(post(it, path, key, NULL), 202);
    assert_true(noted(it, it->fake.request_id, first));
    assert_int_equal(post(it, path, key, "{\"reason\":\"other\"}"), 202);
    assert_false(noted(it, it->fake.request_id, first));
    assert_int_equal(post(it, path, NULL, NULL), 202);
    assert_false(noted(it, it->fake.request_id, first));
    assert_int_equal(post(it, path, "Idempotency-Key: a b\r\n", NULL), 400);
}

static void *stop(void *context)
{
    struct fixture *it = context;
    gateway_stopp(&it->gateway);
    return NULL;
}

static void a_drain_answers_waits_and_says_goodbye(void **state)
{
    struct fixture *it = *state;
    char path[128];
    int stream = follow(it, "/events", NULL);
    assert_true(listen_for(it, stream, "id: 2\n"));
    int waiting = ask(
        it,
        &(struct wish){.method = "GET", .path = path_of("?wait=60s", path), .key = FAKE_VIEWER});
    fake_await(&it->fake, &it->fake.watches, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop, it), 0);
    assert_true(listen_for(it, stream, "event: goaway\n"));
    (void)close(stream);
    assert_int_equal(finish(it, waiting), 200);
    assert_true(has(it, "\"status\":\"running\""));
    (void)pthread_join(thread, NULL);
}

static void a_gateway_that_never_reached_a_scheduler_stops(void **)
{
    const struct options options = {.host            = "127.0.0.1",
                                    .admin_host      = "127.0.0.1",
                                    .loops           = 1,
                                    .connections_max = 10,
                                    .scheduler       = "inproc://nowhere",
                                    .scheduler_hints = "inproc://nowhere-hints",
                                    .drain_ms        = 100};
    struct fixture it            = {.answer = buf_init(ANSWER_MAX)};
    struct error error           = {};
    assert_int_equal(gateway_start(&options, &it.gateway, &error), STATUS_OK);
    it.port = gateway_port(it.gateway);
    assert_int_equal(
        exchange(&it, &(struct wish){.method = "GET", .path = "/health", .key = FAKE_KEY_COUNT}),
        503);
    assert_true(has(&it, "\"status\":\"degraded\""));
    gateway_stopp(&it.gateway);
    buf_done(&it.answer);
}

/* A gateway may be started long before its scheduler. */
static void a_gateway_asks_until_it_is_answered(void **)
{
    struct fake_scheduler fake;
    fake_scheduler_start(&fake, "gateway-test-late");
    fake.topologies_refused      = 3; /* nobody asks yet */
    const struct options options = {.host            = "127.0.0.1",
                                    .admin_host      = "127.0.0.1",
                                    .loops           = 1,
                                    .connections_max = 10,
                                    .scheduler       = fake.url,
                                    .scheduler_hints = fake.hint_url,
                                    .drain_ms        = 100};
    struct gateway *gateway      = NULL;
    struct error error           = {};
    assert_int_equal(gateway_start(&options, &gateway, &error), STATUS_OK);
    fake_await(&fake, &fake.topologies, fake.topologies_refused + 1);
    gateway_stopp(&gateway);
    fake_scheduler_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(hostile_requests_are_refused_with_a_problem),
        FIXTURE_TEST(limits_of_sizes_hold),
        FIXTURE_TEST(other_methods_get_the_list),
        FIXTURE_TEST(the_inside_stays_inside),
        FIXTURE_TEST(traces_and_request_ids_travel),
        FIXTURE_TEST(request_ids_begin_with_the_time),
        FIXTURE_TEST(an_idempotency_key_names_the_request),
        FIXTURE_TEST(a_drain_answers_waits_and_says_goodbye),
        cmocka_unit_test(a_gateway_asks_until_it_is_answered),
        cmocka_unit_test(a_gateway_that_never_reached_a_scheduler_stops),
    };
    return cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
}
