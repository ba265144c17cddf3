/* Answers from elsewhere, streams, deadlines, limits, drain: all that is not about one head. */
#include "unit/httpd/server_fixture.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>

#define HOST   "Host: a\r\n\r\n"
#define PARK   "GET /park HTTP/1.1\r\n" HOST
#define STREAM "GET /stream HTTP/1.1\r\n" HOST
#define OK     "GET /ok HTTP/1.1\r\n" HOST

static void send_text(struct fixture *f, struct client *client, const char *text)
{
    client_send(f, client, str_from(text), SIZE_MAX);
}

static void wait_parked(struct fixture *f, size_t count)
{
    for (int i = 0; i < TURNS_MAX && f->parked_count < count; i++) loop_turn(f->loop, 1);
    assert_int_equal(f->parked_count, count);
}

static void wait_end(struct fixture *f, size_t count, enum httpd_why why)
{
    for (int i = 0; i < TURNS_MAX && f->end_count < count; i++) loop_turn(f->loop, 1);
    assert_int_equal(f->end_count, count);
    assert_int_equal(f->ends[(count - 1) % ENDS_MAX].why, why);
}

static void wait_text(struct fixture *f, struct client *client, const char *text)
{
    for (int i = 0; i < TURNS_MAX && !client_has(client, text); i++) {
        loop_turn(f->loop, 1);
        client_read(client);
    }
    assert_true(client_has(client, text));
}

static void test_parked(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, PARK);
    wait_parked(&f, 1);
    struct httpd_handle first = f.parked;

    fixture_answer(&f, first, 200, str_from("one"));
    fixture_answer(&f, first, 500, str_from("too late")); /* the first counts */
    client_wait(&f, &client, 1);
    wait_end(&f, 1, HTTPD_SENT);
    assert_int_equal(f.ends[0].http_status, 200);
    assert_true(f.ends[0].bytes_out > 3);

    send_text(&f, &client, PARK);
    wait_parked(&f, 2);
    assert_int_equal(first.slot, f.parked.slot);
    fixture_answer(&f, first, 500, str_from("too late")); /* for the request before */
    fixture_answer(&f, (struct httpd_handle){}, 500, str_from("nobody"));
    fixture_answer(&f, f.parked, 200, str_from("two"));
    client_wait(&f, &client, 2);
    assert_true(client_has(&client, "one"));
    assert_true(client_has(&client, "two"));
    assert_false(client_has(&client, "too late"));
    fixture_stop(&f);
    assert_int_equal(f.end_count, 2);
}

static void test_client_gone(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    for (size_t i = 1; i <= 2; i++) {
        CLEANUP(client_close) struct client client = client_open(&f);
        send_text(&f, &client, i == 1 ? PARK : STREAM);
        wait_parked(&f, i);
        if (i == 1) {
            client_close(&client);
        } else {
            assert_int_equal(shutdown(client.fd, SHUT_WR), 0); /* half-closed counts as gone */
        }
        wait_end(&f, i, HTTPD_CLIENT_GONE);
        fixture_answer(&f, f.parked, 200, str_from("to nobody"));
        httpd_stream_end(f.httpd, f.parked);
        fixture_turns(&f, 2);
    }
    assert_int_equal(httpd_connections(f.httpd), 0);
    fixture_stop(&f);
}

static void test_late(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, PARK);
    wait_parked(&f, 1);
    fixture_pass(&f, PARK_MS - 1);
    assert_int_equal(f.end_count, 0);
    fixture_pass(&f, HTTPD_SWEEP_MS + 1);
    wait_end(&f, 1, HTTPD_LATE);
    assert_int_equal(f.ends[0].http_status, 504);
    client_wait_closed(&f, &client);
    assert_true(client_has(&client, "HTTP/1.1 504 "));
    assert_true(client_has(&client, "\"code\":\"upstream_timeout\""));
    fixture_stop(&f);
}

static void test_slow_head(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    for (int i = 0; i < 9; i++) { /* a byte a second does not move the deadline */
        send_text(&f, &client, "G");
        fixture_turns(&f, 3);
        fixture_pass(&f, 1000);
        client_read(&client);
        assert_int_equal(client.got.len, 0);
    }
    fixture_pass(&f, 1000 + HTTPD_SWEEP_MS);
    client_wait_closed(&f, &client);
    assert_true(client_has(&client, "HTTP/1.1 408 "));
    assert_int_equal(f.end_count, 0); /* no handler knew of it */
    fixture_stop(&f);
}

