/* The gateway over real sockets, in front of a scheduler that the test plays. */
#include "cmocka.h"

#include "base/buf.h"
#include "base/mem.h"
#include "gateway/contract.h"
#include "gateway/gateway.h"
#include "gateway/server.h"
#include "support/gateway/fake_scheduler.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 16 << 20, READ_S = 15 };

struct fixture {
    struct fake_scheduler fake;
    struct gateway *gateway;
    uint16_t port;
    int receive_size;  /* bytes that the kernel takes for a client; 0: as it likes */
    struct buf answer; /* of the last exchange() */
};

static int begin(void **state)
{
    struct fixture *it = calloc(1, sizeof *it);
    static unsigned number; /* cmocka runs one test after the other */
    char name[32];
    (void)snprintf(name, sizeof name, "gateway-test-%u", number++);
    fake_scheduler_start(&it->fake, name);
    const struct options options = {
        .host            = "127.0.0.1",
        .admin_host      = "127.0.0.1",
        .loops           = 2,
        .connections_max = 100,
        .scheduler       = it->fake.url,
        .scheduler_hints = it->fake.hint_url,
        .drain_ms        = 5'000,
    };
    struct error error = {};
    if (gateway_start(&options, &it->gateway, &error) != STATUS_OK) fail_msg("%s", error.text);
    it->port   = gateway_port(it->gateway);
    it->answer = buf_init(ANSWER_MAX);
    *state     = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    gateway_stopp(&it->gateway);
    fake_scheduler_stop(&it->fake);
    buf_done(&it->answer);
    free(it);
    return 0;
}

/* --- a small client ----------------------------------------------------------------------------
 */

static int dial(const struct fixture *it)
{
    int fd                        = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in to   = {.sin_family      = AF_INET,
                                     .sin_port        = htons(it->port),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = READ_S};
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    if (it->receive_size > 0) {
        assert_int_equal(
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &it->receive_size, sizeof it->receive_size), 0);
    }
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, str text)
{
    while (text.len > 0) {
        ssize_t sent = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (sent <= 0) return; /* refused before all of it was read: the answer tells */
        text = str_slice(text, (size_t)sent, text.len);
    }
}

struct wish {
    const char *method;
    const char *path;
    enum fake_key key; /* FAKE_KEY_COUNT: none */
    const char *headers;
    const char *body; /* NULL: none */
    const char *type; /* NULL: JSON */
};

static int ask(struct fixture *it, const struct wish *wish)
{
    CLEANUP(buf_done) struct buf text = buf_init(ANSWER_MAX);
    (void)buf_printf(&text, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", wish->method,
                     wish->path, wish->headers ? wish->headers : "");
    if (wish->key < FAKE_KEY_COUNT) {
        (void)buf_printf(&text, "Authorization: Bearer %s\r\n", it->fake.keys[wish->key].text);
    }
    if (wish->body) {
        (void)buf_printf(&text, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                         wish->type ? wish->type : "application/json", strlen(wish->body));
    }
    (void)buf_printf(&text, "\r\n%s", wish->body ? wish->body : "");
    int fd = dial(it);
    say(fd, buf_str(&text));
    return fd;
}

/* Reads until `needle` has come; NULL: until the end. */
static bool listen_for(struct fixture *it, int fd, const char *needle)
{
    char piece[4096];
    for (;;) {
        if (needle && it->answer.len > 0 &&
            memmem(it->answer.ptr, it->answer.len, needle, strlen(needle))) {
            return true;
        }
        ssize_t size = recv(fd, piece, sizeof piece, 0);
        if (size <= 0) return !needle && size == 0;
        (void)buf_put(&it->answer, piece, (size_t)size);
    }
}

static int finish(struct fixture *it, int fd)
{
    it->answer.len = 0;
    (void)listen_for(it, fd, NULL);
    (void)close(fd);
    (void)buf_put(&it->answer, "", 1);
    int http_status = 0;
    (void)sscanf(it->answer.ptr, "HTTP/1.1 %d", &http_status);
    return http_status;
}

static int exchange(struct fixture *it, const struct wish *wish)
{
    return finish(it, ask(it, wish));
}

static bool has(const struct fixture *it, const char *text)
{
    return strstr(it->answer.ptr, text) != NULL;
}

static const char run_path[] = "/v1/runs/01M80MMGJ40000000006EA9WX1";

static const char *path_of(const char *rest, char path[static 128])
{
    (void)snprintf(path, 128, "%s%s", run_path, rest);
    return path;
}

