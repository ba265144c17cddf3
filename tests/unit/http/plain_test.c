/* The client's own transport, against a peer that says what the test says, when it says it. */
#include "support/http/client_fixture.h"

#include "http/plain_internal.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

/* --- The peer --------------------------------------------------------------------------------- */

enum { PEER_CONNECTIONS_MAX = 4 };

struct peer {
    struct fixture *f;
    int listener;
    uint16_t port;
    int fds[PEER_CONNECTIONS_MAX];
    unsigned count;
};

static void peer_listen(struct peer *peer, struct fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size             = sizeof address;
    *peer                      = (struct peer){.f = f};
    peer->listener             = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(peer->listener >= 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(peer->listener, 8), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &size), 0);
    peer->port = ntohs(address.sin_port);
}

static void peer_close(struct peer *peer)
{
    for (unsigned i = 0; i < peer->count; i++) close(peer->fds[i]);
    close(peer->listener);
}

/* Turns the loop until somebody connects. */
static int peer_accept(struct peer *peer)
{
    int fd = -1;
    for (int turns = 0; fd < 0; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(peer->f->loop, TURN_MS);
        fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    assert_true(peer->count < PEER_CONNECTIONS_MAX);
    peer->fds[peer->count++] = fd;
    return fd;
}

/* Turns the loop until a whole head is there; `*ret_head` is what came. */
static void peer_read_head(struct peer *peer, int fd, char ret_head[static 4096])
{
    size_t len  = 0;
    ret_head[0] = '\0';
    for (int turns = 0; !strstr(ret_head, "\r\n\r\n"); turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(peer->f->loop, TURN_MS);
        ssize_t got = recv(fd, ret_head + len, 4095 - len, 0);
        if (got > 0) len += (size_t)got;
        ret_head[len] = '\0';
    }
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Turns the loop until the client has closed the connection, without another word. */
static void peer_wait_for_end(struct peer *peer, int fd)
{
    char byte;
    for (int turns = 0;; turns++) {
        ssize_t got = recv(fd, &byte, 1, 0);
        if (got == 0) return;
        assert_true(got < 0 && turns < TURNS_MAX);
        loop_turn(peer->f->loop, TURN_MS);
    }
}

static void ask(struct peer *peer, const struct http_request *how, struct outcome *outcome,
                bool is_streamed)
{
    char url[64];
    struct http_request request = *how;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/x", peer->port);
    if (!request.url.ptr) request.url = str_from(url);
    (void)start(peer->f, "", &request, outcome, is_streamed);
}

/* A call from its beginning to its end, over a connection that is there (`fd`) or a new one (-1).
 */
static int converse(struct peer *peer, int fd, const char *answer, struct outcome *outcome)
{
    char head[4096];
    ask(peer, &(struct http_request){}, outcome, false);
    if (fd < 0) fd = peer_accept(peer);
    peer_read_head(peer, fd, head);
    say(fd, answer);
    turn_until_done(peer->f, outcome);
    return fd;
}

#define SHORT "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* --- Tests ------------------------------------------------------------------------------------ */

static void answers_may_come_byte_by_byte(void **state)
{
    static const char answer[] =
        "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nX-Twice: once\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n";
    struct peer peer;
    peer_listen(&peer, *state);
    int fd = -1;
    for (int i = 0; i < 2; i++) { /* the second one over the same connection */
        char head[4096];
        CLEANUP(outcome_done) struct outcome outcome = {};
        ask(&peer, &(struct http_request){}, &outcome, false);
        if (fd < 0) fd = peer_accept(&peer);
        peer_read_head(&peer, fd, head);
        for (size_t at = 0; at < sizeof answer - 1; at++) {
            assert_int_equal(outcome.done_count, 0);
            assert_int_equal(send(fd, answer + at, 1, MSG_NOSIGNAL), 1);
            loop_turn(peer.f->loop, 0);
        }
        turn_until_done(peer.f, &outcome);
        assert_int_equal(outcome.code, STATUS_OK);
        assert_string_equal(outcome.body.ptr, "abcde");
        assert_string_equal(outcome.twice.ptr, "once");
        assert_int_equal(outcome.is_reused, i > 0);
    }
    peer_close(&peer);
}

/* What ends an answer so that nothing may follow it. */
static void some_connections_are_not_used_again(void **state)
{
    static const struct {
        const char *answer, *body;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
        {SHORT "and more", "ok"},
    };
    struct peer peer;
    peer_listen(&peer, *state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(outcome_done) struct outcome outcome = {};
        int fd = converse(&peer, -1, rows[i].answer, &outcome);
        assert_int_equal(outcome.code, STATUS_OK);
        assert_string_equal(outcome.body.ptr, rows[i].body);
        assert_false(outcome.is_reused);
        peer_wait_for_end(&peer, fd);
    }
    peer_close(&peer);
}

static void bytes_that_nobody_asked_for_end_a_connection(void **state)
{
    CLEANUP(outcome_done) struct outcome outcome = {};
    struct peer peer;
    peer_listen(&peer, *state);
    int fd = converse(&peer, -1, SHORT, &outcome);
    say(fd, SHORT); /* would be the answer to the next request */
    peer_wait_for_end(&peer, fd);
    peer_close(&peer);
}

static void an_answer_may_come_before_the_request_is_sent(void **state)
{
    enum { SIZE = HTTP_BODY_SENT_MAX };
    char *body                                   = calloc(SIZE, 1); /* more than two sockets hold */
    CLEANUP(outcome_done) struct outcome outcome = {};
    struct peer peer;
    char head[4096];
    peer_listen(&peer, *state);
    ask(&peer, &(struct http_request){.body = {body, SIZE}}, &outcome, false);
    int fd = peer_accept(&peer);
    peer_read_head(&peer, fd, head);
    assert_non_null(strstr(head, "Content-Length: 33554432\r\n"));
    say(fd, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    turn_until_done(peer.f, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.http_status, 413);
    assert_string_equal(outcome.body.ptr, "big");
    CLEANUP(outcome_done) struct outcome next = {};
    (void)converse(&peer, -1, SHORT, &next); /* over a connection of its own */
    assert_false(next.is_reused);
    peer_close(&peer);
    free(body);
}

static void large_bodies_go_out_in_parts(void **state)
{
    enum { SIZE = 8 << 20 };
    unsigned char *body                          = malloc(SIZE);
    CLEANUP(outcome_done) struct outcome outcome = {};
    struct peer peer;
    peer_listen(&peer, *state);
    for (size_t i = 0; i < SIZE; i++) body[i] = (unsigned char)(i * 2654435761u >> 24);
    ask(&peer, &(struct http_request){.body = {body, SIZE}, .is_repeatable = true}, &outcome,
        false);
    int fd             = peer_accept(&peer);
    unsigned char *got = malloc(SIZE + 4096);
    size_t len         = 0;
    const char *end    = NULL;
    for (int turns = 0; !end || len < (size_t)(end - (char *)got) + 4 + SIZE; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(peer.f->loop, TURN_MS);
        ssize_t more = recv(fd, got + len, SIZE + 4096 - len, 0);
        if (more > 0) len += (size_t)more;
        if (!end) end = memmem(got, len, "\r\n\r\n", 4);
    }
    assert_memory_equal(end + 4, body, SIZE);
    say(fd, SHORT);
    turn_until_done(peer.f, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    CLEANUP(outcome_done) struct outcome next = {};
    (void)converse(&peer, fd, SHORT, &next);
    assert_true(next.is_reused);
    peer_close(&peer);
    free(body);
    free(got);
}

static void pieces_that_are_not_taken_come_again(void **state)
{
    CLEANUP(outcome_done) struct outcome outcome = {.flow = HTTP_PAUSE};
    struct peer peer;
    char head[4096];
    peer_listen(&peer, *state);
    ask(&peer, &(struct http_request){}, &outcome, true);
    int fd = peer_accept(&peer);
    peer_read_head(&peer, fd, head);
    say(fd,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    for (unsigned pieces = 1; pieces <= 3; pieces++) { /* the first one thrice */
        for (int turns = 0; outcome.data_count < pieces; turns++) {
            assert_true(turns < TURNS_MAX);
            loop_turn(peer.f->loop, TURN_MS);
        }
        assert_int_equal(outcome.done_count, 0);
        if (pieces == 3) outcome.flow = HTTP_GO_ON;
        http_call_resume(outcome.call);
    }
    turn_until_done(peer.f, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.data_bytes, 7);
    CLEANUP(outcome_done) struct outcome next = {};
    (void)converse(&peer, fd, SHORT, &next);
    assert_true(next.is_reused);
    peer_close(&peer);
}

static void calls_wait_for_a_connection_in_turn(void **state)
{
    enum { CALLS = 4, CANCELLED = 2 };
    struct fixture *f = *state;
    struct peer peer;
    struct outcome outcomes[CALLS]           = {};
    const struct http_client_options options = {
        .loop = f->loop, .egress = f->rules, .host_connections_max = 1};
    http_client_free(f->client);
    f->client = new_client(&options);
    peer_listen(&peer, f);
    for (int i = 0; i < CALLS; i++) ask(&peer, &(struct http_request){}, &outcomes[i], false);
    int fd = peer_accept(&peer);
    http_call_cancel(outcomes[CANCELLED].call);
    for (int i = 0; i < CALLS; i++) {
        char head[4096];
        if (i == CANCELLED) continue;
        peer_read_head(&peer, fd, head);
        for (int later = i; later < CALLS; later++) {
            assert_int_equal(outcomes[later].done_count, 0);
        }
        say(fd, SHORT);
        turn_until_done(f, &outcomes[i]);
        assert_int_equal(outcomes[i].is_reused, i > 0);
    }
    assert_int_equal(outcomes[CANCELLED].done_count, 0);
    for (int i = 0; i < CALLS; i++) outcome_done(&outcomes[i]);
    peer_close(&peer);
}

static void who_waits_is_served_when_a_connection_ends(void **state)
{
    struct fixture *f = *state;
    struct peer peer;
    struct outcome first                        = {};
    CLEANUP(outcome_done) struct outcome second = {};
    CLEANUP(outcome_done) struct outcome third  = {};
    const struct http_client_options options    = {
           .loop = f->loop, .egress = f->rules, .host_connections_max = 1};
    http_client_free(f->client);
    f->client = new_client(&options);
    peer_listen(&peer, f);
    ask(&peer, &(struct http_request){}, &first, false);
    ask(&peer, &(struct http_request){}, &second, false);
    ask(&peer, &(struct http_request){.timeouts = {.connect_ms = 100}}, &third, false);
    (void)peer_accept(&peer);
    f->now_ms += 100;
    turn_until_done(f, &third);
    assert_string_equal(http_failure_name(third.failure), "timeout_connect");
    assert_false(third.was_sent);
    http_call_cancel(first.call);
    char head[4096];
    int fd = peer_accept(&peer);
    peer_read_head(&peer, fd, head);
    say(fd, SHORT);
    turn_until_done(f, &second);
    assert_int_equal(second.code, STATUS_OK);
    assert_false(second.is_reused);
    peer_close(&peer);
}

/* The loop may have been held up: what was freed meanwhile is too old for it, and the name has to
 * be asked for again, so that opening another takes its time. */
static void who_waits_may_find_a_stale_connection(void **state)
{
    enum { WHILE_MS = 1'000 };
    struct fixture *f = *state;
    struct peer peer;
    char head[4096];
    char url[64];
    CLEANUP(outcome_done) struct outcome first  = {};
    CLEANUP(outcome_done) struct outcome second = {};
    const struct http_client_options options    = {
           .loop = f->loop, .egress = f->rules, .host_connections_max = 1};
    const struct http_request request = {.method   = str_from("POST"), /* may not be repeated */
                                         .url      = {url, sizeof "http://localhost:12345/" - 1},
                                         .timeouts = {.connect_ms = -1}};
    http_client_free(f->client);
    f->client = new_client(&options);
    peer_listen(&peer, f);
    (void)snprintf(url, sizeof url, "http://localhost:%05u/", peer.port);
    ask(&peer, &request, &first, false);
    ask(&peer, &request, &second, false);
    int fd = peer_accept(&peer);
    peer_read_head(&peer, fd, head);
    f->now_ms += WHILE_MS;
    say(fd, SHORT);
    turn_until_done(f, &first);
    f->now_ms += NAMES_KEPT_MS - WHILE_MS; /* a moment before it is closed for being idle */
    fd = peer_accept(&peer);
    peer_read_head(&peer, fd, head);
    say(fd, SHORT);
    turn_until_done(f, &second);
    assert_int_equal(second.code, STATUS_OK);
    assert_false(second.is_reused);
    peer_close(&peer);
}

static void hang_up(void *context)
{
    const int *fd = context;
    assert_int_equal(shutdown(*fd, SHUT_RDWR), 0);
}

/* Its server closes it after the loop has looked, right before the request would go out. */
static void what_may_not_be_repeated_takes_no_dead_connection(void **state)
{
    struct fixture *f                           = *state;
    CLEANUP(outcome_done) struct outcome first  = {};
    CLEANUP(outcome_done) struct outcome second = {};
    struct peer peer;
    char head[4096];
    peer_listen(&peer, f);
    int fd                   = converse(&peer, -1, SHORT, &first);
    struct loop_timer closes = {.fire = hang_up, .context = &fd};
    ask(&peer, &(struct http_request){.method = str_from("POST")}, &second, false);
    f->now_ms += 1;
    loop_timer_set(f->loop, &closes, f->now_ms); /* timers come before what was asked for */
    int next = peer_accept(&peer);
    peer_read_head(&peer, next, head);
    say(next, SHORT);
    turn_until_done(f, &second);
    assert_int_equal(second.code, STATUS_OK);
    assert_false(second.is_reused);
    peer_close(&peer);
}

/* More than are opened at once: each has a connection of its own in the end. */
static void a_crowd_is_let_in_by_and_by(void **state)
{
    enum { CALLS = PLAIN_OPENING_MAX + 30 };
    struct fixture *f                        = *state;
    struct outcome *outcomes                 = calloc(CALLS, sizeof *outcomes);
    const struct http_client_options options = {
        .loop = f->loop, .egress = f->rules, .host_connections_max = CALLS};
    http_client_free(f->client);
    f->client = new_client(&options);
    for (int i = 0; i < CALLS; i++) {
        (void)start(f, "/stall", &(struct http_request){}, &outcomes[i], true);
    }
    for (int i = 0; i < CALLS; i++) {
        for (int turns = 0; outcomes[i].data_count == 0; turns++) {
            assert_true(turns < TURNS_MAX);
            loop_turn(f->loop, TURN_MS);
        }
    }
    assert_int_equal(hostile_connections(f->server), CALLS);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(outcomes[i].done_count, 0);
        http_call_cancel(outcomes[i].call);
    }
    free(outcomes);
}

/* The name is asked about when the call starts; what counts is the address behind it. */
static void pooled_connections_ask_the_rules_again(void **state)
{
    struct fixture *f = *state;
    struct peer peer;
    char url[64];
    char head[4096];
    peer_listen(&peer, f);
    (void)snprintf(url, sizeof url, "http://localhost:%u/x", peer.port);
    struct http_request request                = {.url = str_from(url)};
    CLEANUP(outcome_done) struct outcome first = {};
    ask(&peer, &request, &first, false);
    int fd = peer_accept(&peer);
    peer_read_head(&peer, fd, head);
    say(fd, SHORT);
    turn_until_done(f, &first);
    assert_int_equal(first.code, STATUS_OK);

    CLEANUP(outcome_done) struct outcome second = {};
    const struct http_handlers handlers         = {.on_done = on_done, .context = &second};
    assert_int_equal(http_call_start(f->client, &request, &handlers, NULL, NULL), STATUS_OK);
    turn_until_done(f, &second);
    assert_string_equal(http_failure_name(second.failure), "refused");
    assert_int_equal(second.code, STATUS_PERMISSION_DENIED);
    assert_false(second.was_sent);
    peer_close(&peer);
}

static void names_are_one_host_in_any_case(void **state)
{
    struct peer peer;
    char url[64];
    char head[4096];
    int fd = -1;
    peer_listen(&peer, *state);
    for (int i = 0; i < 2; i++) {
        CLEANUP(outcome_done) struct outcome outcome = {};
        (void)snprintf(url, sizeof url, "http://%s:%u/", i ? "LocalHost" : "localhost", peer.port);
        ask(&peer, &(struct http_request){.url = str_from(url)}, &outcome, false);
        if (fd < 0) fd = peer_accept(&peer);
        peer_read_head(&peer, fd, head);
        say(fd, SHORT);
        turn_until_done(peer.f, &outcome);
        assert_int_equal(outcome.is_reused, i > 0);
    }
    peer_close(&peer);
}

static void idle_connections_are_closed_in_time(void **state)
{
    CLEANUP(outcome_done) struct outcome outcome = {};
    struct peer peer;
    peer_listen(&peer, *state);
    int fd = converse(&peer, -1, SHORT, &outcome);
    peer.f->now_ms += PLAIN_IDLE_MS;
    peer_wait_for_end(&peer, fd);
    peer_close(&peer);
}

/* RFC 1952: "zip". */
#define ZIP "\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xca\x2c\0\0\x46\x95\x1d\x42\x03\0\0\0"

/* clang-format off: a row is a line */
static const struct coded {
    const char *fields;
    str body;
    enum http_failure failure;
    const char *text;
} coded[] = {
    {"Content-Encoding: gzip\r\n", {ZIP, sizeof ZIP - 1}, HTTP_NO_FAILURE, "zip"},
    {"content-encoding: X-GZIP\r\nContent-Encoding: identity\r\n",
     {ZIP, sizeof ZIP - 1},
     HTTP_NO_FAILURE,
     "zip"},
    {"Content-Encoding: identity\r\n", {"zip", 3}, HTTP_NO_FAILURE, "zip"},
    {"Content-Encoding: gzip\r\n", {"", 0}, HTTP_NO_FAILURE, ""},
    {"Content-Encoding: br\r\n", {"", 0}, HTTP_NO_FAILURE, ""},
    {"Content-Encoding: gzip\r\n", {ZIP, sizeof ZIP - 2}, HTTP_PROTOCOL, NULL},
    {"Content-Encoding: gzip\r\n", {"zip", 3}, HTTP_PROTOCOL, NULL},
    {"Content-Encoding: br\r\n", {"zip", 3}, HTTP_PROTOCOL, NULL},
    {"Content-Encoding: gzip, gzip\r\n", {"zip", 3}, HTTP_PROTOCOL, NULL},
    {"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", {"zip", 3}, HTTP_PROTOCOL, NULL},
};
/* clang-format on */

static void say_coded(int fd, const struct coded *row, bool ends_by_close)
{
    CLEANUP(buf_done) struct buf head = buf_init(512);
    (void)buf_printf(&head, "HTTP/1.1 200 OK\r\n%s", row->fields);
    if (!ends_by_close) (void)buf_printf(&head, "Content-Length: %zu\r\n", row->body.len);
    (void)buf_put_text(&head, "\r\n");
    assert_true(buf_put_str(&head, row->body));
    assert_int_equal(send(fd, head.ptr, head.len, MSG_NOSIGNAL), head.len);
}

/* Where the length says the end, and where closing does. */
static void what_was_compressed_is_checked(void **state)
{
    for (size_t i = 0; i < 2 * ARRAY_LEN(coded); i++) {
        const struct coded *row                      = &coded[i / 2];
        CLEANUP(outcome_done) struct outcome outcome = {};
        struct peer peer;
        char head[4096];
        peer_listen(&peer, *state);
        ask(&peer, &(struct http_request){.is_compressed = true}, &outcome, false);
        int fd = peer_accept(&peer);
        peer_read_head(&peer, fd, head);
        assert_non_null(strstr(head, "\r\nAccept-Encoding: gzip\r\n"));
        say_coded(fd, row, i % 2);
        if (i % 2) assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
        turn_until_done(peer.f, &outcome);
        assert_string_equal(http_failure_name(outcome.failure), http_failure_name(row->failure));
        if (row->text) assert_true(str_is(buf_str(&outcome.body), row->text));
        peer_close(&peer);
    }
}

/* Who does not ask for it gets it as it is. */
static void what_nobody_asked_to_unpack_stays_packed(void **state)
{
    CLEANUP(outcome_done) struct outcome outcome = {};
    struct peer peer;
    char head[4096];
    peer_listen(&peer, *state);
    ask(&peer, &(struct http_request){}, &outcome, false);
    int fd = peer_accept(&peer);
    peer_read_head(&peer, fd, head);
    assert_null(strstr(head, "Accept-Encoding"));
    say_coded(fd, &coded[0], false);
    turn_until_done(peer.f, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.body.len, sizeof ZIP - 1);
    peer_close(&peer);
}

#define MOVED "HTTP/1.1 307 Temporary Redirect\r\nLocation: /next\r\n"

/* A redirect whose body is whole leaves its connection for the next hop; another one does not. The
 * request is still there for it. */
static void redirects_are_followed(void **state)
{
    static const struct {
        const char *answer;
        bool is_kept, is_closed;
    } redirects[] = {
        {MOVED "Content-Length: 5\r\n\r\nmoved", true, false},
        {MOVED "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nmoved", true, false},
        {MOVED "Content-Length: 50\r\n\r\nmoved", false, true},
        {MOVED "Transfer-Encoding: chunked\r\n\r\nmoved\r\n", false, false},
        {MOVED "Content-Length: 5\r\nConnection: close\r\n\r\nmoved", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(redirects); i++) {
        const struct http_request request = {
            .body = bytes_from(str_from("data")), .redirects_max = 1, .is_compressed = true};
        CLEANUP(outcome_done) struct outcome outcome = {};
        struct peer peer;
        char head[4096];
        peer_listen(&peer, *state);
        ask(&peer, &request, &outcome, false);
        int fd = peer_accept(&peer);
        peer_read_head(&peer, fd, head);
        say(fd, redirects[i].answer);
        if (redirects[i].is_closed) assert_int_equal(shutdown(fd, SHUT_WR), 0);
        if (!redirects[i].is_kept) fd = peer_accept(&peer);
        peer_read_head(&peer, fd, head);
        assert_int_equal(memcmp(head, "POST /next HTTP/1.1\r\n", 21), 0);
        assert_non_null(strstr(head, "\r\nContent-Length: 4\r\n"));
        say(fd, SHORT);
        turn_until_done(peer.f, &outcome);
        assert_int_equal(outcome.code, STATUS_OK);
        assert_string_equal(outcome.body.ptr, "ok");
        assert_int_equal(outcome.is_reused, redirects[i].is_kept);
        peer_close(&peer);
    }
}

/* The answer tells where to go: nothing is sent there. */
static void strange_redirects_lead_nowhere(void **state)
{
    static const struct {
        const char *location;
        enum http_failure failure;
    } rows[] = {
        {"http://user:password@127.0.0.1/", HTTP_REFUSED},
        {"http://elsewhere.test/", HTTP_REFUSED}, /* no http: there */
        {"http://10.0.0.1/", HTTP_REFUSED},
        {"http://0xa000001/", HTTP_REFUSED},
        {"//10.0.0.1/", HTTP_REFUSED},
        {"https://169.254.169.254/", HTTP_REFUSED},
        {"https://[::ffff:10.0.0.1]/", HTTP_REFUSED},
        {"ftp://127.0.0.1/", HTTP_REDIRECTS},
        {"http://", HTTP_REDIRECTS},
        {"http://127.0.0.1:99999/", HTTP_REDIRECTS},
        {"http://127.0.0.1\\@10.0.0.1/", HTTP_REDIRECTS},
        {"/a\tb", HTTP_REDIRECTS},
        {"", HTTP_REDIRECTS},
        {"/a\x01z", HTTP_PROTOCOL},
        {"/a\rX-Mine: 1", HTTP_PROTOCOL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(outcome_done) struct outcome outcome = {};
        struct peer peer;
        char head[4096];
        char answer[512];
        peer_listen(&peer, *state);
        ask(&peer, &(struct http_request){.redirects_max = 5}, &outcome, false);
        int fd = peer_accept(&peer);
        peer_read_head(&peer, fd, head);
        (void)snprintf(answer, sizeof answer,
                       "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                       rows[i].location);
        say(fd, answer);
        turn_until_done(peer.f, &outcome);
        if (outcome.failure != rows[i].failure) print_error("%s\n", rows[i].location);
        assert_string_equal(http_failure_name(outcome.failure), http_failure_name(rows[i].failure));
        peer_wait_for_end(&peer, fd);
        peer_close(&peer);
    }
}

/* Bytes of a stream that waits, in this transport: what 5,000 of them cost. */
static void a_waiting_stream_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct http_call) + sizeof(struct plain_call) + sizeof(struct plain_conn) <
                1400);
}

int main(void)
{
    if (http_init(NULL) != STATUS_OK) return 1;
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(answers_may_come_byte_by_byte),
        WITH_FIXTURE(some_connections_are_not_used_again),
        WITH_FIXTURE(bytes_that_nobody_asked_for_end_a_connection),
        WITH_FIXTURE(an_answer_may_come_before_the_request_is_sent),
        WITH_FIXTURE(large_bodies_go_out_in_parts),
        WITH_FIXTURE(pieces_that_are_not_taken_come_again),
        WITH_FIXTURE(calls_wait_for_a_connection_in_turn),
        WITH_FIXTURE(who_waits_is_served_when_a_connection_ends),
        WITH_FIXTURE(who_waits_may_find_a_stale_connection),
        WITH_FIXTURE(what_may_not_be_repeated_takes_no_dead_connection),
        WITH_FIXTURE(a_crowd_is_let_in_by_and_by),
        WITH_FIXTURE(pooled_connections_ask_the_rules_again),
        WITH_FIXTURE(names_are_one_host_in_any_case),
        WITH_FIXTURE(idle_connections_are_closed_in_time),
        WITH_FIXTURE(what_was_compressed_is_checked),
        WITH_FIXTURE(what_nobody_asked_to_unpack_stays_packed),
        WITH_FIXTURE(redirects_are_followed),
        WITH_FIXTURE(strange_redirects_lead_nowhere),
        WITH_FIXTURE(a_waiting_stream_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