static void test_slow_body(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, "POST /a HTTP/1.1\r\nContent-Length: 200000\r\n" HOST);
    fixture_turns(&f, 3);
    CLEANUP(buf_done) struct buf part = buf_init(128 << 10);
    memset(buf_reserve(&part, 128 << 10), 'x', 128 << 10);
    buf_commit(&part, 128 << 10);
    client_send(&f, &client, buf_str(&part), SIZE_MAX);
    for (int i = 0; i < TURNS_MAX && httpd_stats(f.httpd).body_bytes < part.len; i++) {
        loop_turn(f.loop, 1);
    }
    assert_int_equal(httpd_stats(f.httpd).body_bytes, part.len);

    fixture_pass(&f, HTTPD_BODY_MS + 1900); /* 128 KiB bought two more seconds */
    client_read(&client);
    assert_int_equal(client.got.len, 0);
    fixture_pass(&f, 100 + HTTPD_SWEEP_MS);
    client_wait_closed(&f, &client);
    assert_true(client_has(&client, "HTTP/1.1 408 "));
    wait_end(&f, 1, HTTPD_REFUSED);
    assert_int_equal(httpd_stats(f.httpd).body_bytes, 0);
    fixture_stop(&f);
}

static void test_idle(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client fresh = client_open(&f);
    CLEANUP(client_close) struct client used  = client_open(&f);
    send_text(&f, &used, OK);
    client_wait(&f, &used, 1);
    fixture_pass(&f, HTTPD_IDLE_MS - 1000);
    assert_int_equal(httpd_connections(f.httpd), 2);
    fixture_pass(&f, 1000 + HTTPD_SWEEP_MS);
    client_wait_closed(&f, &fresh);
    client_wait_closed(&f, &used);
    assert_int_equal(fresh.got.len, 0);
    assert_int_equal(httpd_connections(f.httpd), 0);
    fixture_stop(&f);
}

/* More than the kernel buffers of both sides hold. */
static struct buf large_text(void)
{
    struct buf text = buf_init(48 << 20);
    memset(buf_reserve(&text, 48 << 20), 'x', 48 << 20);
    buf_commit(&text, 48 << 20);
    return text;
}

static void test_slow_reader(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(buf_done) struct buf text          = large_text();
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, PARK);
    wait_parked(&f, 1);
    fixture_answer(&f, f.parked, 200, buf_str(&text));
    fixture_turns(&f, 3);
    fixture_pass(&f, HTTPD_WRITE_MS - 1000);
    assert_int_equal(f.end_count, 0);
    fixture_pass(&f, 1000 + HTTPD_SWEEP_MS);
    wait_end(&f, 1, HTTPD_SLOW);
    assert_true(f.ends[0].bytes_out < text.len);
    fixture_stop(&f);
}

static void test_large_answer(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(buf_done) struct buf text          = large_text();
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, PARK OK);
    wait_parked(&f, 1);
    fixture_answer(&f, f.parked, 200, buf_str(&text));
    for (int i = 0; i < TURNS_MAX && !client_has(&client, "GET /ok"); i++) {
        loop_turn(f.loop, 1);
        client_read(&client);
        if (client.got.len < text.len) continue; /* searching it each time would take long */
        break;
    }
    client_wait(&f, &client, 2);
    wait_end(&f, 2, HTTPD_SENT);
    assert_true(f.ends[0].bytes_out > text.len);
    fixture_stop(&f);
}

static void stream_text(struct fixture *f, str text, enum httpd_send how)
{
    CLEANUP(httpd_buffer_unrefp) struct httpd_buffer *buffer = httpd_buffer_new(text);
    httpd_stream_send(f->httpd, f->parked, buffer, how);
}

static void test_stream(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, STREAM OK); /* the second waits for the end of the first */
    wait_parked(&f, 1);
    stream_text(&f, str_from("data: hello world\n\n"), HTTPD_MUST);
    wait_text(&f, &client, "\r\n\r\n6\r\nbegin\n\r\n13\r\ndata: hello world\n\n\r\n");
    assert_false(client_has(&client, "Content-Length"));
    httpd_stream_end(f.httpd, f.parked);
    stream_text(&f, str_from("after the end"), HTTPD_MUST);
    client_wait(&f, &client, 2);
    assert_true(client_has(&client, "\r\n0\r\n\r\nHTTP/1.1 200 OK"));
    assert_false(client_has(&client, "after the end"));
    wait_end(&f, 2, HTTPD_SENT);
    fixture_stop(&f);
}

