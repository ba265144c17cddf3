/* A peer that speaks NNG, but not our protocol, or breaks off: nothing of it may do harm. */
#include "cmocka.h"
#include "support/echo.h"

#include "rpc/frame.h"
#include "rpc/token.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PROBES = 50, SEND_TIMEOUT_MS = 5'000 };

struct fixture {
    struct echo echo;
    struct rpc_server *server;
    struct rpc_client *client;
    nng_socket raw;
    char path[100];
    char url[128];
};

static struct fixture *fixture_open(const char *name)
{
    struct fixture *it = calloc(1, sizeof *it);
    struct error error = {};
    struct rpc_service services[2];
    (void)snprintf(it->path, sizeof it->path, "/tmp/tutti-raw-%s-%d", name, (int)getpid());
    (void)snprintf(it->url, sizeof it->url, "ipc://%s", it->path);
    echo_init(&it->echo);
    echo_services(&it->echo, services);
    const struct rpc_server_options options = {
        .url      = it->url,
        .services = services,
        .contract = echo_contract,
        .hooks    = {.batch_end = echo_batch_end, .context = &it->echo},
        .drain_ms = 1,
    };
    if (rpc_server_start(&options, &it->server, &error) != STATUS_OK) fail_msg("%s", error.text);
    struct rpc_client_options client = echo_client_options(it->url);
    if (rpc_client_open(&client, &it->client, &error) != STATUS_OK) fail_msg("%s", error.text);
    assert_int_equal(nng_req0_open(&it->raw), 0);
    assert_int_equal(nng_socket_set_ms(it->raw, NNG_OPT_SENDTIMEO, SEND_TIMEOUT_MS), 0);
    assert_int_equal(nng_socket_set_ms(it->raw, NNG_OPT_RECVTIMEO, SEND_TIMEOUT_MS), 0);
    assert_int_equal(nng_dial(it->raw, it->url, NULL, 0), 0);
    return it;
}

static void fixture_close(struct fixture *it)
{
    (void)nng_close(it->raw);
    rpc_client_closep(&it->client);
    rpc_server_stopp(&it->server);
    echo_done(&it->echo);
    free(it);
}

