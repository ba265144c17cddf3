/* What fails, and how it is told apart; what libcurl would send again by itself. */
#include "support/http/client_fixture.h"

#include <time.h>

struct failing {
    const char *name, *path;
    struct http_request request;
    enum http_failure failure;
    status code;
    bool was_sent;
};

static const struct failing failing[] = {
    {"endless headers", "/headers", {}, HTTP_TOO_LARGE, STATUS_RESOURCE_EXHAUSTED, true},
    {"few headers", "/echo", {.headers_max = 20}, HTTP_TOO_LARGE, STATUS_RESOURCE_EXHAUSTED, true},
    {"endless header line", "/line", {}, HTTP_TOO_LARGE, STATUS_RESOURCE_EXHAUSTED, true},
    {"endless body", "/huge", {}, HTTP_TOO_LARGE, STATUS_RESOURCE_EXHAUSTED, true},
    {"one byte too many",
     "/bytes/101",
     {.body_max = 100},
     HTTP_TOO_LARGE,
     STATUS_RESOURCE_EXHAUSTED,
     true},
    {"gzip bomb",
     "/bomb",
     {.is_compressed = true, .body_max = 1 << 30},
     HTTP_TOO_LARGE,
     STATUS_RESOURCE_EXHAUSTED,
     true},
    {"gzip of nothing",
     "/hollow",
     {.is_compressed = true},
     HTTP_TOO_LARGE,
     STATUS_RESOURCE_EXHAUSTED,
     true},
    {"cut body", "/cut", {}, HTTP_CUT, STATUS_UNAVAILABLE, true},
    {"no answer", "/empty", {}, HTTP_CUT, STATUS_UNAVAILABLE, true},
    {"not HTTP", "/garbage", {}, HTTP_PROTOCOL, STATUS_UNAVAILABLE, true},
    {"redirect to a private address",
     "/to?http://10.0.0.1/x",
     {.redirects_max = 5},
     HTTP_REFUSED,
     STATUS_PERMISSION_DENIED,
     true},
    {"redirect to metadata",
     "/to?https://169.254.169.254/latest",
     {.redirects_max = 5},
     HTTP_REFUSED,
     STATUS_PERMISSION_DENIED,
     true},
    {"redirect to plain http",
     "/to?http://example.com/",
     {.redirects_max = 5},
     HTTP_REFUSED,
     STATUS_PERMISSION_DENIED,
     true},
    {"redirect with credentials",
     "/to?https://user:pass@example.com/",
     {.redirects_max = 5},
     HTTP_REFUSED,
     STATUS_PERMISSION_DENIED,
     true},
    {"redirect to a file",
     "/to?file:///etc/passwd",
     {.redirects_max = 5},
     HTTP_REDIRECTS,
     STATUS_FAILED_PRECONDITION,
     true},
    {"redirect without end",
     "/to?/to?/to?/to?/to?/to?/to?/ok",
     {.redirects_max = 5},
     HTTP_REDIRECTS,
     STATUS_FAILED_PRECONDITION,
     true},
};

static void failure_is_classified(void **state)
{
    const struct failing *row = *state;
    void *fixture             = NULL;
    assert_int_equal(set_up(&fixture), 0);
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(fixture, row->path, &row->request, &outcome);
    assert_string_equal(http_failure_name(outcome.failure), http_failure_name(row->failure));
    assert_int_equal(outcome.code, row->code);
    assert_int_equal(outcome.was_sent, row->was_sent);
    assert_non_null(strstr(outcome.error.text, "GET http://127.0.0.1:"));
    assert_null(strstr(outcome.error.text, row->path));
    assert_int_equal(tear_down(&fixture), 0);
}

static void exact_limits_pass(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/bytes/100", &(struct http_request){.body_max = 100}, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.body.len, 100);
}

static void connecting_fails_apart(void **state)
{
    struct fixture *f = *state;
    char url[1024];

    /* A label of 64 letters is no name, so no name server is asked. */
    CLEANUP(outcome_done) struct outcome dns = {};
    static const char long_name[] =
        "https://"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/";
    get(f, "", &(struct http_request){.url = str_from(long_name)}, &dns);
    assert_string_equal(http_failure_name(dns.failure), "dns");
    assert_int_equal(dns.code, STATUS_UNAVAILABLE);
    assert_false(dns.was_sent);

    CLEANUP(outcome_done) struct outcome tls = {};
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u/ok", hostile_port(f->server));
    get(f, "", &(struct http_request){.url = str_from(url)}, &tls);
    assert_string_equal(http_failure_name(tls.failure), "tls");
    assert_false(tls.was_sent);

    CLEANUP(outcome_done) struct outcome refused = {};
    struct hostile *gone                         = hostile_start();
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/ok", hostile_port(gone));
    hostile_stop(gone);
    get(f, "", &(struct http_request){.url = str_from(url)}, &refused);
    assert_string_equal(http_failure_name(refused.failure), "connect");
    assert_false(refused.was_sent);
    assert_int_equal(refused.connect_ms, -1);
}

