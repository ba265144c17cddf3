/* The client against a server that misbehaves. Time is the test's own: nothing waits for real. */
#include "http/http.h"

#include "cmocka.h"

#include "base/buf.h"
#include "support/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TURNS_MAX = 20'000, TURN_MS = 10 };

struct fixture {
    struct loop *loop;
    struct http_client *client;
    struct egress_rules *rules;
    struct hostile *server;
    int64_t now_ms;
};

/* What a call led to, and how it was to behave. */
struct outcome {
    struct fixture *fixture;
    unsigned done_count, headers_count, data_count;
    size_t data_bytes;
    status code;
    enum http_failure failure;
    bool was_sent, is_reused;
    int http_status;
    struct buf body, url, twice;
    int64_t connect_ms, first_byte_ms, total_ms;
    struct error error;

    struct http_call *call;
    struct http_call *victim; /* is cancelled by on_data */
    enum http_flow flow;      /* of on_data */
    enum http_flow headers_flow;
    bool cancels_itself;
};

/* --- Callbacks -------------------------------------------------------------------------------- */

static enum http_flow on_headers(const struct http_answer *answer, void *context)
{
    struct outcome *outcome = context;
    outcome->headers_count++;
    outcome->http_status = answer->http_status;
    return outcome->headers_flow;
}

static enum http_flow on_data(str data, void *context)
{
    struct outcome *outcome = context;
    outcome->data_count++;
    if (outcome->cancels_itself) http_call_cancel(outcome->call);
    if (outcome->victim) http_call_cancel(outcome->victim);
    outcome->victim = NULL;
    if (outcome->flow == HTTP_GO_ON) outcome->data_bytes += data.len;
    return outcome->flow;
}

static void on_done(const struct http_result *result, void *context)
{
    struct outcome *outcome = context;
    outcome->done_count++;
    outcome->code          = result->code;
    outcome->failure       = result->failure;
    outcome->was_sent      = result->was_sent;
    outcome->is_reused     = result->is_reused;
    outcome->http_status   = result->answer.http_status;
    outcome->connect_ms    = result->connect_ms;
    outcome->first_byte_ms = result->first_byte_ms;
    outcome->total_ms      = result->total_ms;
    outcome->error         = result->error;
    outcome->body          = buf_init(64 << 20);
    outcome->url           = buf_init(1 << 16);
    outcome->twice         = buf_init(1 << 16);
    assert_true(buf_put_str(&outcome->body, result->body));
    assert_true(buf_put_str(&outcome->url, result->answer.url));
    str twice;
    if (http_answer_header(&result->answer, "X-TWICE", &twice)) {
        assert_true(buf_put_str(&outcome->twice, twice));
    }
    assert_int_equal(result->failure == HTTP_NO_FAILURE, result->code == STATUS_OK);
}

static void outcome_done(struct outcome *outcome)
{
    buf_done(&outcome->body);
    buf_done(&outcome->url);
    buf_done(&outcome->twice);
}

/* --- Fixture ---------------------------------------------------------------------------------- */

static int64_t fake_clock(void *context)
{
    const struct fixture *fixture = context;
    return fixture->now_ms;
}

