/* Answers from elsewhere, deadlines, drain: all that is not about one head. */
#include "support/httpd/talk.h"

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

/* What hands something over is not sent to a client whose end the loop has not read yet. */
static void test_hand_over(void **state)
{
    const struct httpd_response response = {
        .http_status = 200, .body = str_from("yours"), .needs_client = true};
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    for (size_t i = 1; i <= 2; i++) {
        CLEANUP(client_close) struct client client = client_open(&f);
        send_text(&f, &client, PARK);
        wait_parked(&f, i);
        if (i == 1) client_close(&client);
        httpd_respond(f.httpd, f.parked, &response);
        wait_end(&f, i, i == 1 ? HTTPD_CLIENT_GONE : HTTPD_SENT);
    }
    assert_int_equal(f.ends[0].bytes_out, 0);
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
        cmocka_unit_test(test_parked),       cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_hand_over),    cmocka_unit_test(test_late),
        cmocka_unit_test(test_slow_head),    cmocka_unit_test(test_slow_body),
        cmocka_unit_test(test_idle),         cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_large_answer), cmocka_unit_test(test_drain),
        cmocka_unit_test(test_stop),         cmocka_unit_test(test_park_and_close),
        cmocka_unit_test(test_start_fails),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