static int get(struct fixture *it, const char *path)
{
    return exchange(it, &(struct wish){.method = "GET", .path = path, .key = FAKE_DEVELOPER});
}

static int post(struct fixture *it, const char *path, const char *headers, const char *body)
{
    return exchange(it, &(struct wish){.method  = "POST",
                                       .path    = path,
                                       .key     = FAKE_DEVELOPER,
                                       .headers = headers,
                                       .body    = body});
}

/* What the scheduler noted; and what it is to say from now on. */
static bool noted(struct fixture *it, const char *text, const char *expected)
{
    (void)pthread_mutex_lock(&it->fake.mutex);
    bool is_same = strcmp(text, expected) == 0;
    (void)pthread_mutex_unlock(&it->fake.mutex);
    return is_same;
}

static void set_run(struct fixture *it, Pb__RunStatus run_status)
{
    (void)pthread_mutex_lock(&it->fake.mutex);
    it->fake.run_status = run_status;
    (void)pthread_mutex_unlock(&it->fake.mutex);
}

static void set_failure(struct fixture *it, status code)
{
    (void)pthread_mutex_lock(&it->fake.mutex);
    it->fake.fails_with = code;
    (void)pthread_mutex_unlock(&it->fake.mutex);
}

/* --- roles -------------------------------------------------------------------------------------
 */

/* Said here once more, from http-api.md section 5: letters as there. */
static const struct {
    const char *operation;
    const char *may; /* "": anybody, without a key */
} rights[] = {
    {"startRun", "DOX"},
    {"listRuns", "VDOAX"},
    {"getRun", "VDOAX"},
    {"getRunHistory", "VDOAX"},
    {"followRun", "VDOAX"},
    {"getRunResult", "VDOAX"},
    {"cancelRun", "DOX"},
    {"terminateRun", "OX"},
    {"pauseRun", "OX"},
    {"resumeRun", "OX"},
    {"signalRun", "DOX"},
    {"publishEvents", "DOX"},
    {"createSubscription", "DOX"},
    {"listSubscriptions", "DOX"},
    {"getSubscription", "DOX"},
    {"deleteSubscription", "DOX"},
    {"listApprovals", "VDOAX"},
    {"getApproval", "VDOAX"},
    {"approve", "AX"},
    {"reject", "AX"},
    {"editApproval", "AX"},
    {"listWorkflows", "VDOAX"},
    {"putWorkflow", "DOX"},
    {"validateWorkflow", "DOX"},
    {"getWorkflow", "VDOAX"},
    {"listWorkflowVersions", "VDOAX"},
    {"getWorkflowVersion", "VDOAX"},
    {"getWorkflowGraph", "VDOAX"},
    {"listAssistants", "VDOAX"},
    {"putAssistant", "DOX"},
    {"getAssistant", "VDOAX"},
    {"listAssistantVersions", "VDOAX"},
    {"getAssistantVersion", "VDOAX"},
    {"deleteAssistantVersion", "DOX"},
    {"renderAssistant", "DOX"},
    {"listQueues", "VDOAX"},
    {"getQueue", "VDOAX"},
    {"listSecrets", "X"},
    {"chatCompletions", "LDOX"},
    {"getSystemStatus", "VDOAX"},
    {"getVersion", ""},
    {"getHealth", ""},
    {"getOpenapi", ""},
};

static const char *may_of(const char *operation)
{
    for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
        if (strcmp(rights[i].operation, operation) == 0) return rights[i].may;
    }
    fail_msg("%s has no row", operation);
    return NULL;
}

static void put_path(const struct route *route, struct buf *path)
{
    for (size_t i = 0; i < route->segment_count; i++) {
        bool is_param = route->segments[i].len > 0 && route->segments[i].ptr[0] == '{';
        (void)buf_printf(path, "/" STR_FMT, is_param ? 1 : (int)route->segments[i].len,
                         is_param ? "a" : route->segments[i].ptr);
    }
    (void)buf_put_byte(path, '\0');
}

