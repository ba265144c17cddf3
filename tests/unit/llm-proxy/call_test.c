/*
 * Calls against real HTTP upstreams in this process: what is tried again, where, and with which
 * key. The upstream answers from a script, a row per request, and writes down what it saw.
 */
#include "llm-proxy/call/call.h"

#include "base/mem.h"

#include "cmocka.h"
#include "httpd/httpd.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 8 << 20, SCRIPT_MAX = 12, TURNS_MAX = 20'000, KEY_SIZE = 64 };

struct reply {
    int http_status;
    const char *body;
    const char *retry_after_ms; /* NULL: none */
};

struct upstream {
    struct httpd *httpd;
    struct reply script[SCRIPT_MAX];
    size_t requests;
    char keys[SCRIPT_MAX][KEY_SIZE]; /* the Authorization of each request */
};

static bool on_route(struct httpd_handle, const struct httpd_request *, struct httpd_route *route,
                     void *)
{
    route->body_max = 1 << 20;
    return true;
}

static void on_request(struct httpd_handle handle, struct httpd_request *request, void *,
                       void *context)
{
    struct upstream *upstream = context;
    assert_true(upstream->requests < SCRIPT_MAX);
    const struct reply *reply = &upstream->script[upstream->requests];
    str key                   = httpd_request_field(request, "authorization");
    (void)snprintf(upstream->keys[upstream->requests], KEY_SIZE, STR_FMT, STR_ARG(key));
    upstream->requests++;
    bool is_stream                    = strncmp(reply->body, "data:", 5) == 0;
    const struct httpd_field fields[] = {
        {str_from("Content-Type"), str_from(is_stream ? "text/event-stream" : "application/json")},
        {str_from("retry-after-ms"), str_from(reply->retry_after_ms ? reply->retry_after_ms : "")}};
    const struct httpd_response response = {.http_status = reply->http_status,
                                            .fields      = fields,
                                            .field_count = reply->retry_after_ms ? 2 : 1,
                                            .body        = str_from(reply->body)};
    httpd_respond(upstream->httpd, handle, &response);
    httpd_request_free(request);
}

#define GOOD_BODY                                                                                  \
    "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}],\"usage\":{"     \
    "\"prompt_tokens\":1,\"completion_tokens\":1}}"

#define GOOD                                                                                       \
    {                                                                                              \
        200, GOOD_BODY, NULL                                                                       \
    }
#define BROKEN                                                                                     \
    {                                                                                              \
        500, "{}", NULL                                                                            \
    }
#define BUSY                                                                                       \
    {                                                                                              \
        529, "{}", NULL                                                                            \
    }
#define BAD                                                                                        \
    {                                                                                              \
        400, "{\"error\":{\"message\":\"bad\"}}", NULL                                             \
    }
#define NO_KEY                                                                                     \
    {                                                                                              \
        401, "{}", NULL                                                                            \
    }
#define LIMITED                                                                                    \
    {                                                                                              \
        429, "{}", "5"                                                                             \
    }
#define LIMIT_MIN                                                                                  \
    {                                                                                              \
        429, "{}", "60000"                                                                         \
    }
#define QUOTA                                                                                      \
    {                                                                                              \
        429, "{\"error\":{\"type\":\"insufficient_quota\"}}", NULL                                 \
    }

struct world {
    struct loop *loop;
    struct upstream upstreams[2];
    struct egress_rules *egress;
    struct http_client *http;
    struct metrics *metrics;
    struct measures *measures;
    struct catalog *catalog; /* too large for a stack */
    struct pipeline *pipeline;
    struct llm_route route;
    char urls[2][64];
    struct arena *arena;
    json body;
    struct chat_request *request;
    bool is_done, is_ok;
    uint32_t tries;
    enum llm_error_class class;
    int64_t retry_after_ms; /* that a failure tells */
    char provider[64];
    char heard[128]; /* of a stream: the texts of the try */
    bool is_committed;
    Pb__Usage usage;
    char attempts[256];   /* "provider key outcome input|..." */
    char tries_text[256]; /* as a header */
};