static void check_it_still_serves(struct fixture *it)
{
    Test__Saying message             = TEST__SAYING__INIT;
    const struct rpc_request request = {
        .service        = &test__echo__descriptor,
        .method         = "Say",
        .message        = &message,
        .wait_for_ready = true,
    };
    struct error error = {};
    if (rpc_client_ask(it->client, &request, NULL, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
}

/* The raw message and our calls come by different connections, in any order. */
static void wait_until_refused(struct fixture *it)
{
    enum { CALLS = 20'000 };
    struct rpc_server_stats stats = {};
    for (unsigned i = 0; i < CALLS && stats.refused == 0; i++) {
        check_it_still_serves(it);
        rpc_server_stats(it->server, &stats);
    }
    assert_int_equal(stats.refused, 1);
}

/* A message with one frame, whose parts a row may spoil. */
struct spoilt {
    const char *name;
    uint16_t method;
    uint32_t deadline_ms;
    uint8_t class;
    const char *metadata;
    const char *body;
    size_t body_size;
    size_t cut; /* bytes off the end */
    bool is_answered;
    uint16_t code; /* of the answer */
};

enum { SAY = 60 * 256 };

static const struct spoilt rows[] = {
    {"good", SAY, 1'000, RPC_FAST, "", "\x0a\x02hi", 4, 0, true, STATUS_OK},
    {"unknown method", SAY + 9, 1'000, RPC_FAST, "", "", 0, 0, true, STATUS_UNIMPLEMENTED},
    {"unknown service", 63 * 256, 1'000, RPC_FAST, "", "", 0, 0, true, STATUS_UNIMPLEMENTED},
    {"service beyond the table", 0xffff, 1'000, RPC_FAST, "", "", 0, 0, true, STATUS_UNIMPLEMENTED},
    {"deadline over", SAY, 0, RPC_FAST, "", "", 0, 0, true, STATUS_DEADLINE_EXCEEDED},
    {"another class", SAY, 1'000, RPC_COMMIT, "", "", 0, 0, true, STATUS_INVALID_ARGUMENT},
    {"text with NUL", SAY, 1'000, RPC_FAST, "", "\x0a\x02h\0", 4, 0, true, STATUS_INVALID_ARGUMENT},
    {"metadata malformed", SAY, 1'000, RPC_FAST, "\x0a\x09", "", 0, 0, true,
     STATUS_INVALID_ARGUMENT},
    {"bulk", SAY, 1'000, RPC_BULK, "", "\x0a\x02hi", 4, 0, true, STATUS_OK},
    {"long on the main socket", SAY + 2, 1'000, RPC_LONG, "", "", 0, 0, false, 0},
    {"no class", SAY, 1'000, 9, "", "", 0, 0, false, 0},
    {"cut off", SAY, 1'000, RPC_FAST, "", "\x0a\x02hi", 4, 1, false, 0},
    {"header only", SAY, 1'000, RPC_FAST, "", "", 0, FRAME_HEADER_SIZE, false, 0},
    {"nothing", SAY, 1'000, RPC_FAST, "", "", 0, FRAME_HEADER_SIZE + BATCH_HEADER_SIZE, false, 0},
};

static size_t write_message(const struct spoilt *row, uint8_t message[static 256])
{
    size_t metadata_size             = strlen(row->metadata);
    const struct batch_header header = {.class = RPC_FAST, .count = 1, .sender = 5};
    const struct frame frame         = {
                .method      = row->method,
                .deadline_ms = row->deadline_ms,
                .call_id     = 77,
                .metadata    = {row->metadata, metadata_size},
                .body        = {row->body, row->body_size},
    };
    batch_header_encode(&header, message);
    message[3] = row->class;
    frame_header_encode(&frame, message + BATCH_HEADER_SIZE);
    uint8_t *at = message + BATCH_HEADER_SIZE + FRAME_HEADER_SIZE;
    memcpy(at, row->metadata, metadata_size);
    memcpy(at + metadata_size, row->body, row->body_size);
    return BATCH_HEADER_SIZE + FRAME_HEADER_SIZE + metadata_size + row->body_size - row->cut;
}

static void a_spoilt_message_is_answered_or_dropped(void **state)
{
    const struct spoilt *row = *state;
    struct fixture *it       = fixture_open("spoilt");
    uint8_t message[256];
    size_t size = write_message(row, message);
    assert_int_equal(nng_send(it->raw, message, size, 0), 0);
    if (row->is_answered) {
        nng_msg *reply = NULL;
        assert_int_equal(nng_recvmsg(it->raw, &reply, 0), 0);
        bytes data = {nng_msg_body(reply), nng_msg_len(reply)};
        struct batch_header header;
        struct frame frame;
        assert_int_equal(batch_header_decode(data, &header, NULL), STATUS_OK);
        struct frame_reader reader = frame_reader_init(data, &header);
        assert_int_equal(frame_next(&reader, &frame, NULL), STATUS_OK);
        assert_int_equal(frame.code, row->code);
        assert_int_equal(frame.call_id, 77);
        nng_msg_free(reply);
    }
    check_it_still_serves(it);
    if (!row->is_answered) wait_until_refused(it);
    fixture_close(it);
}

/* Connections that end before, or within, the handshake of NNG: the listener goes on. */
static void broken_handshakes_do_not_stop_the_listener(void **)
{
    struct fixture *it = fixture_open("probe");
    for (unsigned i = 0; i < PROBES; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", it->path);
        int probe = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(probe, (const struct sockaddr *)&address, sizeof address), 0);
        if (i % 3 == 1) (void)!write(probe, "\0SP", 3);
        if (i % 3 == 2) (void)!write(probe, "GET / HTTP/1.1\r\n\r\n", 18);
        (void)close(probe);
    }
    rpc_client_closep(&it->client);
    struct rpc_client_options options = echo_client_options(it->url);
    struct error error                = {};
    assert_int_equal(rpc_client_open(&options, &it->client, &error), STATUS_OK);
    check_it_still_serves(it);
    fixture_close(it);
}

/* --- a server that answers nonsense -------------------------------------------------------------
 */

struct nonsense {
    const char *name;
    uint64_t call_id_offset; /* added to the right one */
    uint16_t code;
    const char *metadata;
    const char *body;
    size_t size_cut;
    status code_seen;
};

static const struct nonsense replies[] = {
    {"fine", 0, STATUS_OK, "", "\x0a\x02hi", 0, STATUS_OK},
    {"an answer to something else", 1, STATUS_OK, "", "", 0, STATUS_INTERNAL},
    {"a malformed answer", 0, STATUS_OK, "", "\x0a\x09", 0, STATUS_INTERNAL},
    {"invalid UTF-8", 0, STATUS_OK, "", "\x0a\x01\xff", 0, STATUS_INTERNAL},
    {"an unknown status", 0, 40, "", "", 0, STATUS_UNKNOWN},
    {"an error without detail", 0, STATUS_NOT_FOUND, "", "", 0, STATUS_NOT_FOUND},
    {"an error with malformed detail", 0, STATUS_NOT_FOUND, "\x0a\x09", "", 0, STATUS_NOT_FOUND},
    {"moved to nowhere", 0, FRAME_CODE_MOVED, "", "", 0, STATUS_UNAVAILABLE},
    {"cut off", 0, STATUS_OK, "", "\x0a\x02hi", 1, STATUS_INTERNAL},
    {"no batch", 0, STATUS_OK, "", "", BATCH_HEADER_SIZE + FRAME_HEADER_SIZE, STATUS_INTERNAL},
};

static void answer_nonsense(nng_socket raw, const struct nonsense *row)
{
    nng_msg *request = NULL;
    uint8_t message[256];
    struct batch_header header;
    struct frame frame;
    assert_int_equal(nng_recvmsg(raw, &request, 0), 0);
    bytes data = {nng_msg_body(request), nng_msg_len(request)};
    assert_int_equal(batch_header_decode(data, &header, NULL), STATUS_OK);
    struct frame_reader reader = frame_reader_init(data, &header);
    assert_int_equal(frame_next(&reader, &frame, NULL), STATUS_OK);
    struct frame reply = {
        .call_id  = frame.call_id + row->call_id_offset,
        .code     = row->code,
        .metadata = {row->metadata, strlen(row->metadata)},
        .body     = {row->body, strlen(row->body)},
    };
    nng_msg_free(request);
    batch_header_encode(&header, message);
    uint8_t *at = message + BATCH_HEADER_SIZE;
    frame_header_encode(&reply, at);
    at += FRAME_HEADER_SIZE;
    memcpy(at, reply.metadata.ptr, reply.metadata.len);
    at += reply.metadata.len;
    memcpy(at, reply.body.ptr, reply.body.len);
    at += reply.body.len;
    assert_int_equal(nng_send(raw, message, (size_t)(at - message) - row->size_cut, 0), 0);
}

static void nonsense_from_a_server_is_an_error(void **state)
{
    const struct nonsense *row = *state;
    char url[128];
    nng_socket raw;
    (void)snprintf(url, sizeof url, "ipc:///tmp/tutti-nonsense-%d", (int)getpid());
    assert_int_equal(nng_rep0_open(&raw), 0);
    assert_int_equal(nng_socket_set_ms(raw, NNG_OPT_RECVTIMEO, 20'000), 0);
    assert_int_equal(nng_listen(raw, url, NULL, 0), 0);

    struct inbox inbox;
    inbox_init(&inbox);
    struct rpc_client_options options = echo_client_options(url);
    struct rpc_client *client         = NULL;
    struct error error                = {};
    assert_int_equal(rpc_client_open(&options, &client, &error), STATUS_OK);
    Test__Saying message             = TEST__SAYING__INIT;
    const struct rpc_request request = {
        .service        = &test__echo__descriptor,
        .method         = "Once",
        .message        = &message,
        .wait_for_ready = true,
        .timeout_ms     = 60'000,
        .done           = inbox_put,
        .context        = &inbox,
    };
    assert_int_equal(rpc_client_call(client, &request, NULL, &error), STATUS_OK);
    answer_nonsense(raw, row);
    assert_true(inbox_wait(&inbox, 1));
    assert_int_equal(inbox.by_status[row->code_seen], 1);
    rpc_client_closep(&client);
    (void)nng_close(raw);
    inbox_done(&inbox);
}

int main(void)
{
    struct CMUnitTest tests[1 + ARRAY_LEN(rows) + ARRAY_LEN(replies)] = {
        cmocka_unit_test(broken_handshakes_do_not_stop_the_listener),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[1 + i] = row_test(rows[i].name, a_spoilt_message_is_answered_or_dropped, &rows[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        tests[1 + ARRAY_LEN(rows) + i] =
            row_test(replies[i].name, nonsense_from_a_server_is_an_error, &replies[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
