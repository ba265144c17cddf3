/* The client against a server that behaves: what is sent, what arrives. */
#include "support/http/client_fixture.h"

static void answers_arrive(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/ok", &(struct http_request){}, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.http_status, 200);
    assert_string_equal(outcome.body.ptr, "ok");
    assert_false(outcome.is_reused);
    assert_true(outcome.was_sent);
    assert_true(outcome.connect_ms >= 0 && outcome.first_byte_ms >= 0 && outcome.total_ms >= 0);

    CLEANUP(outcome_done) struct outcome second = {};
    get(f, "/status/503", &(struct http_request){}, &second);
    assert_int_equal(second.code, STATUS_OK);
    assert_int_equal(second.http_status, 503);
    assert_true(second.is_reused);
    assert_int_equal(hostile_connections(f->server), 1);
    assert_int_equal(http_client_calls(f->client), 0);
}

/* `calls` of them wait in the middle of their answers. */
static void stall(struct fixture *f, struct outcome *outcomes, size_t calls)
{
    for (size_t i = 0; i < calls; i++) {
        (void)start(f, "/stall", &(struct http_request){.is_stream = true}, &outcomes[i], true);
        for (int turns = 0; outcomes[i].data_count == 0; turns++) {
            assert_true(turns < TURNS_MAX);
            loop_turn(f->loop, TURN_MS);
        }
    }
}

static void a_connection_is_opened_only_where_all_are_in_use(void **state)
{
    struct fixture *f        = *state;
    struct outcome stalls[2] = {};
    stall(f, stalls, 2);
    assert_int_equal(hostile_connections(f->server), 2);
    for (int i = 0; i < 3; i++) {
        CLEANUP(outcome_done) struct outcome outcome = {};
        get(f, "/ok", &(struct http_request){}, &outcome);
        assert_int_equal(outcome.code, STATUS_OK);
        assert_int_equal(outcome.is_reused, i > 0);
    }
    assert_int_equal(hostile_connections(f->server), 3);

    /* What a cancelled call had is closed: there is one that is idle, still. */
    http_call_cancel(stalls[0].call);
    CLEANUP(outcome_done) struct outcome after = {};
    get(f, "/ok", &(struct http_request){}, &after);
    assert_true(after.is_reused);
    assert_int_equal(hostile_connections(f->server), 3);
    http_call_cancel(stalls[1].call);
}

static void the_last_connection_to_a_host_is_waited_for(void **state)
{
    struct fixture *f                        = *state;
    const struct http_client_options options = {
        .loop = f->loop, .egress = f->rules, .host_connections_max = 1};
    http_client_freep(&f->client);
    f->client              = new_client(&options);
    struct outcome both[2] = {};
    for (int i = 0; i < 2; i++) (void)start(f, "/ok", &(struct http_request){}, &both[i], false);
    for (int i = 0; i < 2; i++) turn_until_done(f, &both[i]);
    assert_int_equal(both[0].code, STATUS_OK);
    assert_int_equal(both[1].code, STATUS_OK);
    assert_true(both[0].is_reused != both[1].is_reused);
    assert_int_equal(hostile_connections(f->server), 1);
    for (int i = 0; i < 2; i++) outcome_done(&both[i]);
}

