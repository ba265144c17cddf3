/* Streams: what is sent when, and to whom it is too much. */
#include "support/httpd/talk.h"

static void wait_text(struct fixture *f, struct client *client, const char *text)
{
    for (int i = 0; i < TURNS_MAX && !client_has(client, text); i++) {
        loop_turn(f->loop, 1);
        client_read(client);
    }
    assert_true(client_has(client, text));
}

static void stream_text(struct fixture *f, str text, enum httpd_send how)
{
    CLEANUP(httpd_buffer_unrefp) struct httpd_buffer *buffer = httpd_buffer_new(text);
    httpd_stream_send(f->httpd, f->parked, buffer, how);
}

/* Asks for a stream and has got its head. */
static struct client stream_client(struct fixture *f)
{
    struct client client = client_open(f);
    send_text(f, &client, STREAM);
    wait_parked(f, 1);
    return client;
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
    CLEANUP(client_close) struct client client = stream_client(&f);
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
    CLEANUP(client_close) struct client client = stream_client(&f);
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
    CLEANUP(client_close) struct client client = stream_client(&f);
    (void)client;
    for (size_t i = 0; i < 4096 && f.end_count == 0; i++) {
        stream_text(&f, piece, HTTPD_MUST);
        fixture_turns(&f, 1);
    }
    wait_end(&f, 1, HTTPD_SLOW);
    assert_int_equal(httpd_stats(f.httpd).streams_closed, 1);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_http_1_0),
        cmocka_unit_test(test_head_method),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_flow),
        cmocka_unit_test(test_paced),
        cmocka_unit_test(test_stream_too_slow),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
