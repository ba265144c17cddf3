/* Limits of connections, bodies and descriptors; pipelines; several loops. */
#include "support/httpd/talk.h"

static void test_connection_limit(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){.connections_max = 1});
    CLEANUP(client_close) struct client first = client_open(&f);
    send_text(&f, &first, OK);
    client_wait(&f, &first, 1);
    CLEANUP(client_close) struct client second = client_open(&f);
    client_wait_closed(&f, &second);
    assert_true(client_has(&second, "HTTP/1.1 503 "));
    assert_true(client_has(&second, "Retry-After: 1\r\n"));
    client_close(&first);
    for (int i = 0; i < TURNS_MAX && httpd_connections(f.httpd) > 0; i++) loop_turn(f.loop, 1);
    CLEANUP(client_close) struct client third = client_open(&f);
    send_text(&f, &third, OK);
    client_wait(&f, &third, 1);
    assert_true(client_has(&third, "HTTP/1.1 200 "));
    fixture_stop(&f);
}

static void test_body_budget(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){.body_budget = 1000});
    CLEANUP(client_close) struct client announced = client_open(&f);
    send_text(&f, &announced, "POST /a HTTP/1.1\r\nContent-Length: 1001\r\n" HOST);
    client_wait_closed(&f, &announced);
    assert_true(client_has(&announced, "HTTP/1.1 503 "));
    assert_true(client_has(&announced, "\"code\":\"overloaded\""));

    CLEANUP(client_close) struct client chunked = client_open(&f);
    send_text(&f, &chunked, "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "3e9\r\n");
    CLEANUP(buf_done) struct buf body = buf_init(2000);
    memset(buf_reserve(&body, 1001), 'x', 1001);
    buf_commit(&body, 1001);
    client_send(&f, &chunked, buf_str(&body), SIZE_MAX);
    client_wait_closed(&f, &chunked);
    assert_true(client_has(&chunked, "HTTP/1.1 503 "));
    assert_int_equal(httpd_stats(f.httpd).body_bytes, 0);
    fixture_stop(&f);
}

/* Instant answers to a long pipeline: no stack, no limit but the client's patience. */
static void test_long_pipeline(void **state)
{
    (void)state;
    enum { REQUESTS = 5000 };
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    for (int i = 0; i < REQUESTS; i++) (void)buf_put_text(&text, "GET /empty HTTP/1.1\r\n" HOST);
    CLEANUP(client_close) struct client client = client_open(&f);
    client_send(&f, &client, buf_str(&text), SIZE_MAX);
    for (int i = 0; i < TURNS_MAX && f.end_count < REQUESTS; i++) {
        loop_turn(f.loop, 1);
        client_read(&client);
    }
    assert_int_equal(f.end_count, REQUESTS);
    assert_int_equal(httpd_stats(f.httpd).requests, REQUESTS);
    fixture_stop(&f);
}

/* While a request is parked, what the client sends on is kept to a limit and then left unread. */
static void test_unread_pipeline(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(buf_done) struct buf text          = large_text();
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, PARK);
    wait_parked(&f, 1);
    size_t sent  = 0;
    ssize_t some = 1;
    while (some > 0 && sent < text.len) { /* until the kernel is full: the server does not read */
        some = send(client.fd, text.ptr, text.len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (some > 0) sent += (size_t)some;
        fixture_turns(&f, 2);
    }
    assert_true(sent < text.len);
    fixture_answer(&f, f.parked, 200, str_from("parked answer"));
    client_wait_closed(&f, &client); /* the rest is no request */
    assert_true(client_has(&client, "parked answer"));
    assert_true(client_has(&client, "HTTP/1.1 4"));
    fixture_stop(&f);
}

/* Without descriptors the listener rests instead of spinning, and comes back by itself. */
static void test_no_descriptors_left(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    fixture_turns(&f, 3);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    fixture_turns(&f, 3);
    assert_int_equal(httpd_connections(f.httpd), 0); /* still resting */
    fixture_pass(&f, 100);
    send_text(&f, &client, OK);
    client_wait(&f, &client, 1);
    assert_true(client_has(&client, "HTTP/1.1 200 "));
    fixture_stop(&f);
}