static void a_body_may_go_when_its_answer_has_begun(void **state)
{
    enum { SIZE = 60'000 };
    struct fixture *f                 = *state;
    CLEANUP(buf_done) struct buf body = buf_init(SIZE);
    for (size_t i = 0; i < SIZE; i++) (void)buf_put_byte(&body, 'x');
    for (int i = 0; i < 2; i++) { /* the second one over the connection of the first */
        CLEANUP(outcome_done) struct outcome outcome = {};
        const struct http_request request            = {
                       .body = bytes_from(buf_str(&body)), .is_repeatable = true, .is_stream = true};
        (void)start(f, "/bytes/4194304", &request, &outcome, true);
        turn_until_done(f, &outcome);
        assert_int_equal(outcome.code, STATUS_OK);
        assert_int_equal(outcome.data_bytes, 4 << 20);
        assert_int_equal(outcome.is_reused, i > 0);
    }
}

static void requests_go_out_as_asked(void **state)
{
    struct fixture *f                  = *state;
    const struct http_header headers[] = {
        {.name = str_from("X-One"), .value = str_from("1")},
        {.name = str_from("X-Empty"), .value = str_from("")},
        {.name = str_from("User-Agent"), .value = str_from("test/1")},
    };
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_request request            = {.headers = headers, .header_count = 3};
    get(f, "/echo/../a%2Fb?q=1#frag", &request, &outcome);
    const char *head = outcome.body.ptr;
    assert_non_null(strstr(head, "GET /echo/../a%2Fb?q=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(head, "X-One: 1\r\n"));
    assert_non_null(strstr(head, "X-Empty:\r\n"));
    assert_non_null(strstr(head, "User-Agent: test/1\r\n"));
    assert_null(strstr(head, "Content-Type"));
    assert_null(strstr(head, "Expect"));
    assert_null(strstr(head, "Accept-Encoding"));
    assert_string_equal(outcome.twice.ptr, "first");
}

static void bodies_go_out(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *method, *body, *line;
    } rows[] = {
        {"", "hello", "POST /echo"},   {"PUT", "hello", "PUT /echo"},
        {"PUT", "", "PUT /echo"},      {"DELETE", "", "DELETE /echo"},
        {"GET", "query", "GET /echo"}, {"PATCH", "{}", "PATCH /echo"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(outcome_done) struct outcome outcome = {};
        const struct http_request request            = {.method = str_from(rows[i].method),
                                                        .body   = bytes_from(str_from(rows[i].body))};
        get(f, "/echo", &request, &outcome);
        assert_int_equal(outcome.code, STATUS_OK);
        assert_non_null(strstr(outcome.body.ptr, rows[i].line));
        char length[40];
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(rows[i].body));
        bool has_body = strcmp(rows[i].method, "DELETE") != 0;
        assert_int_equal(strstr(outcome.body.ptr, length) != NULL, has_body);
        assert_null(strstr(outcome.body.ptr, "Content-Type"));
    }
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/post", &(struct http_request){.body = {"a\0b", 3}}, &outcome);
    assert_int_equal(outcome.body.len, 3);
    assert_memory_equal(outcome.body.ptr, "a\0b", 3);
}

/* Connections are watched while nobody uses them. */
static void a_connection_may_end_while_it_is_idle(void **state)
{
    enum { ROUNDS = 3 };
    struct fixture *f = *state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        CLEANUP(outcome_done) struct outcome outcome = {};
        get(f, "/last", &(struct http_request){.body = bytes_from(str_from("b"))}, &outcome);
        assert_int_equal(outcome.code, STATUS_OK);
        assert_false(outcome.is_reused);
        for (int turns = 0; hostile_ended(f->server) <= i; turns++) {
            assert_true(turns < TURNS_MAX);
            loop_turn(f->loop, TURN_MS);
        }
        loop_turn(f->loop, TURN_MS); /* hears of it */
    }
    assert_int_equal(hostile_connections(f->server), ROUNDS);
}

/* Handles are used again: for requests of all shapes in turn, twice. */
static void nothing_is_left_of_the_request_before(void **state)
{
    struct fixture *f                  = *state;
    const struct http_header headers[] = {
        {.name = str_from("Authorization"), .value = str_from("Bearer s3cret"), .is_secret = true},
        {.name = str_from("Content-Type"), .value = str_from("text/plain")},
    };
    const struct http_request full   = {.headers      = headers,
                                        .header_count = 2,
                                        .body         = bytes_from(str_from("a long body of before")),
                                        .is_compressed = true};
    const struct http_request bare[] = {
        {.body = bytes_from(str_from("b")), .is_compressed = true},
        {.method = str_from("PUT"), .is_compressed = true},
        {.body = bytes_from(str_from("b"))},
        {.body = bytes_from(str_from("b")), .is_repeatable = true},
        {.method = str_from("DELETE")},
        {},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(bare); i++) {
        CLEANUP(outcome_done) struct outcome first = {};
        get(f, "/echo", &full, &first);
        assert_non_null(strstr(first.body.ptr, "Authorization: Bearer s3cret\r\n"));
        assert_non_null(strstr(first.body.ptr, "Content-Length: 21\r\n"));

        const struct http_request *request          = &bare[i % ARRAY_LEN(bare)];
        CLEANUP(outcome_done) struct outcome second = {};
        get(f, "/echo", request, &second);
        assert_int_equal(second.code, STATUS_OK);
        assert_true(second.is_reused);
        assert_null(strstr(second.body.ptr, "s3cret"));
        assert_null(strstr(second.body.ptr, "Content-Type"));
        assert_null(strstr(second.body.ptr, "Content-Length: 21"));
        assert_int_equal(strstr(second.body.ptr, "Accept-Encoding: gzip") != NULL,
                         request->is_compressed);
    }
    assert_int_equal(hostile_connections(f->server), 1);
}

static void head_has_no_body(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/status/200", &(struct http_request){.method = str_from("HEAD")}, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.http_status, 200);
    assert_int_equal(outcome.body.len, 0);
}

static void gzip_is_taken_off(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/gzip", &(struct http_request){.is_compressed = true}, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_string_equal(outcome.body.ptr, "zip");
}

static void interim_answers_are_skipped(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    (void)start(f, "/interim", &(struct http_request){}, &outcome, true);
    turn_until_done(f, &outcome);
    assert_int_equal(outcome.headers_count, 1);
    assert_int_equal(outcome.http_status, 200);
    assert_int_equal(outcome.data_bytes, 2);
    assert_int_equal(outcome.body.len, 0);
}

static void rewrites_change_the_connection_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    char rewrite[64];
    (void)snprintf(rewrite, sizeof rewrite, "localhost:1=127.0.0.1:%u", hostile_port(f->server));
    const struct http_client_options options = {
        .loop = f->loop, .egress = f->rules, .rewrites = (const char *const[]){rewrite, NULL}};
    http_client_free(f->client);
    f->client                                    = new_client(&options);
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_request request            = {.url = str_from("http://localhost:1/echo")};
    get(f, "", &request, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_string_equal(outcome.url.ptr, "http://localhost:1/echo");
    assert_non_null(strstr(outcome.body.ptr, "Host: localhost:1\r\n"));
}

static void a_rewrite_that_is_none_is_refused(void **state)
{
    const struct fixture *f             = *state;
    static const char *const rewrites[] = {"", "a:80", "a=b:80", "a:80=b", "=:"};
    for (size_t i = 0; i < ARRAY_LEN(rewrites); i++) {
        const struct http_client_options options = {
            .loop = f->loop, .rewrites = (const char *const[]){rewrites[i], NULL}};
        struct http_client *client = NULL;
        assert_int_equal(http_client_new(&options, &client, NULL), STATUS_INVALID_ARGUMENT);
        assert_null(client);
    }
}

int main(void)
{
    if (http_init(NULL) != STATUS_OK) return 1;
    const struct CMUnitTest plain[] = {
        WITH_FIXTURE(answers_arrive),
        WITH_FIXTURE(a_connection_is_opened_only_where_all_are_in_use),
        WITH_FIXTURE(the_last_connection_to_a_host_is_waited_for),
        WITH_FIXTURE(a_body_may_go_when_its_answer_has_begun),
        WITH_FIXTURE(requests_go_out_as_asked),
        WITH_FIXTURE(bodies_go_out),
        WITH_FIXTURE(a_connection_may_end_while_it_is_idle),
        WITH_FIXTURE(nothing_is_left_of_the_request_before),
        WITH_FIXTURE(head_has_no_body),
        WITH_FIXTURE(gzip_is_taken_off),
        WITH_FIXTURE(interim_answers_are_skipped),
        WITH_FIXTURE(rewrites_change_the_connection_and_nothing_else),
        WITH_FIXTURE(a_rewrite_that_is_none_is_refused),
    };
    int failed   = cmocka_run_group_tests_name("http", plain, NULL, NULL);
    goes_by_curl = true;
    return failed + cmocka_run_group_tests_name("http by libcurl", plain, NULL, NULL);
}
