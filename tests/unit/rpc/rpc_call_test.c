/* Calls that work, and calls that are refused, over every transport without TLS. */
#include "cmocka.h"
#include "support/echo.h"

#include "health.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const uint8_t secret_key[32] = "0123456789abcdef0123456789abcde";

static struct rpc_identity identity_of(const char *service)
{
    return (struct rpc_identity){
        .service      = str_from(service),
        .secrets      = {{.id = 7, .key = {secret_key, sizeof secret_key}}},
        .secret_count = 1,
    };
}

enum { TIMEOUT_MS = 60'000 /* longer than a test waits */ };

struct fixture {
    struct echo echo;
    struct rpc_server *server;
    struct rpc_client *client;
    char endpoint[RPC_ENDPOINT_MAX * 2];
};

static void open_pair(struct fixture *it, const char *url, const char *caller,
                      const struct rpc_hooks *hooks)
{
    struct error error = {};
    struct rpc_service services[2];
    echo_init(&it->echo);
    echo_services(&it->echo, services);
    struct rpc_server_options options = {
        .url      = url,
        .services = services,
        .contract = echo_contract,
        .identity = identity_of("scheduler"),
        .hooks    = {.batch_end = echo_batch_end, .context = &it->echo},
    };
    if (hooks) options.hooks = *hooks;
    if (rpc_server_start(&options, &it->server, &error) != STATUS_OK) fail_msg("%s", error.text);
    (void)snprintf(it->endpoint, sizeof it->endpoint, "%s %s", rpc_server_url(it->server),
                   rpc_server_long_url(it->server));
    struct rpc_client_options client = echo_client_options(it->endpoint);
    client.identity                  = identity_of(caller);
    if (rpc_client_open(&client, &it->client, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static void close_pair(struct fixture *it)
{
    rpc_client_closep(&it->client);
    rpc_server_stopp(&it->server);
    echo_done(&it->echo);
}

static struct rpc_request saying(const char *method, Test__Saying *message)
{
    return (struct rpc_request){
        .service        = &test__echo__descriptor,
        .method         = method,
        .message        = message,
        .wait_for_ready = true,
        .timeout_ms     = TIMEOUT_MS,
    };
}

/* --- transports ------------------------------------------------------------------------------- */

static void a_call_is_answered(void **state)
{
    struct fixture *it = calloc(1, sizeof *it);
    char url[RPC_ENDPOINT_MAX];
    const char *scheme = *state;
    bool is_tcp        = strncmp(scheme, "tcp", 3) == 0;
    (void)snprintf(url, sizeof url, "%s%d", scheme, is_tcp ? 0 : (int)getpid());
    open_pair(it, url, "gateway", NULL);

    for (unsigned i = 0; i < 3; i++) {
        static const char *const methods[] = {"Say", "Write", "Once"};
        Test__Saying message               = TEST__SAYING__INIT;
        message.text                       = "hello";
        message.number                     = i;
        struct rpc_request request         = saying(methods[i], &message);
        struct rpc_answer *answer          = NULL;
        struct error error                 = {};
        if (rpc_client_ask(it->client, &request, &answer, &error) != STATUS_OK) {
            fail_msg("%s", error.text);
        }
        const Test__Saying *response = answer->message;
        assert_string_equal(response->text, "hello");
        assert_int_equal(response->number, i);
        rpc_answer_free(answer);
    }
    close_pair(it);
    free(it);
}

/* --- what travels with a call ------------------------------------------------------------------
 */

static void metadata_arrives(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "tcp://127.0.0.1:0", "gateway", NULL);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying("Say", &message);
    request.request_id         = str_from("r-1");
    request.key_id             = str_from("key-1");
    struct error error         = {};
    assert_int_equal(rpc_client_ask(it->client, &request, NULL, &error), STATUS_OK);
    assert_string_equal(it->echo.last_request_id, "r-1");
    assert_string_equal(it->echo.last_key, "key-1");
    assert_string_equal(it->echo.last_caller, "gateway"); /* proven by the token */
    close_pair(it);
    free(it);
}

static void errors_carry_code_details_and_retry_after(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "inproc://errors", "gateway", NULL);
    Test__Saying message       = TEST__SAYING__INIT;
    message.text               = "fail";
    struct rpc_request request = saying("Say", &message);
    struct rpc_answer *answer  = NULL;
    struct error error         = {};
    assert_int_equal(rpc_client_ask(it->client, &request, &answer, &error),
                     STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.text, "it is over");
    assert_string_equal(answer->error_code, "run_finished");
    assert_int_equal(answer->retry_after_ms, 1'500);
    assert_int_equal(answer->details_json.len, 18);

    const char *codes[] = {"run_finished", NULL};
    assert_int_equal(rpc_answer_error(answer, codes, &error), STATUS_FAILED_PRECONDITION);
    assert_ptr_equal(error.code, codes[0]);
    rpc_answer_free(answer);
    close_pair(it);
    free(it);
}

static void unknown_methods_are_refused(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "inproc://unknown", "gateway", NULL);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying("Rest", &message);
    struct error error         = {};
    assert_int_equal(rpc_client_ask(it->client, &request, NULL, &error), STATUS_UNIMPLEMENTED);
    request.method = "Nothing";
    assert_int_equal(rpc_client_ask(it->client, &request, NULL, &error), STATUS_NOT_FOUND);
    close_pair(it);
    free(it);
}

static void health_says_what_is_there(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "inproc://health", "gateway", NULL);
    Pb__HealthCheckRequest check = PB__HEALTH_CHECK_REQUEST__INIT;
    struct rpc_request request   = {.service        = &pb__health__descriptor,
                                    .method         = "Check",
                                    .message        = &check,
                                    .wait_for_ready = true};
    struct rpc_answer *answer    = NULL;
    struct error error           = {};
    assert_int_equal(rpc_client_ask(it->client, &request, &answer, &error), STATUS_OK);
    const Pb__HealthCheckResponse *state = answer->message;
    assert_true(state->live && state->started && state->ready && !state->draining);
    assert_string_equal(state->service, "scheduler");
    rpc_answer_free(answer);

    Pb__HealthMethodsRequest methods = PB__HEALTH_METHODS_REQUEST__INIT;
    request.method                   = "Methods";
    request.message                  = &methods;
    assert_int_equal(rpc_client_ask(it->client, &request, &answer, &error), STATUS_OK);
    const Pb__HealthMethodsResponse *list = answer->message;
    assert_int_equal(list->n_methods, 2 + 1 + 5); /* Health, Transport, Echo */
    assert_string_equal(list->methods[7]->method, "Rest");
    assert_false(list->methods[7]->implemented);
    rpc_answer_free(answer);
    close_pair(it);
    free(it);
}

/* --- batches -----------------------------------------------------------------------------------
 */

static void what_is_called_meanwhile_travels_together(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "inproc://batches", "gateway", NULL);
    it->echo.holds_writes = true;
    struct inbox inbox;
    inbox_init(&inbox);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying("Write", &message);
    request.done               = inbox_put;
    request.context            = &inbox;
    struct error error         = {};