enum { THREAD_REQUESTS = 300, THREADS = 3 };

struct echo {
    struct httpd *httpd;
    struct httpd_handle handle;
    struct httpd_request *request;
};

/* A thread of its own per request: the request travels, the answer comes back. */
static void *answer_thread(void *context)
{
    struct echo *echo                    = context;
    const struct httpd_response response = {.http_status = 200, .body = echo->request->query};
    httpd_respond(echo->httpd, echo->handle, &response);
    httpd_request_free(echo->request);
    free(echo);
    return NULL;
}

static void thread_handle(struct httpd_handle handle, struct httpd_request *request, void *user,
                          void *context)
{
    (void)user;
    struct httpd **httpd = context;
    struct echo *echo    = mem_new(1, sizeof *echo);
    *echo                = (struct echo){.httpd = *httpd, .handle = handle, .request = request};
    pthread_t thread;
    ASSERT(pthread_create(&thread, NULL, answer_thread, echo) == 0);
    ASSERT(pthread_detach(thread) == 0);
}

static bool thread_route(struct httpd_handle handle, const struct httpd_request *request,
                         struct httpd_route *ret_route, void *context)
{
    (void)handle;
    (void)request;
    (void)ret_route;
    (void)context;
    return true;
}

static void *client_thread(void *context)
{
    struct fixture f     = {.httpd = *(struct httpd **)context};
    struct client client = client_open(&f);
    size_t wrong         = 0;
    for (int i = 0; i < THREAD_REQUESTS; i++) {
        char request[128];
        char wanted[32];
        (void)snprintf(request, sizeof request, "GET /?number-%d. HTTP/1.1\r\n" HOST, i);
        (void)snprintf(wanted, sizeof wanted, "number-%d.", i);
        ssize_t sent = send(client.fd, request, strlen(request), MSG_NOSIGNAL);
        wrong += sent != (ssize_t)strlen(request);
        buf_clear(&client.got);
        while (!client_has(&client, wanted)) {
            char text[1024];
            ssize_t got = recv(client.fd, text, sizeof text, 0);
            if (got <= 0) break;
            (void)buf_put(&client.got, text, (size_t)got);
        }
        wrong += !client_has(&client, wanted);
    }
    client_close(&client);
    return (void *)(uintptr_t)wrong;
}

static void test_threads(void **state)
{
    (void)state;
    struct loop *loops[2] = {};
    struct httpd *httpd   = NULL;
    for (size_t i = 0; i < 2; i++) assert_int_equal(loop_new(NULL, &loops[i], NULL), STATUS_OK);
    const struct httpd_options options = {
        .host       = "127.0.0.1",
        .loops      = loops,
        .loop_count = 2,
        .handlers   = {.route = thread_route, .handle = thread_handle},
        .context    = &httpd,
    };
    assert_int_equal(httpd_start(&options, &httpd, NULL), STATUS_OK);
    for (size_t i = 0; i < 2; i++) assert_int_equal(loop_start(loops[i], "http", NULL), STATUS_OK);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, client_thread, &httpd), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(httpd_stats(httpd).requests, THREADS * THREAD_REQUESTS);
    for (size_t i = 0; i < 2; i++) {
        loop_stop(loops[i]);
        loop_join(loops[i]);
    }
    httpd_freep(&httpd);
    for (size_t i = 0; i < 2; i++) loop_freep(&loops[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection_limit), cmocka_unit_test(test_body_budget),
        cmocka_unit_test(test_long_pipeline),    cmocka_unit_test(test_unread_pipeline),
        cmocka_unit_test(test_threads),          cmocka_unit_test(test_no_descriptors_left),
    };
    return cmocka_run_group_tests_name("capacity", tests, NULL, NULL);
}
