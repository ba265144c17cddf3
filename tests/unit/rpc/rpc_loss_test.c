/* What happens to calls when connections are lost, owners move and time is over. */
#include "cmocka.h"
#include "support/echo.h"

#include "base/clock.h"

#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct up_count {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned ups;
    unsigned downs;
};

struct fixture {
    struct echo echo;
    struct rpc_server *server;
    struct rpc_client *client;
    struct inbox inbox;
    struct up_count count;
    char url[128];
};

static void on_connected(const char *, bool is_up, void *context)
{
    struct up_count *count = context;
    (void)pthread_mutex_lock(&count->mutex);
    if (is_up) {
        count->ups++;
    } else {
        count->downs++;
    }
    (void)pthread_cond_broadcast(&count->changed);
    (void)pthread_mutex_unlock(&count->mutex);
}

static void wait_for(struct up_count *count, const unsigned *value, unsigned wanted)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ECHO_WAIT_MS / 1000;
    int error = 0;
    (void)pthread_mutex_lock(&count->mutex);
    while (*value < wanted && error == 0) {
        error = pthread_cond_timedwait(&count->changed, &count->mutex, &until);
    }
    bool is_reached = *value >= wanted;
    (void)pthread_mutex_unlock(&count->mutex);
    assert_true(is_reached);
}