    /* Two lanes leave at once, with one call each. */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
        assert_true(echo_wait_held(&it->echo, i + 1));
    }
    for (unsigned i = 0; i < 500; i++) {
        assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    }
    echo_release(&it->echo);
    assert_true(inbox_wait(&inbox, 502));
    assert_int_equal(inbox.by_status[STATUS_OK], 502);

    struct rpc_client_stats stats;
    rpc_client_stats(it->client, &stats);
    assert_int_equal(stats.calls, 502);
    assert_int_equal(stats.messages, 3); /* the third has 500 calls */
    assert_int_equal(it->echo.batches, 3);
    close_pair(it);
    inbox_done(&inbox);
    free(it);
}

/* Fast calls gather while a lane is away, but one that stays away holds nobody up. */
static void fast_calls_go_beside_a_lane_that_stays_away(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "inproc://away", "gateway", NULL);
    struct inbox held;
    struct inbox others;
    inbox_init(&held);
    inbox_init(&others);
    Test__Saying message       = TEST__SAYING__INIT;
    message.text               = "hold";
    struct rpc_request request = saying("Say", &message);
    request.done               = inbox_put;
    request.context            = &held;
    request.more_follow        = true;
    struct error error         = {};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    }
    rpc_client_flush(it->client);
    assert_true(echo_wait_held(&it->echo, 3));

    message.text        = "";
    request.context     = &others;
    request.more_follow = false;
    assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    assert_true(inbox_wait(&others, 1)); /* alone, a moment later */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    }
    assert_true(inbox_wait(&others, 4)); /* as many as the lane carries */
    assert_int_equal(held.count, 0);
    echo_release(&it->echo);
    assert_true(inbox_wait(&held, 3));
    close_pair(it);
    inbox_done(&held);
    inbox_done(&others);
    free(it);
}

