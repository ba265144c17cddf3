/* A client on a loop that the test turns, with a clock it sets, and a server that misbehaves. */
#ifndef SUPPORT_HTTP_CLIENT_FIXTURE_H
#define SUPPORT_HTTP_CLIENT_FIXTURE_H

#include "http/http_internal.h"

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
    size_t data_bytes, data_most; /* at once */
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

static inline enum http_flow on_headers(const struct http_answer *answer, void *context)
{
    struct outcome *outcome = context;
    outcome->headers_count++;
    outcome->http_status = answer->http_status;
    return outcome->headers_flow;
}

static inline enum http_flow on_data(str data, void *context)
{
    struct outcome *outcome = context;
    outcome->data_count++;
    if (data.len > outcome->data_most) outcome->data_most = data.len;
    if (outcome->cancels_itself) http_call_cancel(outcome->call);
    if (outcome->victim) http_call_cancel(outcome->victim);
    outcome->victim = NULL;
    if (outcome->flow == HTTP_GO_ON) outcome->data_bytes += data.len;
    return outcome->flow;
}

static inline void on_done(const struct http_result *result, void *context)
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

static inline void outcome_done(struct outcome *outcome)
{
    buf_done(&outcome->body);
    buf_done(&outcome->url);
    buf_done(&outcome->twice);
}

static inline int64_t fake_clock(void *context)
{
    const struct fixture *fixture = context;
    return fixture->now_ms;
}

/* Which transport the tests are about: mains run theirs twice. */
static bool goes_by_curl;

static inline struct http_client *new_client(const struct http_client_options *options)
{
    struct http_client *client = NULL;
    assert_int_equal(http_client_new(options, &client, NULL), STATUS_OK);
    if (goes_by_curl) http_client_use_curl(client);
    return client;
}

static inline int set_up(void **state)
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
    f->client                               = new_client(&client);
    *state                                  = f;
    return 0;
}

static inline int tear_down(void **state)
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

static inline struct outcome start(struct fixture *f, const char *path,
                                   const struct http_request *how, struct outcome *outcome,
                                   bool is_streamed)
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

static inline void turn_until_done(struct fixture *f, const struct outcome *outcome)
{
    for (int turns = 0; outcome->done_count == 0; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(f->loop, TURN_MS);
    }
    assert_int_equal(outcome->done_count, 1);
}

static inline void get(struct fixture *f, const char *path, const struct http_request *how,
                       struct outcome *outcome)
{
    (void)start(f, path, how, outcome, false);
    turn_until_done(f, outcome);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
