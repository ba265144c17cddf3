/* A server on a loop that the test turns itself, with a clock it sets, and clients on loopback. */
#ifndef UNIT_HTTPD_SERVER_FIXTURE_H
#define UNIT_HTTPD_SERVER_FIXTURE_H

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "httpd/httpd.h"
#include "support/cmocka.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 5000, ENDS_MAX = 64, SMALL_MAX = 8, PARK_MS = 5000 };

struct fixture {
    int64_t now_ms;
    struct loop *loop;
    struct httpd *httpd;
    struct httpd_handle parked; /* the last request of /park or /stream */
    size_t parked_count;
    struct httpd_end ends[ENDS_MAX];
    size_t end_count;
    unsigned slow_count;
    unsigned flowing_count;
    size_t dropped;
};

static inline int64_t fixture_clock(void *context)
{
    return ((struct fixture *)context)->now_ms;
}

static inline void fixture_answer(struct fixture *f, struct httpd_handle handle, int http_status,
                                  str body)
{
    const struct httpd_field fields[]    = {{str_from("Content-Type"), str_from("text/plain")}};
    const struct httpd_response response = {
        .http_status = http_status, .fields = fields, .field_count = 1, .body = body};
    httpd_respond(f->httpd, handle, &response);
}

static inline bool fixture_route(struct httpd_handle handle, const struct httpd_request *request,
                                 struct httpd_route *ret_route, void *context)
{
    if (str_is(request->path, "/refuse")) {
        fixture_answer(context, handle, 404, str_from("no"));
        return false;
    }
    ret_route->body_max  = str_is(request->path, "/small") ? SMALL_MAX : 1 << 20;
    ret_route->answer_ms = PARK_MS;
    return true;
}

/* Everything but /park, /stream and /empty answers with what it understood. */
static inline void fixture_handle(struct httpd_handle handle, struct httpd_request *request,
                                  void *user, void *context)
{
    (void)user;
    struct fixture *f                                        = context;
    CLEANUP(httpd_request_freep) struct httpd_request *owned = request;
    if (str_is(owned->path, "/park") || str_is(owned->path, "/stream")) {
        f->parked = handle;
        f->parked_count++;
        if (str_is(owned->path, "/park")) return;
        const struct httpd_response response = {.http_status = 200, .body = str_from("begin\n")};
        httpd_stream_start(f->httpd, handle, &response, true);
        return;
    }
    if (str_is(owned->path, "/empty")) {
        fixture_answer(f, handle, 204, (str){});
        return;
    }
    if (str_is(owned->path, "/inject")) {
        const struct httpd_field fields[]    = {{str_from("X-Echo"), str_from("a\r\nX-Evil: b")}};
        const struct httpd_response response = {
            .http_status = 200, .fields = fields, .field_count = 1};
        httpd_respond(f->httpd, handle, &response);
        return;
    }
    CLEANUP(buf_done) struct buf text = buf_init(2 << 20);
    (void)buf_printf(&text, STR_FMT " " STR_FMT " " STR_FMT " ", STR_ARG(owned->method),
                     STR_ARG(owned->path), STR_ARG(owned->query));
    (void)buf_put_str(&text, buf_str(&owned->body));
    fixture_answer(f, handle, 200, buf_str(&text));
}

static inline void fixture_end(struct httpd_handle handle, const struct httpd_end *end, void *user,
                               void *context)
{
    (void)handle;
    (void)user;
    struct fixture *f                  = context;
    f->ends[f->end_count++ % ENDS_MAX] = *end;
}

static inline void fixture_flow(struct httpd_handle handle, bool is_slow, size_t dropped,
                                void *user, void *context)
{
    (void)handle;
    (void)user;
    struct fixture *f = context;
    f->slow_count += is_slow;
    f->flowing_count += !is_slow;
    f->dropped += dropped;
}

static inline void fixture_start(struct fixture *f, struct httpd_options options)
{
    *f                                     = (struct fixture){.now_ms = 1000000};
    const struct loop_options loop_options = {.clock = fixture_clock, .clock_context = f};
    assert_int_equal(loop_new(&loop_options, &f->loop, NULL), STATUS_OK);
    options.host       = "127.0.0.1";
    options.loops      = &f->loop;
    options.loop_count = 1;
    options.context    = f;
    options.handlers   = (struct httpd_handlers){
          .route = fixture_route, .handle = fixture_handle, .end = fixture_end, .flow = fixture_flow};
    assert_int_equal(httpd_start(&options, &f->httpd, NULL), STATUS_OK);
}