static void park_many(struct fixture *it, struct inbox *inbox, unsigned count)
{
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying("Park", &message);
    request.done               = inbox_put;
    request.context            = inbox;
    struct error error         = {};
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    }
    assert_true(echo_wait_held(&it->echo, count));
}

/* Each parked call has a message of its own. That nothing leaves before cannot be said: who has
 * dispatched a call sends its answer if that was there first. */
static void what_is_answered_in_a_row_leaves_at_the_release(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "inproc://row", "gateway", NULL);
    static const unsigned counts[] = {0, 1, 2, 40};
    for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
        struct inbox inbox;
        inbox_init(&inbox);
        park_many(it, &inbox, counts[i]);
        rpc_replies_hold();
        echo_release(&it->echo);
        rpc_replies_release();
        assert_true(inbox_wait(&inbox, counts[i]));
        assert_int_equal(inbox.by_status[STATUS_OK], counts[i]);
        inbox_done(&inbox);
    }
    close_pair(it);
    free(it);
}

static void what_is_held_is_dropped_when_the_client_is_gone(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    struct inbox inbox;
    inbox_init(&inbox);
    open_pair(it, "inproc://gone", "gateway", NULL);
    park_many(it, &inbox, 3);
    rpc_replies_hold();
    echo_release(&it->echo);
    rpc_client_closep(&it->client);
    rpc_replies_release();
    rpc_server_stopp(&it->server);
    assert_int_equal(inbox.count, 3); /* cancelled, but for one that its dispatcher had answered */
    echo_done(&it->echo);
    inbox_done(&inbox);
    free(it);
}

