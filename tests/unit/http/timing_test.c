/* Timeouts on a clock that the test sets, streams that pause, calls that are cancelled. */
#include "support/http/client_fixture.h"

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
    assert_in_range(outcome.data_most, 1, 16 << 10); /* that much is kept while it is paused */
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

static enum http_flow start_refused(str, void *context)
{
    struct outcome *outcome            = context;
    const struct http_request private  = {.url = str_from("https://10.0.0.1/")};
    const struct http_handlers nothing = {.on_done = on_done};
    assert_int_equal(http_call_start(outcome->fixture->client, &private, &nothing, NULL, NULL),
                     STATUS_PERMISSION_DENIED);
    outcome->data_count++;
    return HTTP_GO_ON;
}

static void calls_may_be_refused_inside_handlers(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {.fixture = f};
    char url[1024];
    const struct http_request request = {.url = str_from(url_of(f, "127.0.0.1", "/bytes/10", url)),
                                         .allow_private = true};
    const struct http_handlers handlers = {
        .on_data = start_refused, .on_done = on_done, .context = &outcome};
    assert_int_equal(http_call_start(f->client, &request, &handlers, NULL, NULL), STATUS_OK);
    turn_until_done(f, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_true(outcome.data_count > 0);
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

int main(void)
{
    if (http_init(NULL) != STATUS_OK) return 1;
    const struct CMUnitTest plain[] = {
        WITH_FIXTURE(silence_times_out),
        WITH_FIXTURE(stalling_times_out),
        WITH_FIXTURE(total_time_ends_everything),
        WITH_FIXTURE(waiting_for_a_connection_times_out),
        WITH_FIXTURE(paused_stream_waits),
        WITH_FIXTURE(consumer_may_stop),
        WITH_FIXTURE(cancelled_call_is_silent),
        WITH_FIXTURE(client_ends_with_calls_under_way),
        WITH_FIXTURE(calls_may_be_refused_inside_handlers),
    };
    int failed   = cmocka_run_group_tests_name("timing", plain, NULL, NULL);
    goes_by_curl = true;
    return failed + cmocka_run_group_tests_name("timing by libcurl", plain, NULL, NULL);
}
