/* Event streams of runs. */
#include "support/gateway/front.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_stream_tells_everything_once_and_ends),
        FIXTURE_TEST(a_lost_hint_costs_seconds_only),
        FIXTURE_TEST(a_slow_client_gets_everything),
        FIXTURE_TEST(a_client_that_goes_is_forgotten),
    };
    return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