static void start_server(struct fixture *it)
{
    struct error error = {};
    struct rpc_service services[2];
    echo_services(&it->echo, services);
    const struct rpc_server_options options = {
        .url      = it->url,
        .services = services,
        .contract = echo_contract,
        .hooks    = {.batch_end = echo_batch_end, .context = &it->echo},
        .drain_ms = 1,
    };
    if (rpc_server_start(&options, &it->server, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static struct fixture *fixture_open(const char *name, bool has_server)
{
    struct fixture *it = calloc(1, sizeof *it);
    struct error error = {};
    (void)snprintf(it->url, sizeof it->url, "ipc:///tmp/tutti-loss-%s-%d", name, (int)getpid());
    (void)pthread_mutex_init(&it->count.mutex, NULL);
    (void)pthread_cond_init(&it->count.changed, NULL);
    echo_init(&it->echo);
    inbox_init(&it->inbox);
    if (has_server) start_server(it);
    struct rpc_client_options options = echo_client_options(it->url);
    options.connected                 = on_connected;
    options.context                   = &it->count;
    if (rpc_client_open(&options, &it->client, &error) != STATUS_OK) fail_msg("%s", error.text);
    return it;
}

static void fixture_close(struct fixture *it)
{
    rpc_client_closep(&it->client);
    rpc_server_stopp(&it->server);
    echo_done(&it->echo);
    inbox_done(&it->inbox);
    (void)pthread_mutex_destroy(&it->count.mutex);
    (void)pthread_cond_destroy(&it->count.changed);
    free(it);
}

static struct rpc_request saying(struct fixture *it, const char *method, Test__Saying *message)
{
    return (struct rpc_request){
        .service        = &test__echo__descriptor,
        .method         = method,
        .message        = message,
        .wait_for_ready = true,
        .done           = inbox_put,
        .context        = &it->inbox,
    };
}

static void call_ok(struct fixture *it, const struct rpc_request *request, uint64_t *ret_id)
{
    struct error error = {};
    if (rpc_client_call(it->client, request, ret_id, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
}

static status ask(struct fixture *it, const struct rpc_request *request)
{
    struct error error = {};
    status code        = rpc_client_ask(it->client, request, NULL, &error);
    if (code != STATUS_OK) print_message("%s: %s\n", status_name(code), error.text);
    return code;
}

/* --- a first connection ------------------------------------------------------------------------
 */

static void count_peer(nng_pipe, nng_pipe_ev, void *context)
{
    on_connected("", true, context);
}

/* The two sockets of an endpoint connect in any order. That the one for long calls is there first
 * does not mean that the other was lost: its calls wait. */
static void calls_wait_while_only_the_long_ones_are_connected(void **)
{
    enum { CALLS = 10, TIMEOUT_MS = 20 };
    struct fixture *it    = fixture_open("long-only", false);
    struct up_count peers = {.mutex   = PTHREAD_MUTEX_INITIALIZER,
                             .changed = PTHREAD_COND_INITIALIZER};
    struct error error    = {};
    char long_url[RPC_ENDPOINT_MAX];
    nng_socket raw;
    assert_int_equal(rpc_long_url(it->url, long_url, &error), STATUS_OK);
    assert_int_equal(nng_rep0_open(&raw), 0);
    assert_int_equal(nng_pipe_notify(raw, NNG_PIPE_EV_ADD_POST, count_peer, &peers), 0);
    assert_int_equal(nng_listen(raw, long_url, NULL, 0), 0);
    wait_for(&peers, &peers.ups, 1);

    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Write", &message);
    request.wait_for_ready     = false;
    request.timeout_ms         = TIMEOUT_MS;
    for (unsigned i = 0; i < CALLS; i++) {
        assert_int_equal(ask(it, &request), STATUS_DEADLINE_EXCEEDED);
    }
    fixture_close(it);
    (void)nng_close(raw);
}

/* --- a peer that is killed ----------------------------------------------------------------------
 */

/* The other process: serves until its standard input ends, or somebody says "die". */
static int serve_as_peer(const char *url)
{
    struct echo *echo  = calloc(1, sizeof *echo);
    struct error error = {};
    struct rpc_service services[2];
    echo_init(echo);
    echo->dies = true;
    echo_services(echo, services);
    const struct rpc_server_options options = {
        .url = url, .services = services, .contract = echo_contract};
    struct rpc_server *server = NULL;
    if (rpc_server_start(&options, &server, &error) != STATUS_OK) return 1;
    (void)getchar();
    rpc_server_stopp(&server);
    free(echo);
    return 0;
}

struct peer {
    pid_t pid;
    int input;
};

static struct peer start_peer(const char *url)
{
    int input[2];
    posix_spawn_file_actions_t actions;
    struct peer peer;
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    char *arguments[] = {(char[]){"peer"}, (char[]){"--peer"}, (char *)(uintptr_t)url, NULL};
    assert_int_equal(posix_spawn(&peer.pid, "/proc/self/exe", &actions, NULL, arguments, environ),
                     0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(input[0]);
    peer.input = input[1];
    return peer;
}

static void end_peer(struct peer *peer)
{
    int how;
    (void)close(peer->input);
    assert_int_equal(waitpid(peer->pid, &how, 0), peer->pid);
}

static void a_call_that_was_lost_is_unavailable(void **)
{
    struct fixture *it         = fixture_open("killed", false);
    struct peer peer           = start_peer(it->url);
    Test__Saying message       = TEST__SAYING__INIT;
    message.text               = "die";
    struct rpc_request request = saying(it, "Once", &message); /* may not be repeated */
    request.timeout_ms         = 600'000;                      /* the test would run out of time */
    assert_int_equal(ask(it, &request), STATUS_UNAVAILABLE);
    struct rpc_client_stats stats;
    rpc_client_stats(it->client, &stats);
    assert_int_equal(stats.repeated, 0);
    request.wait_for_ready = false;
    assert_int_equal(ask(it, &request), STATUS_UNAVAILABLE); /* nobody there: at once */
    end_peer(&peer);
    fixture_close(it);
}

/* One of two endpoints is killed by the call; the other one answers. */
static void check_repeated(const char *method, const char *request_id)
{
    struct fixture *it    = fixture_open("victim", false);
    struct fixture *other = fixture_open("other", true);
    struct peer peer      = start_peer(it->url);
    char endpoints[300];
    (void)snprintf(endpoints, sizeof endpoints, "%s,%s", other->url, it->url);
    struct rpc_client_options options = echo_client_options(endpoints);
    struct up_count *count            = &it->count;
    struct error error                = {};
    rpc_client_closep(&it->client);
    options.connected = on_connected;
    options.context   = count;
    count->ups        = 0;
    assert_int_equal(rpc_client_open(&options, &it->client, &error), STATUS_OK);
    wait_for(count, &count->ups, 2);

    Test__Saying message       = TEST__SAYING__INIT;
    message.text               = "die";
    struct rpc_request request = saying(it, method, &message);
    request.request_id         = str_from(request_id);
    request.timeout_ms         = 60'000;
    assert_int_equal(ask(it, &request), STATUS_OK);
    assert_int_equal(other->echo.said, 1);
    struct rpc_client_stats stats;
    rpc_client_stats(it->client, &stats);
    assert_in_range(stats.repeated, 1, 3); /* of two idle endpoints the last one named is first */
    end_peer(&peer);
    fixture_close(it);
    fixture_close(other);
}

static void an_idempotent_call_is_repeated(void **)
{
    check_repeated("Say", "");
}

static void a_call_with_a_request_id_is_repeated(void **)
{
    check_repeated("Once", "request-1");
}

/* --- deadlines ---------------------------------------------------------------------------------
 */

static void a_call_ends_at_its_deadline(void **)
{
    struct fixture *it         = fixture_open("deadline", true);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Park", &message);
    request.timeout_ms         = 60;
    assert_int_equal(ask(it, &request), STATUS_DEADLINE_EXCEEDED);
    assert_true(echo_wait_cancelled(&it->echo, 1)); /* its handler is told too */
    struct rpc_client_stats stats;
    rpc_client_stats(it->client, &stats);
    assert_int_equal(stats.open, 0);
    fixture_close(it);
}

static void the_lane_goes_on_after_a_deadline(void **)
{
    struct fixture *it         = fixture_open("lane", true);
    it->echo.holds_writes      = true;
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Write", &message);
    request.timeout_ms         = 80;
    for (unsigned i = 0; i < 4; i++) assert_int_equal(ask(it, &request), STATUS_DEADLINE_EXCEEDED);
    echo_release(&it->echo); /* late answers are ignored */
    request.timeout_ms = 0;
    assert_int_equal(ask(it, &request), STATUS_OK);
    fixture_close(it);
}

/* --- no peer -----------------------------------------------------------------------------------
 */

static void without_a_peer_calls_fail_or_wait_as_asked(void **)
{
    struct fixture *it         = fixture_open("nobody", false);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Say", &message);
    request.timeout_ms         = 100;
    assert_int_equal(ask(it, &request), STATUS_DEADLINE_EXCEEDED); /* waits for ready */
    request.wait_for_ready = false;
    request.timeout_ms     = 30'000;
    int64_t start_ms       = clock_mono_ms();
    assert_int_equal(ask(it, &request), STATUS_UNAVAILABLE); /* after the first connection's time */
    assert_true(clock_mono_ms() - start_ms < 20'000);
    assert_int_equal(ask(it, &request), STATUS_UNAVAILABLE); /* and then at once */
    assert_false(rpc_client_is_connected(it->client, 0));
    fixture_close(it);
}

static void the_client_reconnects(void **)
{
    struct fixture *it         = fixture_open("again", true);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Say", &message);
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(ask(it, &request), STATUS_OK);
        assert_true(rpc_client_is_connected(it->client, 0));
        rpc_server_stopp(&it->server);
        wait_for(&it->count, &it->count.downs, i);
        start_server(it);
    }
    assert_int_equal(ask(it, &request), STATUS_OK);
    struct rpc_client_stats stats;
    rpc_client_stats(it->client, &stats);
    assert_int_equal(stats.connects, 6);
    assert_int_equal(stats.disconnects, 5);
    fixture_close(it);
}

/* --- owners ------------------------------------------------------------------------------------
 */

static void moved_answers_are_followed(void **)
{
    struct fixture *first  = fixture_open("first", true);
    struct fixture *second = fixture_open("second", true);
    (void)snprintf(first->echo.moved_to, sizeof first->echo.moved_to, "%s", second->url);
    first->echo.moved_partition  = 7;
    second->echo.moved_partition = 7;

    struct rpc_client_options options = echo_client_options(first->url);
    options.choice                    = RPC_OWNER;
    struct error error                = {};
    rpc_client_closep(&first->client);
    assert_int_equal(rpc_client_open(&options, &first->client, &error), STATUS_OK);
    Test__Saying message       = TEST__SAYING__INIT;
    message.text               = "moved";
    struct rpc_request request = saying(first, "Say", &message);
    request.partition          = 2;
    assert_int_equal(ask(first, &request), STATUS_OK);
    assert_int_equal(first->echo.said, 1);
    assert_int_equal(second->echo.said, 1);
    assert_string_equal(second->echo.last_moved_key, "the-key");

    request.partition = 7; /* remembered: goes there at once */
    assert_int_equal(ask(first, &request), STATUS_OK);
    assert_int_equal(first->echo.said, 1);
    assert_int_equal(second->echo.said, 2);
    fixture_close(first);
    fixture_close(second);
}

static bool owns_none(uint16_t partition, struct rpc_moved *ret_owner, void *)
{
    ret_owner->partition = partition;
    ret_owner->epoch     = 1;
    return false;
}

static void a_circle_of_moves_ends(void **)
{
    struct fixture *it = fixture_open("circle", false);
    struct rpc_service services[2];
    struct error error = {};
    echo_services(&it->echo, services);
    const struct rpc_server_options options = {
        .url      = it->url,
        .services = services,
        .contract = echo_contract,
        .hooks    = {.owns = owns_none, .context = &it->echo},
    };
    assert_int_equal(rpc_server_start(&options, &it->server, &error), STATUS_OK);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Write", &message);
    assert_int_equal(ask(it, &request), STATUS_UNAVAILABLE);
    struct rpc_client_stats stats;
    rpc_client_stats(it->client, &stats);
    assert_int_equal(stats.moved, 4);
    fixture_close(it);
}

static void partitions_go_to_their_listed_owners(void **)
{
    struct fixture *first  = fixture_open("p0", true);
    struct fixture *second = fixture_open("p1", true);
    char endpoints[300];
    (void)snprintf(endpoints, sizeof endpoints, "%s, %s", first->url, second->url);
    struct rpc_client_options options = echo_client_options(endpoints);
    options.choice                    = RPC_OWNER;
    struct error error                = {};
    struct rpc_client *client         = NULL;
    assert_int_equal(rpc_client_open(&options, &client, &error), STATUS_OK);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(first, "Say", &message);
    for (uint16_t partition = 0; partition < 6; partition++) {
        request.partition = partition;
        assert_int_equal(rpc_client_ask(client, &request, NULL, &error), STATUS_OK);
    }
    assert_int_equal(first->echo.said, 3);
    assert_int_equal(second->echo.said, 3);
    rpc_client_closep(&client);
    fixture_close(first);
    fixture_close(second);
}

static void the_least_busy_endpoint_is_chosen(void **)
{
    struct fixture *first  = fixture_open("b0", true);
    struct fixture *second = fixture_open("b1", true);
    char endpoints[300];
    (void)snprintf(endpoints, sizeof endpoints, "%s,%s", first->url, second->url);
    struct rpc_client_options options = echo_client_options(endpoints);
    options.connected                 = on_connected;
    options.context                   = &first->count;
    rpc_client_closep(&first->client);
    wait_for(&first->count, &first->count.downs, first->count.ups);
    first->count.ups          = 0;
    struct error error        = {};
    struct rpc_client *client = NULL;
    assert_int_equal(rpc_client_open(&options, &client, &error), STATUS_OK);
    wait_for(&first->count, &first->count.ups, 2);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(first, "Park", &message);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(rpc_client_call(client, &request, NULL, &error), STATUS_OK);
    }
    assert_true(echo_wait_held(&first->echo, 10));
    assert_true(echo_wait_held(&second->echo, 10));
    echo_release(&first->echo);
    echo_release(&second->echo);
    assert_true(inbox_wait(&first->inbox, 20));
    rpc_client_closep(&client);
    fixture_close(first);
    fixture_close(second);
}

/* --- long calls --------------------------------------------------------------------------------
 */

static void a_parked_call_can_be_given_up(void **)
{
    struct fixture *it         = fixture_open("cancel", true);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Park", &message);
    request.timeout_ms         = 30'000;
    uint64_t id                = 0;
    call_ok(it, &request, &id);
    assert_true(echo_wait_held(&it->echo, 1));
    rpc_client_cancel(it->client, id);
    assert_true(inbox_wait(&it->inbox, 1));
    assert_int_equal(it->inbox.by_status[STATUS_CANCELLED], 1);
    assert_true(echo_wait_cancelled(&it->echo, 1));
    rpc_client_cancel(it->client, id); /* over: nothing happens */
    fixture_close(it);
}

/* It is answered by its server, and only then over. */
static void a_parked_call_can_be_stopped(void **)
{
    struct fixture *it         = fixture_open("stop", true);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Park", &message);
    request.timeout_ms         = 30'000;
    message.text               = "stay"; /* the server answers as it likes */
    uint64_t id                = 0;
    call_ok(it, &request, &id);
    assert_true(echo_wait_held(&it->echo, 1));
    rpc_client_stop(it->client, id);
    assert_true(echo_wait_cancelled(&it->echo, 1));
    assert_int_equal(it->inbox.by_status[STATUS_CANCELLED], 0);
    echo_release(&it->echo);
    assert_true(inbox_wait(&it->inbox, 1));
    assert_int_equal(it->inbox.by_status[STATUS_OK], 1);
    rpc_client_stop(it->client, id); /* over: nothing happens */
    fixture_close(it);
}

static void thousands_of_calls_can_be_parked(void **)
{
    enum { PARKED = 2'000 };
    struct fixture *it         = fixture_open("parked", true);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Park", &message);
    request.timeout_ms         = 60'000;
    for (unsigned i = 0; i < PARKED; i++) call_ok(it, &request, NULL);
    assert_true(echo_wait_held(&it->echo, PARKED));
    struct rpc_request other = saying(it, "Say", &message);
    assert_int_equal(ask(it, &other), STATUS_OK); /* they are in nobody's way */
    echo_release(&it->echo);
    assert_true(inbox_wait(&it->inbox, PARKED));
    assert_int_equal(it->inbox.by_status[STATUS_OK], PARKED);
    fixture_close(it);
}

static void parked_calls_of_a_client_that_is_gone_are_cancelled(void **)
{
    struct fixture *it         = fixture_open("gone", true);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Park", &message);
    request.timeout_ms         = 60'000;
    for (unsigned i = 0; i < 100; i++) call_ok(it, &request, NULL);
    assert_true(echo_wait_held(&it->echo, 100));
    rpc_client_closep(&it->client);
    assert_int_equal(it->inbox.by_status[STATUS_CANCELLED], 100); /* answered by the close */
    assert_true(echo_wait_cancelled(&it->echo, 100));
    fixture_close(it);
}

static void stopping_answers_what_is_parked(void **)
{
    struct fixture *it         = fixture_open("drain", true);
    it->echo.holds_writes      = true;
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Park", &message);
    request.timeout_ms         = 60'000;
    call_ok(it, &request, NULL);
    request = saying(it, "Write", &message);
    call_ok(it, &request, NULL);
    assert_true(echo_wait_held(&it->echo, 2));
    rpc_server_stopp(&it->server);
    assert_true(inbox_wait(&it->inbox, 2));
    assert_int_equal(it->inbox.by_status[STATUS_CANCELLED], 1);   /* what its hook answered */
    assert_int_equal(it->inbox.by_status[STATUS_UNAVAILABLE], 1); /* the write */
    echo_release(&it->echo); /* a reply after the stop is ignored, and frees what is left */
    fixture_close(it);
}

static void a_draining_server_refuses(void **)
{
    struct fixture *it         = fixture_open("refuse", true);
    Test__Saying message       = TEST__SAYING__INIT;
    struct rpc_request request = saying(it, "Once", &message);
    assert_int_equal(ask(it, &request), STATUS_OK);
    rpc_server_drain(it->server);
    struct rpc_answer *answer = NULL;
    struct error error        = {};
    assert_int_equal(rpc_client_ask(it->client, &request, &answer, &error), STATUS_UNAVAILABLE);
    assert_string_equal(answer->error_code, "draining");
    rpc_answer_free(answer);
    fixture_close(it);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--peer") == 0) return serve_as_peer(argv[2]);

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_wait_while_only_the_long_ones_are_connected),
        cmocka_unit_test(a_call_that_was_lost_is_unavailable),
        cmocka_unit_test(an_idempotent_call_is_repeated),
        cmocka_unit_test(a_call_with_a_request_id_is_repeated),
        cmocka_unit_test(a_call_ends_at_its_deadline),
        cmocka_unit_test(the_lane_goes_on_after_a_deadline),
        cmocka_unit_test(without_a_peer_calls_fail_or_wait_as_asked),
        cmocka_unit_test(the_client_reconnects),
        cmocka_unit_test(moved_answers_are_followed),
        cmocka_unit_test(a_circle_of_moves_ends),
        cmocka_unit_test(partitions_go_to_their_listed_owners),
        cmocka_unit_test(the_least_busy_endpoint_is_chosen),
        cmocka_unit_test(a_parked_call_can_be_given_up),
        cmocka_unit_test(a_parked_call_can_be_stopped),
        cmocka_unit_test(thousands_of_calls_can_be_parked),
        cmocka_unit_test(parked_calls_of_a_client_that_is_gone_are_cancelled),
        cmocka_unit_test(stopping_answers_what_is_parked),
        cmocka_unit_test(a_draining_server_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