static void test_stream_http_1_0(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    wait_parked(&f, 1);
    stream_text(&f, str_from("more\n"), HTTPD_MUST);
    httpd_stream_end(f.httpd, f.parked);
    client_wait_closed(&f, &client);
    assert_true(client_has(&client, "Connection: close\r\n\r\nbegin\nmore\n"));
    fixture_stop(&f);
}

static void test_head_method(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, "HEAD /a HTTP/1.1\r\n" HOST "HEAD /stream HTTP/1.1\r\n" HOST);
    wait_end(&f, 2, HTTPD_SENT); /* the stream ended with its head */
    send_text(&f, &client, "HEAD /refuse HTTP/1.1\r\nConnection: close\r\n" HOST);
    client_wait_closed(&f, &client);
    assert_true(client_has(&client, "Content-Length: 9\r\n"));
    assert_false(client_has(&client, "HEAD /a"));
    assert_false(client_has(&client, "begin"));
    wait_end(&f, 3, HTTPD_SENT);
    assert_int_equal(f.ends[2].http_status, 404);
    fixture_stop(&f);
}

static void test_comments(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, STREAM);
    wait_text(&f, &client, "begin\n");
    fixture_pass(&f, HTTPD_COMMENT_MS - 1000);
    client_read(&client);
    assert_false(client_has(&client, ": \n\n"));
    fixture_pass(&f, 1000 + HTTPD_SWEEP_MS);
    wait_text(&f, &client, "4\r\n: \n\n\r\n");
    fixture_pass(&f, 10 * (int64_t)HTTPD_IDLE_MS); /* a stream has no deadline */
    assert_int_equal(f.end_count, 0);
    fixture_stop(&f);
    assert_int_equal(f.ends[0].why, HTTPD_STOPPED);
}

/* Sends until the kernel takes no more and something waits. */
static size_t clog_up(struct fixture *f, str piece)
{
    size_t sent = 0;
    for (; sent < 4096 && f->slow_count == 0; sent++) {
        stream_text(f, piece, HTTPD_MAY_DROP);
        fixture_turns(f, 1);
    }
    assert_int_equal(f->slow_count, 1);
    return sent;
}

static void test_flow(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(buf_done) struct buf text          = large_text();
    str piece                                  = str_slice(buf_str(&text), 0, 32 << 10);
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, STREAM);
    wait_parked(&f, 1);
    (void)clog_up(&f, piece);
    for (int i = 0; i < 10; i++) stream_text(&f, piece, HTTPD_MAY_DROP);
    fixture_turns(&f, 3);
    assert_int_equal(f.slow_count, 1);
    assert_int_equal(f.flowing_count, 0);
    stream_text(&f, str_from("journal"), HTTPD_MUST); /* fits under the other limit */

    for (int i = 0; i < TURNS_MAX && f.flowing_count == 0; i++) {
        client_read(&client);
        loop_turn(f.loop, 1);
    }
    assert_int_equal(f.flowing_count, 1);
    assert_true(f.dropped >= 10);
    assert_int_equal(httpd_stats(f.httpd).sends_dropped, f.dropped);
    wait_text(&f, &client, "journal");
    assert_int_equal(f.end_count, 0);
    fixture_stop(&f);
}

static void test_paced(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(buf_done) struct buf text          = large_text();
    str piece                                  = str_slice(buf_str(&text), 0, 8 << 20);
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, STREAM);
    wait_parked(&f, 1);
    stream_text(&f, str_from("small"), HTTPD_PACED); /* told of, however quick it was */
    wait_text(&f, &client, "small");
    assert_int_equal(f.slow_count, 1);
    assert_int_equal(f.flowing_count, 1);

    for (int i = 0; i < 3; i++) stream_text(&f, piece, HTTPD_PACED);
    stream_text(&f, str_from("the last"), HTTPD_PACED);
    fixture_turns(&f, 3);
    assert_int_equal(f.slow_count, 2);
    assert_int_equal(f.flowing_count, 1);
    wait_text(&f, &client, "the last");
    for (int i = 0; i < TURNS_MAX && f.flowing_count < 2; i++) loop_turn(f.loop, 1);
    assert_int_equal(f.flowing_count, 2);
    assert_int_equal(f.end_count, 0);
    fixture_stop(&f);
}

static void test_stream_too_slow(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(buf_done) struct buf text          = large_text();
    str piece                                  = str_slice(buf_str(&text), 0, 32 << 10);
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, STREAM);
    wait_parked(&f, 1);
    for (size_t i = 0; i < 4096 && f.end_count == 0; i++) {
        stream_text(&f, piece, HTTPD_MUST);
        fixture_turns(&f, 1);
    }
    wait_end(&f, 1, HTTPD_SLOW);
    assert_int_equal(httpd_stats(f.httpd).streams_closed, 1);
    fixture_stop(&f);
}