static void what_more_follows_waits_for_the_flush(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "inproc://flush", "gateway", NULL);
    struct inbox inbox;
    inbox_init(&inbox);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying("Write", &message);
    request.done               = inbox_put;
    request.context            = &inbox;
    struct error error         = {};

    /* A connection that comes up takes along what waits: it is there. */
    assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    assert_true(inbox_wait(&inbox, 1));
    request.more_follow = true;
    rpc_client_flush(it->client); /* nothing waits */
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    }
    struct rpc_client_stats stats;
    rpc_client_stats(it->client, &stats);
    assert_int_equal(stats.messages, 1);
    rpc_client_flush(it->client);
    assert_true(inbox_wait(&inbox, 6));
    rpc_client_stats(it->client, &stats);
    assert_int_equal(stats.messages, 2);

    /* The one that does not wait takes along those that do. */
    assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    request.more_follow = false;
    assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    assert_true(inbox_wait(&inbox, 8));
    rpc_client_stats(it->client, &stats);
    assert_int_equal(stats.messages, 3);

    /* A batch that is full does not wait: nothing more would go with it. */
    request.more_follow = true;
    for (unsigned i = 0; i < 1'025; i++) {
        assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    }
    assert_true(inbox_wait(&inbox, 8 + 1'024));
    rpc_client_stats(it->client, &stats);
    assert_true(stats.messages >= 4);
    close_pair(it); /* and what waits is cancelled */
    assert_int_equal(inbox.by_status[STATUS_OK] + inbox.by_status[STATUS_CANCELLED], 8 + 1'025);
    inbox_done(&inbox);
    free(it);
}

static void too_much_waiting_is_refused_at_once(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "inproc://pressure", "gateway", NULL);
    it->echo.holds_writes = true;
    struct inbox inbox;
    inbox_init(&inbox);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying("Write", &message);
    request.done               = inbox_put;
    request.context            = &inbox;
    struct error error         = {};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
        assert_true(echo_wait_held(&it->echo, i + 1));
    }
    for (unsigned i = 0; i < RPC_WAITING_CALLS_MAX; i++) {
        assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    }
    assert_int_equal(rpc_client_call(it->client, &request, NULL, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.code, "overloaded");
    echo_release(&it->echo);
    assert_true(inbox_wait(&inbox, RPC_WAITING_CALLS_MAX + 2));
    assert_int_equal(inbox.by_status[STATUS_OK], RPC_WAITING_CALLS_MAX + 2);
    assert_true(it->echo.batches >= 2 + RPC_WAITING_CALLS_MAX / 1'024);
    close_pair(it);
    inbox_done(&inbox);
    free(it);
}

static uint32_t no_room(uint16_t, void *)
{
    return 0;
}

static void a_full_mailbox_refuses_single_calls(void **)
{
    struct fixture *it           = calloc(1, sizeof *it);
    const struct rpc_hooks hooks = {
        .window = no_room, .batch_end = echo_batch_end, .context = &it->echo};
    open_pair(it, "inproc://mailbox", "gateway", &hooks);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying("Write", &message);
    struct rpc_answer *answer  = NULL;
    struct error error         = {};
    assert_int_equal(rpc_client_ask(it->client, &request, &answer, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(answer->error_code, "overloaded");
    assert_int_equal(answer->retry_after_ms, 100);
    rpc_answer_free(answer);
    request.method = "Say"; /* does not pass the mailbox */
    assert_int_equal(rpc_client_ask(it->client, &request, NULL, &error), STATUS_OK);
    close_pair(it);
    free(it);
}

/* --- sizes -------------------------------------------------------------------------------------
 */

static void sizes_have_limits_on_both_sides(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "tcp://127.0.0.1:0", "gateway", NULL);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying("Say", &message);
    struct rpc_answer *answer  = NULL;
    struct error error         = {};

    message.data.len  = RPC_MESSAGE_SIZE_MAX;
    message.data.data = calloc(1, message.data.len);
    assert_int_equal(rpc_client_ask(it->client, &request, NULL, &error), STATUS_RESOURCE_EXHAUSTED);

    message.data.len = 16 << 20; /* as large as an LLM body may be */
    assert_int_equal(rpc_client_ask(it->client, &request, &answer, &error), STATUS_OK);
    assert_int_equal(((const Test__Saying *)answer->message)->data.len, message.data.len);
    rpc_answer_free(answer);
    free(message.data.data);
    message.data = (ProtobufCBinaryData){};

    message.text   = "big";
    message.number = 19 << 20;
    assert_int_equal(rpc_client_ask(it->client, &request, NULL, &error), STATUS_RESOURCE_EXHAUSTED);
    close_pair(it);
    free(it);
}

/* Twenty answers of 1 MiB do not fit into one message; what does not is fetched alone. */
static void answers_too_large_together_come_alone(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "inproc://alone", "gateway", NULL);
    struct inbox inbox;
    inbox_init(&inbox);
    Test__Saying message       = TEST__SAYING__INIT;
    message.text               = "big";
    message.number             = 1 << 20;
    struct rpc_request request = saying("Say", &message);
    request.done               = inbox_put;
    request.context            = &inbox;
    struct error error         = {};
    for (unsigned i = 0; i < 60; i++) {
        assert_int_equal(rpc_client_call(it->client, &request, NULL, &error), STATUS_OK);
    }
    assert_true(inbox_wait(&inbox, 60));
    assert_int_equal(inbox.by_status[STATUS_OK], 60);
    close_pair(it);
    inbox_done(&inbox);
    free(it);
}

/* --- who may -----------------------------------------------------------------------------------
 */

static void rights_follow_from_the_token(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "tcp://127.0.0.1:0", "llm-proxy", NULL);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying("Write", &message); /* the gateway's alone */
    struct error error         = {};
    assert_int_equal(rpc_client_ask(it->client, &request, NULL, &error), STATUS_PERMISSION_DENIED);
    request.method = "Say";
    assert_int_equal(rpc_client_ask(it->client, &request, NULL, &error), STATUS_OK);
    close_pair(it);
    free(it);
}

static void a_wrong_secret_is_refused(void **)
{
    struct fixture *it = calloc(1, sizeof *it);
    open_pair(it, "tcp://127.0.0.1:0", "gateway", NULL);
    rpc_client_closep(&it->client);
    static const uint8_t wrong[32]    = "not the one";
    struct rpc_client_options options = echo_client_options(it->endpoint);
    options.identity                  = identity_of("gateway");
    options.identity.secrets[0].key   = (bytes){wrong, sizeof wrong};
    struct error error                = {};
    assert_int_equal(rpc_client_open(&options, &it->client, &error), STATUS_OK);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying("Say", &message);
    assert_int_equal(rpc_client_ask(it->client, &request, NULL, &error), STATUS_UNAUTHENTICATED);
    close_pair(it);
    free(it);
}

static void tcp_wants_a_secret(void **)
{
    struct rpc_service none           = {};
    struct rpc_server_options options = {.url = "tcp://127.0.0.1:0", .services = &none};
    struct rpc_server *server         = NULL;
    struct error error                = {};
    assert_int_equal(rpc_server_start(&options, &server, &error), STATUS_FAILED_PRECONDITION);
    assert_null(server);

    struct rpc_client_options client_options = echo_client_options("tcp://127.0.0.1:9");
    struct rpc_client *client                = NULL;
    assert_int_equal(rpc_client_open(&client_options, &client, &error), STATUS_FAILED_PRECONDITION);
    assert_null(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row_test("inproc", a_call_is_answered, "inproc://call-"),
        row_test("ipc", a_call_is_answered, "ipc:///tmp/tutti-call-"),
        row_test("abstract", a_call_is_answered, "abstract://tutti-call-"),
        row_test("tcp", a_call_is_answered, "tcp://127.0.0.1:"),
        cmocka_unit_test(metadata_arrives),
        cmocka_unit_test(errors_carry_code_details_and_retry_after),
        cmocka_unit_test(unknown_methods_are_refused),
        cmocka_unit_test(health_says_what_is_there),
        cmocka_unit_test(what_is_called_meanwhile_travels_together),
        cmocka_unit_test(fast_calls_go_beside_a_lane_that_stays_away),
        cmocka_unit_test(what_is_answered_in_a_row_leaves_at_the_release),
        cmocka_unit_test(what_is_held_is_dropped_when_the_client_is_gone),
        cmocka_unit_test(what_more_follows_waits_for_the_flush),
        cmocka_unit_test(too_much_waiting_is_refused_at_once),
        cmocka_unit_test(a_full_mailbox_refuses_single_calls),
        cmocka_unit_test(sizes_have_limits_on_both_sides),
        cmocka_unit_test(answers_too_large_together_come_alone),
        cmocka_unit_test(rights_follow_from_the_token),
        cmocka_unit_test(a_wrong_secret_is_refused),
        cmocka_unit_test(tcp_wants_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