static void each_role_may_what_its_row_says(void **state)
{
    static const char letters[]                       = "VDOAWLX";
    struct fixture *it                                = *state;
    struct error error                                = {};
    const char **operations                           = server_operations();
    CLEANUP(contract_freep) struct contract *contract = NULL;
    assert_int_equal(contract_load(operations, &contract, &error), STATUS_OK);
    free(operations);
    set_run(it, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    uint32_t count             = 0;
    const struct route *routes = contract_routes(contract, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct route *route = &routes[i];
        if (route->is_later) continue;
        const char *may                   = may_of(route->operation);
        CLEANUP(buf_done) struct buf path = buf_init(256);
        put_path(route, &path);
        struct wish wish = {.method = method_name(route->method), .path = path.ptr};
        for (enum fake_key key = FAKE_VIEWER; key <= FAKE_ADMIN; key++) {
            wish.key        = key;
            int http_status = exchange(it, &wish);
            bool is_refused = http_status == 401 || http_status == 403;
            bool is_allowed = !*may || strchr(may, letters[key]) != NULL;
            if (is_refused == is_allowed || http_status == 0) {
                fail_msg("%s by %c: %d", route->operation, letters[key], http_status);
            }
        }
        wish.key        = FAKE_KEY_COUNT;
        int http_status = exchange(it, &wish);
        if ((http_status == 401) != (*may != '\0')) {
            fail_msg("%s without key: %d", route->operation, http_status);
        }
    }
}

static void later_paths_say_so_and_only_to_those_who_may(void **state)
{
    struct fixture *it = *state;
    struct wish wish = {.method = "POST", .path = "/v1/files", .key = FAKE_DEVELOPER, .body = "{}"};
    assert_int_equal(exchange(it, &wish), 501); /* also while the key is not known yet */
    assert_true(has(it, "not_implemented"));
    assert_int_equal(exchange(it, &wish), 501);
    wish.key = FAKE_VIEWER;
    assert_int_equal(exchange(it, &wish), 403);
}

/* --- keys and namespaces -----------------------------------------------------------------------
 */

static void a_key_is_looked_up_once_and_a_bad_one_refused(void **state)
{
    struct fixture *it = *state;
    assert_int_equal(get(it, run_path), 200);
    assert_int_equal(get(it, run_path), 200);
    assert_int_equal(fake_count(&it->fake, &it->fake.looked_up), 1);

    struct wish wish = {.method = "GET", .path = run_path, .key = FAKE_REVOKED};
    assert_int_equal(exchange(it, &wish), 401);
    assert_true(has(it, "WWW-Authenticate: Bearer"));
    wish.key     = FAKE_KEY_COUNT;
    wish.headers = "Authorization: Bearer tutti_000000000000_"
                   "0000000000000000000000000000000000000000000\r\n";
    assert_int_equal(exchange(it, &wish), 401);
    assert_int_equal(exchange(it, &wish), 401);
    assert_int_equal(fake_count(&it->fake, &it->fake.looked_up), 3); /* guesses are remembered */
    wish.headers = "Authorization: Basic eDp5\r\n";
    assert_int_equal(exchange(it, &wish), 401);
}

static void the_namespace_is_the_keys(void **state)
{
    struct fixture *it = *state;
    assert_int_equal(get(it, run_path), 200);
    assert_true(noted(it, it->fake.namespace, "acme"));
    struct wish wish = {.method  = "GET",
                        .path    = run_path,
                        .key     = FAKE_DEVELOPER,
                        .headers = "Tutti-Namespace: other\r\n"};
    assert_int_equal(exchange(it, &wish), 403);
    wish.key = FAKE_ROOT;
    assert_int_equal(exchange(it, &wish), 404);
    assert_true(noted(it, it->fake.namespace, "other"));
    wish.headers = NULL;
    assert_int_equal(exchange(it, &wish), 200);
    assert_true(noted(it, it->fake.namespace, "*"));
    wish.headers = "Tutti-Namespace: No_Name\r\n";
    assert_int_equal(exchange(it, &wish), 400);
}

/* --- requests ----------------------------------------------------------------------------------
 */

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

/* --- waiting -----------------------------------------------------------------------------------
 */

static void a_wait_sees_an_end_that_comes_later(void **state)
{
    struct fixture *it = *state;
    char path[128];
    int fd = ask(it, &(struct wish){
                         .method = "GET", .path = path_of("?wait=30s", path), .key = FAKE_VIEWER});
    fake_await(&it->fake, &it->fake.watches, 1);
    fake_end_run(&it->fake, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_int_equal(finish(it, fd), 200);
    assert_true(has(it, "\"output\":{\"answer\":42}"));
}

static void a_wait_sees_an_end_that_came_before_it(void **state)
{
    struct fixture *it        = *state;
    it->fake.is_slow_to_start = true;
    int fd                    = ask(it, &(struct wish){.method = "POST",
                                                       .path   = "/v1/runs?wait=30s",
                                                       .key    = FAKE_DEVELOPER,
                                                       .body   = "{\"workflow\":\"hello\"}"});
    fake_await(&it->fake, &it->fake.started, 1);
    fake_end_run(&it->fake, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_int_equal(finish(it, fd), 200);
    assert_true(has(it, "\"status\":\"completed\""));
}

static void a_wait_that_is_over_tells_how_it_stands(void **state)
{
    struct fixture *it = *state;
    char path[128];
    assert_int_equal(get(it, path_of("?wait=10ms&view=basic", path)), 200);
    assert_true(has(it, "\"status\":\"running\""));
    assert_false(has(it, "\"input\""));
    assert_int_equal(get(it, path_of("/result?wait=1ms", path)), 202);
    assert_true(has(it, "Retry-After: 1\r\n"));
    assert_int_equal(post(it, "/v1/runs?wait=10ms", NULL, "{\"workflow\":\"hello\"}"), 201);
}

/* Two pulls under way used to replace each other for ever. */
static void pulls_do_not_chase_each_other(void **state)
{
    struct fixture *it = *state;
    char path[128];
    (void)path_of("?wait=10ms", path);
    for (int i = 0; i < 5; i++) assert_int_equal(get(it, path), 200);
    unsigned before = fake_count(&it->fake, &it->fake.pulled);
    for (int i = 0; i < 200; i++) assert_int_equal(get(it, "/v1/version"), 200);
    assert_true(fake_count(&it->fake, &it->fake.pulled) - before <= 1);
    assert_true(before <= 11);
    fake_nudge(&it->fake); /* the next pull tells that nobody waits any more */
    fake_await(&it->fake, &it->fake.unwatches, 1);
}

static void results_follow_the_status(void **state)
{
    struct fixture *it = *state;
    char path[128];
    set_run(it, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_int_equal(get(it, path_of("/result", path)), 200);
    assert_true(has(it, "\r\n\r\n{\"answer\":42}"));
    set_run(it, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    assert_int_equal(get(it, path), 424);
    assert_true(has(it, "run_failed"));
}

/* --- history -----------------------------------------------------------------------------------
 */

static void history_is_paged_from_both_ends(void **state)
{
    struct fixture *it   = *state;
    it->fake.event_count = 5;
    char path[128];
    assert_int_equal(get(it, path_of("/history?page_size=2", path)), 200);
    assert_true(has(it, "\"next_page_token\":\"2\""));
    assert_int_equal(get(it, path_of("/history?page_size=3&page_token=2", path)), 200);
    assert_true(has(it, "\"sequence\":5") && !has(it, "\"sequence\":2") && !has(it, "next_page"));

    assert_int_equal(get(it, path_of("/history?order=newest&page_size=2", path)), 200);
    assert_true(has(it, "\"next_page_token\":\"4\""));
    assert_true(strstr(it->answer.ptr, "\"sequence\":5") <
                strstr(it->answer.ptr, "\"sequence\":4"));
    assert_int_equal(get(it, path_of("/history?order=newest&page_size=2&page_token=4", path)), 200);
    assert_true(strstr(it->answer.ptr, "\"sequence\":3") <
                strstr(it->answer.ptr, "\"sequence\":2"));
    assert_true(has(it, "\"next_page_token\":\"2\"") && !has(it, "\"sequence\":4"));
    assert_int_equal(get(it, path_of("/history?order=newest&page_size=2&page_token=2", path)), 200);
    assert_true(has(it, "\"sequence\":1") && !has(it, "next_page") && !has(it, "\"sequence\":2"));
    assert_int_equal(
        get(it, path_of("/history?order=newest&page_size=9&after=3&page_token=5", path)), 200);
    assert_true(has(it, "\"sequence\":4") && !has(it, "\"sequence\":3") && !has(it, "next_page"));
}

/* --- event streams -----------------------------------------------------------------------------
 */

static int follow(struct fixture *it, const char *rest, const char *headers)
{
    char path[128];
    it->answer.len = 0;
    return ask(it, &(struct wish){.method  = "GET",
                                  .path    = path_of(rest, path),
                                  .key     = FAKE_VIEWER,
                                  .headers = headers});
}

static void a_stream_tells_everything_once_and_ends(void **state)
{
    struct fixture *it = *state;
    int fd             = follow(it, "/events", NULL);
    assert_true(listen_for(it, fd, "id: 2\n"));
    assert_true(memmem(it->answer.ptr, it->answer.len, "retry: 2000\n", 12) != NULL);
    fake_add_events(&it->fake, 1, true);
    assert_true(listen_for(it, fd, "id: 3\n"));
    set_run(it, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    fake_add_events(&it->fake, 500, true);
    assert_int_equal(finish(it, fd), 0); /* what is left: no head */
    assert_true(has(it, "id: 503\n") && has(it, "event: end\ndata: {\"status\":\"completed\"}"));
    assert_null(strstr(strstr(it->answer.ptr, "id: 400\n") + 1, "id: 400\n"));

    fd = follow(it, "/events", "Last-Event-ID: 503\r\n");
    assert_int_equal(finish(it, fd), 204);
    fd = follow(it, "/events?after=1", "Last-Event-ID: 501~job:7\r\n");
    assert_int_equal(finish(it, fd), 200);
    assert_true(has(it, "id: 502\n") && !has(it, "id: 501\n"));
    fd = follow(it, "/events?types=task", NULL);
    assert_int_equal(finish(it, fd), 200);
    assert_true(has(it, "id: 502\n") && !has(it, "id: 501\n"));
}

/* Nothing but the periodic refresh of hints (5 s) tells that there is something to read. */
static void a_lost_hint_costs_seconds_only(void **state)
{
    struct fixture *it = *state;
    int fd             = follow(it, "/events", NULL);
    assert_true(listen_for(it, fd, "id: 2\n"));
    fake_add_events(&it->fake, 1, false);
    assert_true(listen_for(it, fd, "id: 3\n"));
    (void)close(fd);
}

/* One read of its history is more than the connection takes and than a stream may hold back. */
static void a_slow_client_gets_everything(void **state)
{
    struct fixture *it   = *state;
    it->receive_size     = 4'096;
    it->fake.event_size  = 20'000;
    it->fake.event_count = 600;
    set_run(it, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    int fd = follow(it, "/events", NULL);
    assert_int_equal(finish(it, fd), 200);
    assert_true(has(it, "id: 600\n") && has(it, "event: end\n"));
}

static void a_client_that_goes_is_forgotten(void **state)
{
    struct fixture *it = *state;
    int fd             = follow(it, "/events", NULL);
    assert_true(listen_for(it, fd, "id: 2\n"));
    (void)close(fd);
    char path[128];
    fd = ask(it, &(struct wish){
                     .method = "GET", .path = path_of("?wait=30s", path), .key = FAKE_VIEWER});
    fake_await(&it->fake, &it->fake.watches, 1);
    (void)close(fd);
    for (int i = 0; i < 2'000; i++) {
        assert_int_equal(get(it, "/v1/system/status"), 200);
        if (has(it, "\"connections\":1,\"followers\":0")) break;
    }
    assert_true(has(it, "\"connections\":1,\"followers\":0"));
    /* The connection is gone; its wait is forgotten on another loop, perhaps a moment later. */
    for (int i = 0; fake_count(&it->fake, &it->fake.unwatches) == 0; i++) {
        assert_true(i < 2'000);
        fake_nudge(&it->fake);
        assert_int_equal(get(it, "/v1/version"), 200);
    }
}

/* --- the end -----------------------------------------------------------------------------------
 */

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

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(each_role_may_what_its_row_says),
        FIXTURE_TEST(later_paths_say_so_and_only_to_those_who_may),
        FIXTURE_TEST(a_key_is_looked_up_once_and_a_bad_one_refused),
        FIXTURE_TEST(the_namespace_is_the_keys),
        FIXTURE_TEST(hostile_requests_are_refused_with_a_problem),
        FIXTURE_TEST(limits_of_sizes_hold),
        FIXTURE_TEST(other_methods_get_the_list),
        FIXTURE_TEST(the_inside_stays_inside),
        FIXTURE_TEST(traces_and_request_ids_travel),
        FIXTURE_TEST(an_idempotency_key_names_the_request),
        FIXTURE_TEST(a_wait_sees_an_end_that_comes_later),
        FIXTURE_TEST(a_wait_sees_an_end_that_came_before_it),
        FIXTURE_TEST(a_wait_that_is_over_tells_how_it_stands),
        FIXTURE_TEST(pulls_do_not_chase_each_other),
        FIXTURE_TEST(results_follow_the_status),
        FIXTURE_TEST(history_is_paged_from_both_ends),
        FIXTURE_TEST(a_stream_tells_everything_once_and_ends),
        FIXTURE_TEST(a_lost_hint_costs_seconds_only),
        FIXTURE_TEST(a_slow_client_gets_everything),
        FIXTURE_TEST(a_client_that_goes_is_forgotten),
        FIXTURE_TEST(a_drain_answers_waits_and_says_goodbye),
        cmocka_unit_test(a_gateway_that_never_reached_a_scheduler_stops),
    };
    return cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
}