static int set_up(void **state)
{
    static const char *const private_allow[] = {"127.0.0.0/8", "::1/128", NULL};
    static const char *const http_allow[]    = {"127.0.0.1", "localhost", "10.0.0.1", NULL};

    struct fixture *f                 = calloc(1, sizeof *f);
    f->now_ms                         = 1'000'000;
    f->server                         = hostile_start();
    const struct loop_options options = {.clock = fake_clock, .clock_context = f};
    assert_int_equal(loop_new(&options, &f->loop, NULL), STATUS_OK);
    const struct egress_options egress = {.private_allow = private_allow, .http_allow = http_allow};
    assert_int_equal(egress_rules_new(&egress, &f->rules, NULL), STATUS_OK);
    const struct http_client_options client = {.loop = f->loop, .egress = f->rules, .calls_max = 4};
    assert_int_equal(http_client_new(&client, &f->client, NULL), STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_client_free(f->client);
    egress_rules_free(f->rules);
    loop_free(f->loop);
    hostile_stop(f->server);
    free(f);
    return 0;
}

static const char *url_of(const struct fixture *f, const char *host, const char *path,
                          char url[static 1024])
{
    (void)snprintf(url, 1024, "http://%s:%u%s", host, hostile_port(f->server), path);
    return url;
}

static struct outcome start(struct fixture *f, const char *path, const struct http_request *how,
                            struct outcome *outcome, bool is_streamed)
{
    char url[1024];
    struct http_request request   = *how;
    struct http_handlers handlers = {.on_done = on_done, .context = outcome};
    struct error error            = {};
    if (!request.url.ptr) request.url = str_from(url_of(f, "127.0.0.1", path, url));
    request.allow_private = true;
    outcome->fixture      = f;
    if (is_streamed) {
        handlers.on_data    = on_data;
        handlers.on_headers = on_headers;
    }
    status code = http_call_start(f->client, &request, &handlers, &outcome->call, &error);
    if (code != STATUS_OK) print_error("%s\n", error.text);
    assert_int_equal(code, STATUS_OK);
    assert_int_equal(outcome->done_count, 0);
    return *outcome;
}

static void turn_until_done(struct fixture *f, const struct outcome *outcome)
{
    for (int turns = 0; outcome->done_count == 0; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(f->loop, TURN_MS);
    }
    assert_int_equal(outcome->done_count, 1);
}

static void get(struct fixture *f, const char *path, const struct http_request *how,
                struct outcome *outcome)
{
    (void)start(f, path, how, outcome, false);
    turn_until_done(f, outcome);
}

/* --- What works ------------------------------------------------------------------------------- */

static void answers_arrive(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/ok", &(struct http_request){}, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.http_status, 200);
    assert_string_equal(outcome.body.ptr, "ok");
    assert_false(outcome.is_reused);
    assert_true(outcome.was_sent);
    assert_true(outcome.connect_ms >= 0 && outcome.first_byte_ms >= 0 && outcome.total_ms >= 0);

    CLEANUP(outcome_done) struct outcome second = {};
    get(f, "/status/503", &(struct http_request){}, &second);
    assert_int_equal(second.code, STATUS_OK);
    assert_int_equal(second.http_status, 503);
    assert_true(second.is_reused);
    assert_int_equal(hostile_connections(f->server), 1);
    assert_int_equal(http_client_calls(f->client), 0);
}

static void requests_go_out_as_asked(void **state)
{
    struct fixture *f                  = *state;
    const struct http_header headers[] = {
        {.name = str_from("X-One"), .value = str_from("1")},
        {.name = str_from("X-Empty"), .value = str_from("")},
        {.name = str_from("User-Agent"), .value = str_from("test/1")},
    };
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_request request            = {.headers = headers, .header_count = 3};
    get(f, "/echo/../a%2Fb?q=1#frag", &request, &outcome);
    const char *head = outcome.body.ptr;
    assert_non_null(strstr(head, "GET /echo/../a%2Fb?q=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(head, "X-One: 1\r\n"));
    assert_non_null(strstr(head, "X-Empty:\r\n"));
    assert_non_null(strstr(head, "User-Agent: test/1\r\n"));
    assert_null(strstr(head, "Content-Type"));
    assert_null(strstr(head, "Expect"));
    assert_null(strstr(head, "Accept-Encoding"));
    assert_string_equal(outcome.twice.ptr, "first");
}

static void bodies_go_out(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *method, *body, *line;
    } rows[] = {
        {"", "hello", "POST /echo"},   {"PUT", "hello", "PUT /echo"},
        {"PUT", "", "PUT /echo"},      {"DELETE", "", "DELETE /echo"},
        {"GET", "query", "GET /echo"}, {"PATCH", "{}", "PATCH /echo"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(outcome_done) struct outcome outcome = {};
        const struct http_request request            = {.method = str_from(rows[i].method),
                                                        .body   = bytes_from(str_from(rows[i].body))};
        get(f, "/echo", &request, &outcome);
        assert_int_equal(outcome.code, STATUS_OK);
        assert_non_null(strstr(outcome.body.ptr, rows[i].line));
        char length[40];
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(rows[i].body));
        bool has_body = strcmp(rows[i].method, "DELETE") != 0;
        assert_int_equal(strstr(outcome.body.ptr, length) != NULL, has_body);
        assert_null(strstr(outcome.body.ptr, "Content-Type"));
    }
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/post", &(struct http_request){.body = {"a\0b", 3}}, &outcome);
    assert_int_equal(outcome.body.len, 3);
    assert_memory_equal(outcome.body.ptr, "a\0b", 3);
}

static void head_has_no_body(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/status/200", &(struct http_request){.method = str_from("HEAD")}, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.http_status, 200);
    assert_int_equal(outcome.body.len, 0);
}

static void gzip_is_taken_off(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/gzip", &(struct http_request){.is_compressed = true}, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_string_equal(outcome.body.ptr, "zip");
}

static void interim_answers_are_skipped(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    (void)start(f, "/interim", &(struct http_request){}, &outcome, true);
    turn_until_done(f, &outcome);
    assert_int_equal(outcome.headers_count, 1);
    assert_int_equal(outcome.http_status, 200);
    assert_int_equal(outcome.data_bytes, 2);
    assert_int_equal(outcome.body.len, 0);
}

/* --- What fails ------------------------------------------------------------------------------- */

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

/* --- Time ------------------------------------------------------------------------------------- */

static void turn_until(struct fixture *f, const unsigned *count, unsigned enough)
{
    for (int turns = 0; *count < enough; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(f->loop, TURN_MS);
    }
}

static void turn_until_requested(struct fixture *f, unsigned requests)
{
    for (int turns = 0; hostile_requests(f->server) < requests; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(f->loop, TURN_MS);
    }
}

static void expect_timeout(struct fixture *f, struct outcome *outcome, int64_t after_ms,
                           const char *name)
{
    f->now_ms += after_ms - 1;
    loop_turn(f->loop, 0);
    loop_turn(f->loop, 0);
    assert_int_equal(outcome->done_count, 0);
    f->now_ms += 1;
    loop_turn(f->loop, 0);
    assert_int_equal(outcome->done_count, 1);
    assert_string_equal(http_failure_name(outcome->failure), name);
    assert_int_equal(outcome->code, STATUS_DEADLINE_EXCEEDED);
}

static void silence_times_out(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    (void)start(f, "/silent", &(struct http_request){}, &outcome, false);
    turn_until_requested(f, 1);
    expect_timeout(f, &outcome, HTTP_FIRST_BYTE_MS, "timeout_first_byte");
    assert_true(outcome.was_sent);
    assert_int_equal(outcome.first_byte_ms, -1);
}

static void stalling_times_out(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    (void)start(f, "/stall", &(struct http_request){}, &outcome, true);
    turn_until(f, &outcome.data_count, 1);
    expect_timeout(f, &outcome, HTTP_IDLE_MS, "timeout_idle");
    assert_int_equal(outcome.http_status, 200);
}

static void total_time_ends_everything(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_request request            = {
                   .timeouts = {.idle_ms = -1, .first_byte_ms = -1, .total_ms = 5000}};
    (void)start(f, "/stall", &request, &outcome, true);
    turn_until(f, &outcome.data_count, 1);
    expect_timeout(f, &outcome, 5000, "timeout_total");
    assert_int_equal(outcome.total_ms, 5000);
}

static void waiting_for_a_connection_times_out(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    (void)start(f, "/ok", &(struct http_request){}, &outcome, false);
    f->now_ms += HTTP_CONNECT_MS; /* before the first turn: nothing has begun */
    for (int i = 0; i < 2 && outcome.done_count == 0; i++) loop_turn(f->loop, 0);
    assert_int_equal(outcome.done_count, 1);
    assert_string_equal(http_failure_name(outcome.failure), "timeout_connect");
    assert_false(outcome.was_sent);
}

/* --- Streams ---------------------------------------------------------------------------------- */

static void paused_stream_waits(void **state)
{
    enum { SIZE = 4 << 20 };
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {.flow = HTTP_PAUSE};
    (void)start(f, "/bytes/4194304", &(struct http_request){.is_stream = true}, &outcome, true);
    turn_until(f, &outcome.data_count, 1);
    f->now_ms += 10 * HTTP_IDLE_MS; /* being paused is not being idle */
    for (int i = 0; i < 5; i++) loop_turn(f->loop, 0);
    assert_int_equal(outcome.data_count, 1);
    assert_int_equal(outcome.done_count, 0);

    http_call_resume(outcome.call); /* takes nothing again */
    turn_until(f, &outcome.data_count, 2);
    outcome.flow = HTTP_GO_ON;
    http_call_resume(outcome.call);
    turn_until_done(f, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.data_bytes, SIZE);
}

static void consumer_may_stop(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome by_data = {.flow = HTTP_STOP};
    (void)start(f, "/huge", &(struct http_request){}, &by_data, true);
    turn_until_done(f, &by_data);
    assert_int_equal(by_data.code, STATUS_CANCELLED);
    assert_string_equal(http_failure_name(by_data.failure), "stopped");

    CLEANUP(outcome_done) struct outcome by_headers = {.headers_flow = HTTP_STOP};
    (void)start(f, "/huge", &(struct http_request){}, &by_headers, true);
    turn_until_done(f, &by_headers);
    assert_string_equal(http_failure_name(by_headers.failure), "stopped");
    assert_int_equal(by_headers.data_count, 0);
}

static void turn_until_ended(struct fixture *f, unsigned connections)
{
    for (int turns = 0; hostile_ended(f->server) < connections; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(f->loop, TURN_MS);
    }
}

static void cancelled_call_is_silent(void **state)
{
    struct fixture *f = *state;

    struct outcome queued = {};
    (void)start(f, "/ok", &(struct http_request){}, &queued, true);
    http_call_cancel(queued.call);
    assert_int_equal(http_client_calls(f->client), 0);

    struct outcome waiting = {};
    (void)start(f, "/silent", &(struct http_request){}, &waiting, true);
    turn_until_requested(f, 1);
    http_call_cancel(waiting.call);
    turn_until_ended(f, 1); /* the server sees it */

    struct outcome itself = {.cancels_itself = true};
    (void)start(f, "/huge", &(struct http_request){}, &itself, true);
    turn_until_ended(f, 2);
    assert_int_equal(itself.data_count, 1);

    struct outcome victim = {};
    (void)start(f, "/silent", &(struct http_request){}, &victim, true);
    turn_until_requested(f, 3);
    CLEANUP(outcome_done) struct outcome killer = {.victim = victim.call};
    (void)start(f, "/bytes/10", &(struct http_request){}, &killer, true);
    turn_until_done(f, &killer);
    turn_until_ended(f, 3);

    assert_int_equal(queued.done_count + waiting.done_count + itself.done_count, 0);
    assert_int_equal(victim.done_count, 0);
    assert_int_equal(http_client_calls(f->client), 0);
}

static void client_ends_with_calls_under_way(void **state)
{
    struct fixture *f        = *state;
    struct outcome open[3]   = {};
    const char *const path[] = {"/huge", "/silent", "/ok"};
    for (int i = 0; i < 3; i++) {
        open[i].flow = HTTP_PAUSE;
        (void)start(f, path[i], &(struct http_request){}, &open[i], true);
    }
    turn_until(f, &open[0].data_count, 1);
    http_client_free(f->client);
    f->client = NULL;
    loop_turn(f->loop, 0);
    for (int i = 0; i < 3; i++) assert_int_equal(open[i].done_count, 0);
}

/* --- Pooled connections that are dead ----------------------------------------------------------
 */

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

/* --- The guard -------------------------------------------------------------------------------- */

static void name_of_a_private_address_is_refused(void **state)
{
    struct fixture *f = *state;
    char url[1024];
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_handlers handlers          = {.on_done = on_done, .context = &outcome};
    const struct http_request request = {.url = str_from(url_of(f, "localhost", "/ok", url))};
    assert_int_equal(http_call_start(f->client, &request, &handlers, NULL, NULL), STATUS_OK);
    turn_until_done(f, &outcome);
    assert_string_equal(http_failure_name(outcome.failure), "refused");
    assert_int_equal(outcome.code, STATUS_PERMISSION_DENIED);
    assert_false(outcome.was_sent);
    assert_non_null(strstr(outcome.error.text, "loopback"));
    assert_int_equal(hostile_connections(f->server), 0);
}

static void pooled_connection_is_checked_again(void **state)
{
    struct fixture *f = *state;
    char url[1024];
    const struct http_request local = {.url = str_from(url_of(f, "localhost", "/ok", url))};
    CLEANUP(outcome_done) struct outcome allowed = {};
    get(f, "", &local, &allowed);
    assert_int_equal(allowed.http_status, 200);

    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_handlers handlers          = {.on_done = on_done, .context = &outcome};
    assert_int_equal(http_call_start(f->client, &local, &handlers, NULL, NULL), STATUS_OK);
    turn_until_done(f, &outcome);
    assert_string_equal(http_failure_name(outcome.failure), "refused");
    assert_false(outcome.was_sent);
    assert_int_equal(hostile_requests(f->server), 1);
}

/* --- Redirects -------------------------------------------------------------------------------- */

static const struct http_header secrets[] = {
    {.name = {"Authorization", 13}, .value = {"Bearer s3cret", 13}},
    {.name = {"X-Api-Key", 9}, .value = {"s3cret", 6}, .is_secret = true},
    {.name = {"X-Plain", 7}, .value = {"stays", 5}},
};

static void same_origin_keeps_credentials(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_request request = {.headers = secrets, .header_count = 3, .redirects_max = 1};
    get(f, "/to?/echo", &request, &outcome);
    assert_int_equal(outcome.http_status, 200);
    assert_non_null(strstr(outcome.body.ptr, "Authorization: Bearer s3cret"));
    assert_non_null(strstr(outcome.body.ptr, "X-Api-Key: s3cret"));
    assert_non_null(strstr(outcome.url.ptr, "/echo"));
}

static void other_origin_gets_no_credentials(void **state)
{
    struct fixture *f = *state;
    char url[1024];
    char path[1100];
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_request request = {.headers = secrets, .header_count = 3, .redirects_max = 1};
    (void)snprintf(path, sizeof path, "/to?%s", url_of(f, "localhost", "/echo", url));
    get(f, path, &request, &outcome);
    assert_int_equal(outcome.http_status, 200);
    assert_null(strstr(outcome.body.ptr, "s3cret"));
    assert_non_null(strstr(outcome.body.ptr, "X-Plain: stays"));
}

static void writes_are_redirected_at_home_only(void **state)
{
    struct fixture *f = *state;
    char url[1024];
    char path[1100];
    const struct http_request request = {.body = {"data", 4}, .redirects_max = 3};

    CLEANUP(outcome_done) struct outcome home = {};
    get(f, "/to?/post", &request, &home);
    assert_int_equal(home.http_status, 200);
    assert_string_equal(home.body.ptr, "data");

    CLEANUP(outcome_done) struct outcome away = {};
    (void)snprintf(path, sizeof path, "/to?%s", url_of(f, "localhost", "/post", url));
    get(f, path, &request, &away);
    assert_int_equal(away.http_status, 307);
    assert_string_equal(away.body.ptr, "moved");

    CLEANUP(outcome_done) struct outcome other = {};
    get(f, "/see?/ok", &request, &other);
    assert_int_equal(other.http_status, 303);
}

static void redirects_need_permission(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/to?/ok", &(struct http_request){}, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.http_status, 307);

    static const char *const hosts[]          = {"127.0.0.1", NULL};
    CLEANUP(outcome_done) struct outcome away = {};
    char url[1024];
    char path[1100];
    (void)snprintf(path, sizeof path, "/see?%s", url_of(f, "localhost", "/ok", url));
    get(f, path, &(struct http_request){.redirects_max = 1, .hosts = hosts}, &away);
    assert_string_equal(http_failure_name(away.failure), "refused");
}

static void rewrites_change_the_connection_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    char rewrite[64];
    (void)snprintf(rewrite, sizeof rewrite, "localhost:1=127.0.0.1:%u", hostile_port(f->server));
    const struct http_client_options options = {
        .loop = f->loop, .egress = f->rules, .rewrites = (const char *const[]){rewrite, NULL}};
    http_client_free(f->client);
    assert_int_equal(http_client_new(&options, &f->client, NULL), STATUS_OK);
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_request request            = {.url = str_from("http://localhost:1/echo")};
    get(f, "", &request, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_string_equal(outcome.url.ptr, "http://localhost:1/echo");
    assert_non_null(strstr(outcome.body.ptr, "Host: localhost:1\r\n"));
}

static void a_rewrite_that_is_none_is_refused(void **state)
{
    const struct fixture *f             = *state;
    static const char *const rewrites[] = {"", "a:80", "a=b:80", "a:80=b", "=:"};
    for (size_t i = 0; i < ARRAY_LEN(rewrites); i++) {
        const struct http_client_options options = {
            .loop = f->loop, .rewrites = (const char *const[]){rewrites[i], NULL}};
        struct http_client *client = NULL;
        assert_int_equal(http_client_new(&options, &client, NULL), STATUS_INVALID_ARGUMENT);
        assert_null(client);
    }
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    if (http_init(NULL) != STATUS_OK) return 1;
    const struct CMUnitTest plain[] = {
        WITH_FIXTURE(rewrites_change_the_connection_and_nothing_else),
        WITH_FIXTURE(a_rewrite_that_is_none_is_refused),
        WITH_FIXTURE(answers_arrive),
        WITH_FIXTURE(requests_go_out_as_asked),
        WITH_FIXTURE(bodies_go_out),
        WITH_FIXTURE(head_has_no_body),
        WITH_FIXTURE(gzip_is_taken_off),
        WITH_FIXTURE(interim_answers_are_skipped),
        WITH_FIXTURE(exact_limits_pass),
        WITH_FIXTURE(connecting_fails_apart),
        WITH_FIXTURE(bad_requests_are_refused_at_once),
        WITH_FIXTURE(calls_are_limited),
        WITH_FIXTURE(silence_times_out),
        WITH_FIXTURE(stalling_times_out),
        WITH_FIXTURE(total_time_ends_everything),
        WITH_FIXTURE(waiting_for_a_connection_times_out),
        WITH_FIXTURE(paused_stream_waits),
        WITH_FIXTURE(consumer_may_stop),
        WITH_FIXTURE(cancelled_call_is_silent),
        WITH_FIXTURE(client_ends_with_calls_under_way),
        WITH_FIXTURE(harmless_request_is_repeated),
        WITH_FIXTURE(other_request_is_not_repeated),
        WITH_FIXTURE(name_of_a_private_address_is_refused),
        WITH_FIXTURE(pooled_connection_is_checked_again),
        WITH_FIXTURE(same_origin_keeps_credentials),
        WITH_FIXTURE(other_origin_gets_no_credentials),
        WITH_FIXTURE(writes_are_redirected_at_home_only),
        WITH_FIXTURE(redirects_need_permission),
    };
    struct CMUnitTest rows[ARRAY_LEN(failing)];
    for (size_t i = 0; i < ARRAY_LEN(failing); i++) {
        rows[i] = row_test(failing[i].name, failure_is_classified, &failing[i]);
    }
    int failed = cmocka_run_group_tests(plain, NULL, NULL);
    return failed + cmocka_run_group_tests(rows, NULL, NULL);
}