static void bad_requests_are_refused_at_once(void **state)
{
    struct fixture *f                    = *state;
    static const struct http_header line = {.name = {"X-A", 3}, .value = {"a\r\nX-B: b", 9}};
    static const struct http_header name = {.name = {"X A", 3}, .value = {"a", 1}};
    static const struct http_header host = {.name = {"host", 4}, .value = {"a", 1}};
    static const char *const other[]     = {"api.example.com", NULL};
    const struct {
        struct http_request request;
        status code;
    } rows[] = {
        {{.url = str_from("ftp://example.com/")}, STATUS_INVALID_ARGUMENT},
        {{.url = str_from("/relative")}, STATUS_INVALID_ARGUMENT},
        {{.url = str_from("https://a b/")}, STATUS_INVALID_ARGUMENT},
        {{.url = str_from("https://a/"), .method = str_from("GET /x")}, STATUS_INVALID_ARGUMENT},
        {{.url = str_from("https://a/"), .headers = &line, .header_count = 1},
         STATUS_INVALID_ARGUMENT},
        {{.url = str_from("https://a/"), .headers = &name, .header_count = 1},
         STATUS_INVALID_ARGUMENT},
        {{.url = str_from("https://a/"), .headers = &host, .header_count = 1},
         STATUS_INVALID_ARGUMENT},
        {{.url = str_from("https://a/"), .headers = &host, .header_count = 1000},
         STATUS_RESOURCE_EXHAUSTED},
        {{.url = str_from("https://a/"), .body = {"", HTTP_BODY_SENT_MAX + 1}},
         STATUS_RESOURCE_EXHAUSTED},
        {{.url = str_from("http://example.com/")}, STATUS_PERMISSION_DENIED},
        {{.url = str_from("https://127.0.0.1/")}, STATUS_PERMISSION_DENIED},
        {{.url = str_from("https://[::ffff:10.0.0.1]/")}, STATUS_PERMISSION_DENIED},
        {{.url = str_from("https://user@example.com/")}, STATUS_PERMISSION_DENIED},
        {{.url = str_from("https://example.com/"), .hosts = other}, STATUS_PERMISSION_DENIED},
    };
    const struct http_handlers handlers = {.on_done = on_done};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error error = {};
        assert_int_equal(http_call_start(f->client, &rows[i].request, &handlers, NULL, &error),
                         rows[i].code);
        assert_true(error.text[0] != '\0');
    }
    assert_int_equal(http_client_calls(f->client), 0);
}

static void calls_are_limited(void **state)
{
    struct fixture *f          = *state;
    struct outcome outcomes[4] = {};
    for (int i = 0; i < 4; i++) {
        (void)start(f, "/silent", &(struct http_request){}, &outcomes[i], false);
    }
    const struct http_handlers handlers = {.on_done = on_done};
    const struct http_request request   = {.url = str_from("https://example.com/")};
    assert_int_equal(http_call_start(f->client, &request, &handlers, NULL, NULL),
                     STATUS_RESOURCE_EXHAUSTED);
}

static void dead_connection(struct fixture *f, const struct http_request *request,
                            struct outcome *outcome)
{
    CLEANUP(outcome_done) struct outcome first = {};
    get(f, "/once", &(struct http_request){}, &first);
    assert_int_equal(first.http_status, 200);
    get(f, "/once", request, outcome);
}

static void harmless_request_is_repeated(void **state)
{
    struct fixture *f                        = *state;
    CLEANUP(outcome_done) struct outcome get = {};
    dead_connection(f, &(struct http_request){}, &get);
    assert_int_equal(get.http_status, 200);
    assert_int_equal(hostile_requests(f->server), 3);

    CLEANUP(outcome_done) struct outcome post = {};
    const struct http_request request         = {.body = {"x", 1}, .is_repeatable = true};
    dead_connection(f, &request, &post);
    assert_int_equal(post.http_status, 200);
}

static void other_request_is_not_repeated(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    dead_connection(f, &(struct http_request){.body = {"x", 1}}, &outcome);
    assert_string_equal(http_failure_name(outcome.failure), "cut");
    assert_true(outcome.was_sent);
    assert_int_equal(hostile_requests(f->server), 2);
}

/* libcurl counts whole seconds by its own clock, our transport by the loop's. */
static void other_request_takes_no_old_connection(void **state)
{
    const struct timespec old                    = {.tv_sec = HTTP_POOLED_IDLE_S + 1};
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome first   = {};
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/once", &(struct http_request){}, &first);
    if (goes_by_curl) assert_int_equal(clock_nanosleep(CLOCK_MONOTONIC, 0, &old, NULL), 0);
    f->now_ms += 1000 * HTTP_POOLED_IDLE_S + 1;
    get(f, "/once", &(struct http_request){.body = {"x", 1}}, &outcome);
    assert_int_equal(outcome.http_status, 200);
    assert_int_equal(hostile_requests(f->server), 2);
}

int main(void)
{
    if (http_init(NULL) != STATUS_OK) return 1;
    const struct CMUnitTest plain[] = {
        WITH_FIXTURE(exact_limits_pass),
        WITH_FIXTURE(connecting_fails_apart),
        WITH_FIXTURE(bad_requests_are_refused_at_once),
        WITH_FIXTURE(calls_are_limited),
        WITH_FIXTURE(harmless_request_is_repeated),
        WITH_FIXTURE(other_request_is_not_repeated),
        WITH_FIXTURE(other_request_takes_no_old_connection),
    };
    struct CMUnitTest rows[ARRAY_LEN(failing)];
    for (size_t i = 0; i < ARRAY_LEN(failing); i++) {
        rows[i] = row_test(failing[i].name, failure_is_classified, &failing[i]);
    }
    int failed = 0;
    for (int i = 0; i < 2; i++) {
        goes_by_curl = i > 0;
        failed += cmocka_run_group_tests(plain, NULL, NULL);
        failed += cmocka_run_group_tests(rows, NULL, NULL);
    }
    return failed;
}