static void test_drain(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client idle   = client_open(&f);
    CLEANUP(client_close) struct client parked = client_open(&f);
    CLEANUP(client_close) struct client fresh  = client_open(&f);
    send_text(&f, &idle, OK);
    client_wait(&f, &idle, 1);
    send_text(&f, &parked, PARK);
    wait_parked(&f, 1);
    CLEANUP(client_close) struct client waiting = client_open(&f); /* not accepted yet */

    httpd_drain(f.httpd);
    client_wait_closed(&f, &idle);
    fixture_answer(&f, f.parked, 200, str_from("last"));
    client_wait_closed(&f, &parked);
    assert_true(client_has(&parked, "Connection: close\r\n"));
    send_text(&f, &waiting, OK);
    client_wait_closed(&f, &waiting);
    assert_true(client_has(&waiting, "HTTP/1.1 200 OK"));
    assert_int_equal(httpd_connections(f.httpd), 1);
    fixture_pass(&f, 1000 + HTTPD_SWEEP_MS); /* one that never says anything */
    client_wait_closed(&f, &fresh);
    assert_int_equal(httpd_connections(f.httpd), 0);

    int fd                     = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(httpd_port(f.httpd))};
    address.sin_addr.s_addr    = htonl(INADDR_LOOPBACK);
    assert_int_not_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd);
    fixture_stop(&f);
}

static void test_stop(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    send_text(&f, &client, PARK);
    wait_parked(&f, 1);
    httpd_stop(f.httpd);
    wait_end(&f, 1, HTTPD_STOPPED);
    client_wait_closed(&f, &client);
    fixture_answer(&f, f.parked, 200, str_from("too late"));
    fixture_stop(&f);
}

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

static size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    size_t count = 0;
    while (readdir(folder)) count++;
    (void)closedir(folder);
    return count;
}

static void reset(struct client *client)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    client_close(client);
}

static void test_park_and_close(void **state)
{
    (void)state;
    enum { CYCLES = 10000, RESET_EVERY = 8 };
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    size_t before = open_descriptors();
    for (size_t i = 1; i <= CYCLES; i++) {
        struct client client = client_open(&f);
        send_text(&f, &client, i % 2 ? PARK : STREAM);
        wait_parked(&f, i);
        if (i % RESET_EVERY) {
            reset(&client);
        } else {
            client_close(&client);
        }
        fixture_answer(&f, f.parked, 200, str_from("races with the close"));
        for (int turn = 0; turn < TURNS_MAX && f.end_count < i; turn++) loop_turn(f.loop, 1);
        for (int turn = 0; turn < TURNS_MAX && httpd_connections(f.httpd) > 0; turn++) {
            loop_turn(f.loop, 1);
        }
    }
    assert_int_equal(f.end_count, CYCLES);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(httpd_stats(f.httpd).connections, CYCLES);
    assert_int_equal(f.parked.slot < 64, true); /* the table of connections has not grown */
    fixture_stop(&f);
}

/* --- other threads, several loops
 * ------------------------------------------------------------------ */

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

static void test_start_fails(void **state)
{
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    struct loop *loop = NULL;
    assert_int_equal(loop_new(NULL, &loop, NULL), STATUS_OK);
    struct httpd *second         = NULL;
    struct httpd_options options = {
        .host       = "127.0.0.1",
        .port       = httpd_port(f.httpd),
        .loops      = &loop,
        .loop_count = 1,
        .handlers   = {.route = fixture_route, .handle = fixture_handle},
    };
    struct error error = {};
    assert_int_equal(httpd_start(&options, &second, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, "127.0.0.1"));
    options.host = "localhost";
    assert_int_equal(httpd_start(&options, &second, &error), STATUS_INVALID_ARGUMENT);
    assert_null(second);
    loop_freep(&loop);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parked),
        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_slow_head),
        cmocka_unit_test(test_slow_body),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_large_answer),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_http_1_0),
        cmocka_unit_test(test_head_method),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_flow),
        cmocka_unit_test(test_paced),
        cmocka_unit_test(test_stream_too_slow),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_body_budget),
        cmocka_unit_test(test_long_pipeline),
        cmocka_unit_test(test_unread_pipeline),
        cmocka_unit_test(test_park_and_close),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_start_fails),
        cmocka_unit_test(test_no_descriptors_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