static inline void fixture_stop(struct fixture *f)
{
    httpd_freep(&f->httpd);
    loop_freep(&f->loop);
}

static inline void fixture_turns(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++) loop_turn(f->loop, 0);
}

/* Lets the server see that `ms` have passed. */
static inline void fixture_pass(struct fixture *f, int64_t ms)
{
    f->now_ms += ms;
    fixture_turns(f, 3);
}

struct client {
    int fd;
    struct buf got; /* all that has arrived */
    bool is_closed;
};

static inline struct client client_open(struct fixture *f)
{
    struct client client = {.got = buf_init(64 << 20)};
    client.fd            = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client.fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(httpd_port(f->httpd))};
    address.sin_addr.s_addr    = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(client.fd, (const struct sockaddr *)&address, sizeof address), 0);
    return client;
}

static inline void client_close(struct client *client)
{
    if (client->fd >= 0) (void)close(client->fd);
    client->fd = -1;
    buf_done(&client->got);
}

/* Takes what has arrived. */
static inline void client_read(struct client *client)
{
    for (;;) {
        char *room = buf_reserve(&client->got, 64 << 10);
        assert_non_null(room);
        ssize_t got = recv(client->fd, room, 64 << 10, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            client->is_closed = true;
            return;
        }
        buf_commit(&client->got, (size_t)got);
    }
}

/* Sends `text` in pieces of `piece` bytes and lets the server work after each. */
static inline void client_send(struct fixture *f, struct client *client, str text, size_t piece)
{
    for (size_t at = 0; at < text.len;) {
        size_t len   = text.len - at < piece ? text.len - at : piece;
        ssize_t sent = send(client->fd, text.ptr + at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) sent = 0;
        if (sent < 0) break; /* the server has closed */
        at += (size_t)sent;
        fixture_turns(f, 1);
        client_read(client);
    }
}

/* Bytes of the complete response at the front of `text`, or 0; sets its status. */
static inline size_t response_len(str text, int *ret_http_status)
{
    const char *end = memmem(text.ptr, text.len, "\r\n\r\n", 4);
    if (!end || text.len < 12) return 0;
    size_t head_len  = (size_t)(end - text.ptr) + 4;
    *ret_http_status = (text.ptr[9] - '0') * 100 + (text.ptr[10] - '0') * 10 + (text.ptr[11] - '0');
    str head         = str_slice(text, 0, head_len);
    const char *at   = memmem(head.ptr, head.len, "Content-Length: ", 16);
    size_t len       = at ? strtoul(at + 16, NULL, 10) : 0;
    if (memmem(head.ptr, head.len, "chunked", 7)) {
        const char *last = memmem(text.ptr, text.len, "0\r\n\r\n", 5);
        return last ? (size_t)(last - text.ptr) + 5 : 0;
    }
    return head_len + len <= text.len ? head_len + len : 0;
}

/* Writes the statuses of all complete responses as "200 404 ". */
static inline size_t statuses_of(str text, char *out, size_t size)
{
    size_t count = 0;
    size_t used  = 0;
    out[0]       = '\0';
    int http_status;
    for (size_t len = response_len(text, &http_status); len > 0;
         len        = response_len(text, &http_status)) {
        text = str_slice(text, len, text.len);
        if (http_status == 100) continue;
        used += (size_t)snprintf(out + used, size - used, "%d ", http_status);
        count++;
    }
    return count;
}

/* Turns until `count` responses are there or the server has closed. */
static inline void client_wait(struct fixture *f, struct client *client, size_t count)
{
    char statuses[1024];
    for (int i = 0; i < TURNS_MAX && !client->is_closed; i++) {
        client_read(client);
        if (statuses_of(buf_str(&client->got), statuses, sizeof statuses) >= count) return;
        loop_turn(f->loop, 1);
    }
}

static inline void client_wait_closed(struct fixture *f, struct client *client)
{
    for (int i = 0; i < TURNS_MAX && !client->is_closed; i++) {
        loop_turn(f->loop, 1);
        client_read(client);
    }
    assert_true(client->is_closed);
}

static inline bool client_has(const struct client *client, const char *text)
{
    str got = buf_str(&client->got);
    return memmem(got.ptr, got.len, text, strlen(text)) != NULL;
}

#endif