static void open_upstream(struct world *world, int index)
{
    struct upstream *upstream          = &world->upstreams[index];
    const struct httpd_options options = {.host       = "127.0.0.1",
                                          .loops      = &world->loop,
                                          .loop_count = 1,
                                          .handlers   = {.route = on_route, .handle = on_request},
                                          .context    = upstream};
    assert_int_equal(httpd_start(&options, &upstream->httpd, NULL), STATUS_OK);
    (void)snprintf(world->urls[index], sizeof world->urls[index], "http://127.0.0.1:%u/v1",
                   httpd_port(upstream->httpd));
    world->catalog->providers[index] = (struct provider){
        .name       = index == 0 ? "first" : "second",
        .kind       = &provider_compatible,
        .base_url   = world->urls[index],
        .plain_host = "127.0.0.1",
        .keys       = {{.name = "k1", .value = str_from("k1"), .weight = 2},
                       {.name = "k2", .value = str_from("k2"), .weight = 1}},
        .key_count  = 2,
    };
    world->route.targets[index] =
        (struct route_target){.provider = &world->catalog->providers[index],
                              .model    = str_from("m"),
                              .weight   = index == 0};
}

static void open_world(struct world *world)
{
    static const char *const networks[] = {"127.0.0.0/8", NULL};
    static const char *const hosts[]    = {"127.0.0.1", NULL};
    static const char body[] =
        "{\"model\":\"r\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
    *world = (struct world){
        .route = {.retry = {.attempts = 2, .delay_ms = 1, .delay_ms_max = 2, .wait_ms_max = 1'000},
                  .timeouts = {.connect_ms    = 2'000,
                               .first_byte_ms = 5'000,
                               .idle_ms       = 5'000,
                               .total_ms      = 10'000}}};
    world->catalog = mem_new(1, sizeof *world->catalog);
    assert_int_equal(loop_new(NULL, &world->loop, NULL), STATUS_OK);
    open_upstream(world, 0);
    open_upstream(world, 1);
    world->catalog->provider_count = 2;
    world->route.target_count      = 2;

    const struct egress_options egress = {.private_allow = networks, .http_allow = hosts};
    assert_int_equal(egress_rules_new(&egress, &world->egress, NULL), STATUS_OK);
    const struct http_client_options http = {.loop = world->loop, .egress = world->egress};
    assert_int_equal(http_client_new(&http, &world->http, NULL), STATUS_OK);
    world->metrics                        = metrics_new();
    world->measures                       = measures_new(world->metrics);
    const struct pipeline_options options = {.loop     = world->loop,
                                             .catalog  = world->catalog,
                                             .http     = world->http,
                                             .measures = world->measures,
                                             .seed     = 1};
    world->pipeline                       = pipeline_new(&options);
    world->arena                          = arena_new(ARENA_MAX);
    assert_int_equal(json_parse(str_from(body), NULL, &world->body, NULL, NULL), STATUS_OK);
    assert_int_equal(chat_from_openai(world->body, world->arena, &world->request, NULL), STATUS_OK);
}

static void close_world(struct world *world)
{
    pipeline_freep(&world->pipeline);
    http_client_freep(&world->http);
    for (int i = 0; i < 2; i++) {
        httpd_stop(world->upstreams[i].httpd);
        loop_turn(world->loop, 0);
        httpd_free(world->upstreams[i].httpd);
    }
    egress_rules_free(world->egress);
    loop_free(world->loop);
    measures_freep(&world->measures);
    metrics_free(world->metrics);
    json_unref(world->body);
    arena_free(world->arena);
    free(world->catalog);
}

static void on_done(const struct llm_outcome *outcome, void *context)
{
    struct world *world = context;
    world->is_done      = true;
    world->is_ok        = outcome->is_ok;
    world->tries        = outcome->tries;
    world->is_committed = outcome->is_committed;
    world->usage        = outcome->usage;
    if (!outcome->is_ok) world->class = outcome->error.class;
    if (!outcome->is_ok) world->retry_after_ms = outcome->error.retry_after_ms;
    CLEANUP(buf_done) struct buf tries = buf_init(sizeof world->tries_text - 1);
    attempts_print(outcome->attempts, sizeof world->tries_text - 1, &tries);
    (void)snprintf(world->tries_text, sizeof world->tries_text, STR_FMT, STR_ARG(buf_str(&tries)));
    world->attempts[0] = '\0';
    for (const struct llm_attempt *at = outcome->attempts; at; at = at->next) {
        size_t len = strlen(world->attempts);
        (void)snprintf(world->attempts + len, sizeof world->attempts - len, "%s %s %s %d|",
                       at->provider, at->key ? at->key : "-", at->outcome, (int)at->input_tokens);
        assert_true(at->duration_ms >= 0);
    }
    (void)snprintf(world->provider, sizeof world->provider, "%s", outcome->provider);
}

static void on_begun(const struct llm_try *, void *context)
{
    ((struct world *)context)->heard[0] = '\0';
}

static void on_event(const struct llm_event *event, void *context)
{
    struct world *world = context;
    size_t at           = strlen(world->heard);
    assert_true(event->kind != LLM_ERROR && event->kind != LLM_END);
    if (event->kind != LLM_TEXT) return;
    (void)snprintf(world->heard + at, sizeof world->heard - at, STR_FMT, STR_ARG(event->bytes));
}

static void run_call(struct world *world)
{
    const struct llm_stream stream = {.begun = on_begun, .event = on_event, .context = world};
    world->is_done                 = false;
    struct llm_call *call =
        llm_call_start(world->pipeline, world->request, &world->route, 0, on_done, world);
    if (world->request->is_stream) llm_call_stream(call, &stream);
    assert_false(world->is_done); /* never before the start has returned */
    for (int i = 0; i < TURNS_MAX && !world->is_done; i++) loop_turn(world->loop, 10);
    assert_true(world->is_done);
}

/* --- what a failure leads to -------------------------------------------------------------------
 */

struct row {
    const char *name;
    struct reply first[4], second[4]; /* scripts; http_status 0 ends one */
    bool is_ok;
    size_t requests_first, requests_second;
    enum llm_error_class class; /* of a failure */
};

/* clang-format off */
static const struct row rows[] = {
    {"good at once",                 {GOOD}, {}, true, 1, 0, 0},
    {"a server error, then good",    {BROKEN, GOOD}, {}, true, 2, 0, 0},
    {"overloaded: the fallback",     {BUSY}, {GOOD}, true, 1, 1, 0},
    {"nobody else: after a while",   {BROKEN, BROKEN}, {BUSY, GOOD}, true, 2, 2, 0},
    {"twice broken: the fallback",   {BROKEN, BROKEN}, {GOOD}, true, 2, 1, 0},
    {"all broken",                   {BROKEN, BROKEN}, {BROKEN, BROKEN}, false, 2, 2, LLM_ERROR_SERVER},
    {"a bad request is not tried again", {BAD}, {GOOD}, false, 1, 0, LLM_ERROR_REQUEST},
    {"a refused key: the other one", {NO_KEY, GOOD}, {}, true, 2, 0, 0},
    {"both keys refused: fallback",  {NO_KEY, NO_KEY}, {GOOD}, true, 2, 1, 0},
    {"a limit: the other key",       {LIMITED, GOOD}, {}, true, 2, 0, 0},
    {"a long limit: the fallback",   {LIMIT_MIN, LIMIT_MIN}, {GOOD}, true, 2, 1, 0},
    {"a spent account: other key",   {QUOTA, GOOD}, {}, true, 2, 0, 0},
    {"malformed answer, then good",  {{200, "<html>", NULL}, GOOD}, {}, true, 2, 0, 0},
};
/* clang-format on */

static void leads_to(void **state)
{
    const struct row *row = *state;
    struct world world;
    open_world(&world);
    for (size_t i = 0; i < 4; i++) {
        world.upstreams[0].script[i] = row->first[i];
        world.upstreams[1].script[i] = row->second[i];
    }
    run_call(&world);
    assert_int_equal(world.is_ok, row->is_ok);
    assert_int_equal(world.upstreams[0].requests, row->requests_first);
    assert_int_equal(world.upstreams[1].requests, row->requests_second);
    assert_int_equal(world.tries, row->requests_first + row->requests_second);
    if (!row->is_ok) {
        assert_string_equal(llm_error_class_name(world.class), llm_error_class_name(row->class));
    }
    close_world(&world);
}

/* The rest that it asked for the first time is over when it asks for the next one. */
static void tells_of_the_newest_rest(void **)
{
    const struct reply limited = {429, "{}", "300"};
    struct world world;
    open_world(&world);
    world.route.target_count              = 1;
    world.catalog->providers[0].key_count = 0;
    world.upstreams[0].script[0]          = limited;
    world.upstreams[0].script[1]          = limited;
    run_call(&world);
    assert_false(world.is_ok);
    assert_int_equal(world.tries, 2);
    assert_in_range(world.retry_after_ms, 2, 300);
    close_world(&world);
}

/* Who was asked, with which key, and what became of it; nothing where the first one went well. */
static void every_try_is_told(void **)
{
    struct world world;
    open_world(&world);
    world.upstreams[0].script[0] = (struct reply)NO_KEY;
    world.upstreams[0].script[1] = (struct reply)BROKEN;
    world.upstreams[1].script[0] = (struct reply)GOOD;
    run_call(&world);
    assert_true(world.is_ok);
    assert_string_equal(world.attempts, "first k1 key 0|first k2 server 0|second k1 ok 1|");
    static const char *const words[] = {"first/m;outcome=key;ms=", ", first/m;outcome=server;ms=",
                                        ", second/m;outcome=ok;ms=", ";input=1;output=1;cost="};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!strstr(world.tries_text, words[i])) fail_msg("%s: no %s", world.tries_text, words[i]);
    }
    close_world(&world);
    open_world(&world);
    world.upstreams[0].script[0] = (struct reply)GOOD;
    run_call(&world);
    assert_string_equal(world.attempts, "");
    assert_string_equal(world.tries_text, "");
    close_world(&world);
}

/* --- streams -----------------------------------------------------------------------------------
 */

#define SSE(TEXT)                                                                                  \
    {                                                                                              \
        200, TEXT, NULL                                                                            \
    }
#define ROLE                                                                                       \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
#define SAY(TEXT) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" TEXT "\"}}]}\n\n"
#define USED(IN, OUT)                                                                              \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":" #IN ",\"completion_tokens\":" #OUT       \
    "}}\n\n"
#define ENDED      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE       "data: [DONE]\n\n"
#define OVERLOADED "data: {\"error\":{\"message\":\"no\",\"type\":\"overloaded_error\"}}\n\n"

struct streamed {
    const char *name;
    struct reply first[2], second[2];
    bool is_ok, is_committed;
    uint32_t tries;
    const char *heard;
    int64_t input_tokens, output_tokens; /* charged */
};

/* clang-format off */
static const struct streamed streamed[] = {
    {"whole", {SSE(ROLE SAY("so ") SAY("far") ENDED USED(7, 9) DONE)}, {}, true, true, 1, "so far", 7, 9},
    {"usage is estimated if nobody says it", {SSE(SAY("eight by") SAY("tes") ENDED DONE)}, {}, true, true, 1, "eight bytes", 1, 3},
    {"an error before words is tried elsewhere", {SSE(ROLE OVERLOADED)}, {SSE(SAY("hi") ENDED USED(1, 1) DONE)}, true, true, 2, "hi", 1, 1},
    {"what a failed try says it has used is charged", {SSE(ROLE USED(5, 0) OVERLOADED)}, {SSE(SAY("hi") ENDED USED(1, 1) DONE)}, true, true, 2, "hi", 6, 1},
    {"empty, cut: the fallback", {SSE(ROLE DONE), SSE(ROLE)}, {SSE(SAY("hi") ENDED USED(1, 1) DONE)}, true, true, 3, "hi", 1, 1},
    {"an error after words is the end", {SSE(SAY("so far") OVERLOADED)}, {}, false, true, 1, "so far", 1, 2},
    {"a cut after words is the end", {SSE(ROLE SAY("so far"))}, {}, false, true, 1, "so far", 1, 2},
    {"an end without words is an answer", {SSE(ROLE ENDED USED(1, 0) DONE)}, {}, true, true, 1, "", 1, 0},
    {"a whole answer to who asked for a stream", {GOOD}, {}, true, true, 1, "hi", 1, 1},
    {"a refusal is no stream", {BAD}, {}, false, false, 1, "", 0, 0},
};
/* clang-format on */

static void is_heard(void **state)
{
    const struct streamed *row = *state;
    struct world world;
    open_world(&world);
    world.request->is_stream = true;
    for (size_t i = 0; i < 2; i++) {
        world.upstreams[0].script[i] = row->first[i];
        world.upstreams[1].script[i] = row->second[i];
    }
    run_call(&world);
    assert_string_equal(world.heard, row->heard);
    assert_int_equal(world.tries, row->tries);
    assert_int_equal(world.is_ok, row->is_ok);
    assert_int_equal(world.is_committed, row->is_committed);
    assert_int_equal(world.usage.input_tokens, row->input_tokens);
    assert_int_equal(world.usage.output_tokens, row->output_tokens);
    close_world(&world);
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static void a_refused_key_is_not_used_again(void **)
{
    struct world world;
    open_world(&world);
    world.upstreams[0].script[0] = (struct reply)NO_KEY;
    for (size_t i = 1; i < 4; i++) world.upstreams[0].script[i] = (struct reply)GOOD;
    for (int i = 0; i < 3; i++) run_call(&world);
    assert_string_not_equal(world.upstreams[0].keys[0], world.upstreams[0].keys[1]);
    assert_string_equal(world.upstreams[0].keys[1], world.upstreams[0].keys[2]);
    assert_string_equal(world.upstreams[0].keys[1], world.upstreams[0].keys[3]);
    close_world(&world);
}

/* GOOD uses two tokens. */
static void a_key_that_is_used_up_is_passed_over(void **)
{
    static const struct provider_key limits[] = {
        {.requests_per_minute = 1}, {.tokens_per_minute = 2}, {.tokens_per_minute = 1}};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct world world;
        open_world(&world);
        for (size_t k = 0; k < 2; k++) {
            struct provider_key *key = &world.catalog->providers[0].keys[k];
            key->requests_per_minute = limits[i].requests_per_minute;
            key->tokens_per_minute   = limits[i].tokens_per_minute;
            for (size_t n = 0; n < 4; n++) world.upstreams[k].script[n] = (struct reply)GOOD;
        }
        run_call(&world);
        run_call(&world);
        assert_int_equal(world.upstreams[0].requests, 2);
        assert_string_not_equal(world.upstreams[0].keys[0], world.upstreams[0].keys[1]);
        run_call(&world); /* both are used up: the fallback */
        assert_true(world.is_ok);
        assert_string_equal(world.provider, "second");
        assert_int_equal(world.upstreams[0].requests, 2);
        world.route.target_count = 1;
        run_call(&world);
        assert_false(world.is_ok);
        assert_int_equal(world.class, LLM_ERROR_LIMIT);
        close_world(&world);
    }
}

static void a_key_has_so_many_calls_at_a_time(void **)
{
    struct world world;
    open_world(&world);
    for (size_t k = 0; k < 2; k++) {
        world.catalog->providers[0].keys[k].parallel = 1;
        for (size_t n = 0; n < 4; n++) world.upstreams[k].script[n] = (struct reply)GOOD;
    }
    for (int i = 0; i < 3; i++) {
        llm_call_start(world.pipeline, world.request, &world.route, 0, on_done, &world);
    }
    for (int i = 0; i < 2'000 && world.upstreams[1].requests == 0; i++) loop_turn(world.loop, 1);
    assert_int_equal(world.upstreams[1].requests, 1);
    for (int i = 0; i < 2'000 && world.upstreams[0].requests < 2; i++) loop_turn(world.loop, 1);
    for (int i = 0; i < 2'000 && http_client_calls(world.http) > 0; i++) loop_turn(world.loop, 1);
    world.is_done = false;
    run_call(&world); /* they are over */
    assert_string_equal(world.provider, "first");
    close_world(&world);
}

static void a_cancelled_call_says_nothing(void **)
{
    struct world world;
    open_world(&world);
    world.upstreams[0].script[0] = (struct reply)GOOD;
    struct llm_call *call =
        llm_call_start(world.pipeline, world.request, &world.route, 0, on_done, &world);
    llm_call_cancel(call);
    for (int i = 0; i < 20; i++) loop_turn(world.loop, 1);
    assert_false(world.is_done);
    assert_int_equal(http_client_calls(world.http), 0);
    close_world(&world);
}

/* What does not fit is counted; what is no word of a header is not said. */
static void tries_are_a_header(void **)
{
    struct llm_attempt third  = {.provider = "c", .model = str_from("m"), .outcome = "ok"};
    struct llm_attempt second = {
        .provider = "b", .model = str_from("m;x=1"), .outcome = "timeout", .next = &third};
    const struct llm_attempt first   = {.provider    = "a",
                                        .model       = str_from("m"),
                                        .outcome     = "server",
                                        .duration_ms = 12,
                                        .next        = &second};
    CLEANUP(buf_done) struct buf all = buf_init(1'000);
    attempts_print(&first, 1'000, &all);
    assert_string_equal(buf_str(&all).ptr, "a/m;outcome=server;ms=12, b/*;outcome=timeout;ms=0, "
                                           "c/m;outcome=ok;ms=0");
    CLEANUP(buf_done) struct buf some = buf_init(1'000);
    attempts_print(&first, 60, &some);
    assert_string_equal(buf_str(&some).ptr, "a/m;outcome=server;ms=12, more;count=2");

    CLEANUP(arena_freep) struct arena *arena = arena_new(10'000);
    struct llm_attempt *list                 = NULL;
    attempts_copy(&second, arena, &list);
    attempts_copy(&third, arena, &list);
    attempts_copy(NULL, arena, &list);
    CLEANUP(json_unrefp) json value = attempts_value_new(list);
    assert_int_equal(json_count(value), 3);
    assert_true(json_is(attempts_value_new(NULL), JSON_INVALID));
}

int main(void)
{
    assert_int_equal(http_init(NULL), STATUS_OK);
    struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(streamed) + 7];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[count++] = row_test(rows[i].name, leads_to, &rows[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(streamed); i++) {
        tests[count++] = row_test(streamed[i].name, is_heard, &streamed[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(tells_of_the_newest_rest);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(every_try_is_told);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(tries_are_a_header);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_refused_key_is_not_used_again);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_key_that_is_used_up_is_passed_over);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_key_has_so_many_calls_at_a_time);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_cancelled_call_says_nothing);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
