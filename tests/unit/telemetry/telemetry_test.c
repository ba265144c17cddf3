/* The admin port, asked over a real socket. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "support/cmocka.h"
#include "telemetry/telemetry.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct admin {
    struct metrics *metrics;
    struct telemetry *telemetry;
};

static int start(void **state)
{
    struct admin *admin                    = mem_new(1, sizeof *admin);
    admin->metrics                         = metrics_new();
    const struct telemetry_options options = {
        .host = "127.0.0.1", .service = "gateway", .metrics = admin->metrics};
    *state = admin;
    return telemetry_start(&options, &admin->telemetry, NULL) == STATUS_OK ? 0 : -1;
}

static int stop(void **state)
{
    struct admin *admin = *state;
    telemetry_stopp(&admin->telemetry);
    metrics_freep(&admin->metrics);
    free(admin);
    return 0;
}

/* Asks `method` `path` and returns the status; the whole answer goes to `answer`. */
static int ask(struct admin *admin, const char *method, const char *path, struct buf *answer)
{
    int fd                     = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port              = telemetry_port(admin->telemetry);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr    = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    CLEANUP(buf_done) struct buf request = buf_init(1000);
    (void)buf_printf(&request, "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", method,
                     path);
    assert_int_equal(send(fd, request.ptr, request.len, MSG_NOSIGNAL), request.len);
    buf_clear(answer);
    for (;;) {
        char *room  = buf_reserve(answer, 4096);
        ssize_t got = recv(fd, room, 4096, 0);
        if (got <= 0) break;
        buf_commit(answer, (size_t)got);
    }
    (void)close(fd);
    int http_status = 0;
    assert_int_equal(sscanf(answer->ptr, "HTTP/1.1 %d ", &http_status), 1);
    return http_status;
}

static void test_health(void **state)
{
    struct admin *admin                 = *state;
    struct telemetry *telemetry         = admin->telemetry;
    CLEANUP(buf_done) struct buf answer = buf_init(1 << 20);
    assert_int_equal(ask(admin, "GET", "/health/live", &answer), 200);
    assert_non_null(strstr(answer.ptr, "{\"status\":\"ok\",\"service\":\"gateway\"}\n"));
    assert_non_null(strstr(answer.ptr, "Content-Type: application/json\r\n"));
    assert_int_equal(ask(admin, "GET", "/health/startup", &answer), 503);
    assert_int_equal(ask(admin, "GET", "/health/ready", &answer), 503);
    assert_non_null(strstr(answer.ptr, "\"detail\":\"starting\"}"));

    telemetry_set_started(telemetry);
    assert_int_equal(ask(admin, "GET", "/health/startup", &answer), 200);
    assert_false(telemetry_is_ready(telemetry));
    telemetry_set_ready(telemetry, true, NULL);
    assert_true(telemetry_is_ready(telemetry));
    assert_int_equal(ask(admin, "GET", "/health/ready", &answer), 200);
    assert_int_equal(ask(admin, "HEAD", "/health/ready", &answer), 200);
    telemetry_set_ready(telemetry, false, "draining");
    assert_int_equal(ask(admin, "GET", "/health/ready", &answer), 503);
    assert_non_null(strstr(answer.ptr, "\"detail\":\"draining\"}"));
}

static int64_t turned(void *context)
{
    return clock_mono_ms() - *(const int *)context;
}

static void test_watches(void **state)
{
    struct admin *admin                 = *state;
    CLEANUP(buf_done) struct buf answer = buf_init(1 << 20);
    int fine                            = 0;
    int stuck                           = LOOP_LIVE_MAX_MS + 1;
    telemetry_watch(admin->telemetry, "engine 0", turned, &fine);
    assert_int_equal(ask(admin, "GET", "/health/live", &answer), 200);
    telemetry_watch(admin->telemetry, "engine 1", turned, &stuck);
    assert_int_equal(ask(admin, "GET", "/health/live", &answer), 503);
    assert_non_null(strstr(answer.ptr, "\"detail\":\"engine 1\"}"));
    telemetry_unwatch(admin->telemetry, &stuck);
    assert_int_equal(ask(admin, "GET", "/health/live", &answer), 200);

    struct loop *loop = NULL;
    assert_int_equal(loop_new(NULL, &loop, NULL), STATUS_OK);
    telemetry_watch_loop(admin->telemetry, "http 0", loop);
    assert_int_equal(ask(admin, "GET", "/health/live", &answer), 200);
    telemetry_unwatch(admin->telemetry, loop);
    loop_freep(&loop);
    telemetry_unwatch(admin->telemetry, &fine);
}

static void test_metrics(void **state)
{
    struct admin *admin                 = *state;
    CLEANUP(buf_done) struct buf answer = buf_init(1 << 20);
    const struct metric_spec spec       = {
              .name = "tutti_things_total", .help = "Things.", .kind = METRIC_COUNTER};
    series_add(metric_series(metric_add(admin->metrics, &spec), NULL), 7);
    assert_int_equal(ask(admin, "GET", "/metrics", &answer), 200);
    assert_non_null(strstr(answer.ptr, "Content-Type: text/plain; version=0.0.4"));
    assert_non_null(strstr(answer.ptr, "\ntutti_things_total 7\n"));
}

static void test_other_paths(void **state)
{
    struct admin *admin                 = *state;
    CLEANUP(buf_done) struct buf answer = buf_init(1 << 20);
    assert_int_equal(ask(admin, "GET", "/", &answer), 404);
    assert_int_equal(ask(admin, "POST", "/metrics", &answer), 405);
}

static void test_port_in_use(void **state)
{
    struct admin *admin                    = *state;
    struct telemetry *second               = NULL;
    const struct telemetry_options options = {.host    = "127.0.0.1",
                                              .port    = telemetry_port(admin->telemetry),
                                              .service = "gateway",
                                              .metrics = admin->metrics};
    struct error error                     = {};
    assert_int_equal(telemetry_start(&options, &second, &error), STATUS_UNAVAILABLE);
    assert_null(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_health),      cmocka_unit_test(test_watches),
        cmocka_unit_test(test_metrics),     cmocka_unit_test(test_other_paths),
        cmocka_unit_test(test_port_in_use),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
