/*
 * One connection. What is ready is read once, into the client's one buffer, and goes to the
 * handlers from there; what the socket has no room for is sent when it has.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "framing/fields.h"
#include "http/plain_internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    CALL_HOT_SIZE = 192,  /* bytes at the front of a call */
    KEPT_MORE     = 4096, /* bytes read at once behind some that are kept */
    KEEPALIVE_S   = 60,   /* of silence, until the kernel asks whether the peer is there */
    EVENTS_TO_US  = LOOP_READ | LOOP_HANGUP | LOOP_EDGE,
};

/* --- Opening and closing ---------------------------------------------------------------------- */

static void ready(unsigned events, void *context);

static void set_options(int fd)
{
    const int on        = 1;
    const int seconds   = KEEPALIVE_S;
    const size_t size   = sizeof on;
    const int options[] = {TCP_KEEPIDLE, TCP_KEEPINTVL};
    /* None of them decides about right or wrong. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, (socklen_t)size);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, (socklen_t)size);
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        (void)setsockopt(fd, IPPROTO_TCP, options[i], &seconds, (socklen_t)size);
    }
}

static int open_socket(const union net_address *address)
{
    bool is_v4     = address->any.sa_family == AF_INET;
    socklen_t size = is_v4 ? sizeof address->v4 : sizeof address->v6;
    int fd         = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    set_options(fd);
    if (connect(fd, &address->any, size) == 0 || errno == EINPROGRESS) return fd;
    int failed = errno;
    (void)close(fd);
    errno = failed;
    return -1;
}

struct plain_conn *plain_conn_open(struct plain *plain, const union net_address *address,
                                   struct dial *dial)
{
    int fd = open_socket(address);
    if (fd < 0) return NULL;
    struct plain_conn *conn = mem_new(1, sizeof *conn);
    conn->plain             = plain;
    conn->dial              = dial;
    conn->fd                = fd;
    if (loop_watch_add(plain->loop, fd, LOOP_WRITE, ready, conn, &conn->watch, NULL) == STATUS_OK) {
        loop_watch_ahead(conn->watch, &conn->ahead);
        return conn;
    }
    plain_conn_close(conn);
    errno = ENOBUFS;
    return NULL;
}

void plain_conn_close(struct plain_conn *conn)
{
    if (conn->origin) {
        if (!conn->call) pool_take_out(conn);
        pool_uncount(conn->plain, conn->origin);
    }
    loop_watch_remove(conn->watch);
    (void)close(conn->fd);
    inflation_free(conn->inflation);
    buf_done(&conn->kept);
    buf_done(&conn->unsent);
    free(conn);
}

int plain_conn_error(const struct plain_conn *conn)
{
    int failed     = 0;
    socklen_t size = sizeof failed;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &failed, &size) != 0) return errno;
    return failed;
}

bool plain_conn_is_alive(const struct plain_conn *conn)
{
    char byte;
    return recv(conn->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* --- The request ------------------------------------------------------------------------------ */

/* Nobody will ask for it again. */
static void let_go_of_request(const struct plain_conn *conn)
{
    struct http_call *call = conn->call;
    bool is_wanted         = !call->answer.is_complete || call->redirect_url;
    if (conn->is_sent && !is_wanted && call->sent) request_let_go(call);
}

/* Sends what the socket takes of `head` and of the body behind what has gone out; returns how many
 * bytes of `head` are left. A peer that takes no more may have answered: reading tells. */
static size_t send_some(struct plain_conn *conn, str head)
{
    bytes body = request_has_body(&conn->call->request) ? conn->call->request.body : (bytes){};
    while (head.len > 0 || conn->body_sent < body.len) {
        struct iovec parts[] = {
            {.iov_base = (void *)(uintptr_t)head.ptr, .iov_len = head.len},
            {.iov_base = (char *)(uintptr_t)body.ptr + conn->body_sent,
             .iov_len  = body.len - conn->body_sent},
        };
        const struct msghdr message = {.msg_iov = parts, .msg_iovlen = ARRAY_LEN(parts)};
        ssize_t sent                = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) return head.len;
        if (sent < 0) {
            conn->is_spent = true;
            break;
        }
        size_t of_head = (size_t)sent < head.len ? (size_t)sent : head.len;
        head           = str_slice(head, of_head, head.len);
        conn->body_sent += (size_t)sent - of_head;
    }
    conn->is_sent = true;
    return 0;
}

static void watch_for_what_is_left(struct plain_conn *conn)
{
    unsigned events = conn->is_sent ? EVENTS_TO_US : EVENTS_TO_US | LOOP_WRITE;
    loop_watch_set(conn->watch, events);
}

static void send_rest(struct plain_conn *conn)
{
    size_t left = send_some(conn, buf_str(&conn->unsent));
    buf_consume(&conn->unsent, conn->unsent.len - left);
    if (left == 0) buf_done(&conn->unsent);
    watch_for_what_is_left(conn);
    let_go_of_request(conn);
}

void plain_conn_begin(struct plain_conn *conn)
{
    struct http_call *call        = conn->call;
    struct buf *output            = &conn->plain->output;
    const struct request *request = &call->request;
    conn->reply                   = reply_init(str_is(request->method, "HEAD"));
    conn->kept                    = buf_init(request->headers_max + PLAIN_INPUT_SIZE + KEPT_MORE);
    conn->unsent                  = buf_init(output->len_max);
    conn->body_sent               = 0;
    conn->is_sent                 = false;
    conn->has_begun               = false;
    conn->ahead                   = (struct loop_ahead){};
    loop_ahead_add(&conn->ahead, conn, offsetof(struct plain_conn, ahead));
    loop_ahead_add(&conn->ahead, call, CALL_HOT_SIZE);
    call_goes_out(call);

    buf_clear(output);
    request_put_head(request, conn->plain->client->user_agent, output);
    str head    = buf_str(output);
    size_t left = send_some(conn, head);
    if (left > 0) (void)buf_put_str(&conn->unsent, str_slice(head, head.len - left, head.len));
    watch_for_what_is_left(conn);
}

/* --- The answer ------------------------------------------------------------------------------- */

enum taken {
    TAKEN_SO_FAR,
    TAKEN_WHOLE, /* the answer is complete */
    TAKEN_UNTIL_PAUSE,
    TAKEN_NO_MORE, /* the call ends: `failure` says why, or it was cancelled */
};

static bool take_head(struct http_call *call, str head)
{
    while (head.len > 0) {
        const char *end = memchr(head.ptr, '\n', head.len);
        size_t len      = (size_t)(end - head.ptr) + 1;
        if (!intake_line(call, str_slice(head, 0, len))) return false;
        head = str_slice(head, len, head.len);
    }
    return true;
}

/* In the first piece of a body: how it is coded. Not that of a redirect, which nobody reads. */
static bool begin_body(struct plain_conn *conn)
{
    struct http_call *call = conn->call;
    bool is_coded          = false;
    if (!call->request.is_compressed || call->redirect_url) return true;
    for (size_t i = 0; i < call->answer.header_count; i++) {
        const struct http_header *header = &call->answer.headers[i];
        if (!str_is_nocase(header->name, "content-encoding")) continue;
        if (header->value.len == 0 || str_is_nocase(header->value, "identity")) continue;
        bool is_gzip =
            str_is_nocase(header->value, "gzip") || str_is_nocase(header->value, "x-gzip");
        if (!is_gzip || is_coded) return plain_fail(call, HTTP_PROTOCOL, "a coding beside gzip");
        is_coded = true;
    }
    if (is_coded) conn->inflation = inflation_new();
    return true;
}

/* Nobody pauses: plain_takes() has seen to it. */
static enum intake inflate_body(struct plain_conn *conn, str input)
{
    for (;;) {
        str piece = {};
        switch (inflation_next(conn->inflation, &input, &piece)) {
        case INFLATION_MORE: return INTAKE_TAKEN;
        case INFLATION_DATA:
            if (intake_body(conn->call, piece) != INTAKE_TAKEN) return INTAKE_ENDS;
            break;
        case INFLATION_BAD:
            (void)plain_fail(conn->call, HTTP_PROTOCOL, "its gzip is none");
            return INTAKE_ENDS;
        case INFLATION_BOMB:
            (void)plain_fail(conn->call, HTTP_TOO_LARGE, "it is blown up");
            return INTAKE_ENDS;
        case INFLATION_EMPTY:
            (void)plain_fail(conn->call, HTTP_TOO_LARGE, "next to nothing comes out of its gzip");
            return INTAKE_ENDS;
        }
    }
}

static enum intake take_body(struct plain_conn *conn, str piece)
{
    if (!conn->has_begun && !begin_body(conn)) return INTAKE_ENDS;
    conn->has_begun = true;
    return conn->inflation ? inflate_body(conn, piece) : intake_body(conn->call, piece);
}

/* False: the answer has ended, and its gzip has not. */
static bool is_whole(const struct plain_conn *conn)
{
    if (!conn->inflation || inflation_is_whole(conn->inflation)) return true;
    return plain_fail(conn->call, HTTP_PROTOCOL, "its gzip is cut off");
}

/* Half a head is kept, but no more of it than may be in a whole one. */
static enum taken take_later(const struct plain_conn *conn, str left)
{
    struct http_call *call = conn->call;
    if (call->answer.header_bytes + left.len <= call->request.headers_max) return TAKEN_SO_FAR;
    (void)plain_fail(call, HTTP_TOO_LARGE, NULL);
    return TAKEN_NO_MORE;
}

/* Takes what it can off the front of `*input`. */
static enum taken take(struct plain_conn *conn, str *input)
{
    struct http_call *call = conn->call;
    for (;;) {
        str piece = {};
        switch (reply_next(&conn->reply, input, &piece)) {
        case REPLY_MORE: return take_later(conn, *input);
        case REPLY_END: return is_whole(conn) ? TAKEN_WHOLE : TAKEN_NO_MORE;
        case REPLY_BAD:
            if (!call->redirect_url) (void)plain_fail(call, HTTP_PROTOCOL, conn->reply.wrong);
            return TAKEN_NO_MORE;
        case REPLY_LINES:
            if (!take_head(call, piece)) return TAKEN_NO_MORE;
            let_go_of_request(conn);
            break;
        case REPLY_DATA:
            switch (take_body(conn, piece)) {
            case INTAKE_TAKEN: break;
            case INTAKE_ENDS: return TAKEN_NO_MORE;
            case INTAKE_PAUSED:
                conn->again = piece.len;
                *input      = (str){.ptr = piece.ptr, .len = piece.len + input->len};
                return TAKEN_UNTIL_PAUSE;
            }
            break;
        }
    }
}

/* The piece that its handler did not take, and what came behind it. */
static enum taken take_kept(struct plain_conn *conn, str *input)
{
    size_t again = conn->again;
    if (again > 0) {
        switch (intake_body(conn->call, str_slice(*input, 0, again))) {
        case INTAKE_PAUSED: return TAKEN_UNTIL_PAUSE;
        case INTAKE_ENDS: return TAKEN_NO_MORE;
        case INTAKE_TAKEN: break;
        }
        conn->again = 0;
        *input      = str_slice(*input, again, input->len);
    }
    return take(conn, input);
}

/* Keeps what is left of what was kept before, or of the client's buffer. */
static void keep(struct plain_conn *conn, str left)
{
    struct buf *kept = &conn->kept;
    if (kept->len > 0) {
        buf_consume(kept, kept->len - left.len);
        if (kept->len == 0) buf_done(kept);
    } else if (left.len > 0) {
        bool is_put = buf_put_str(kept, left);
        ASSERT(is_put);
    }
}

/* Handlers run in here. What they cancel, this call too, is freed afterwards. */
static enum taken take_all(struct plain_conn *conn, str input)
{
    struct http_client *client = conn->plain->client;
    client_enter(client);
    enum taken taken = take_kept(conn, &input);
    client_leave(client);
    keep(conn, input);
    return taken;
}

/* False: the call has ended. */
static bool goes_on(struct plain_conn *conn, enum taken taken)
{
    switch (taken) {
    case TAKEN_SO_FAR: return true;
    case TAKEN_UNTIL_PAUSE: /* a connection that fails would be reported again and again */
        loop_watch_remove(TAKE(conn->watch));
        return true;
    case TAKEN_WHOLE:
    case TAKEN_NO_MORE: break;
    }
    return conn->call->is_cancelled; /* it is freed soon */
}

/* Bytes that came, with those kept before; empty: none. */
static ssize_t receive(struct plain_conn *conn, str *ret_input, bool is_hung_up)
{
    char *room  = conn->plain->input;
    size_t size = conn->call->request.is_stream ? PLAIN_STREAM_SIZE : PLAIN_INPUT_SIZE;
    if (conn->kept.len > 0) {
        size = KEPT_MORE;
        room = buf_reserve(&conn->kept, size);
        ASSERT(room); /* half a head: take_later() has seen to it */
    }
    ssize_t got = recv(conn->fd, room, size, 0);
    /* The kernel has no more when it gives less than it may, but for the end. */
    bool may_be_more = got == (ssize_t)size || (got < 0 && errno == EINTR) || is_hung_up;
    if (may_be_more) loop_watch_again(conn->watch);
    if (got <= 0) return got;
    *ret_input = (str){.ptr = room, .len = (size_t)got};
    if (conn->kept.len > 0) {
        buf_commit(&conn->kept, (size_t)got);
        *ret_input = buf_str(&conn->kept);
    }
    return got;
}

static void read_some(struct plain_conn *conn, bool is_hung_up)
{
    struct http_call *call = conn->call;
    str input              = {};
    ssize_t got            = receive(conn, &input, is_hung_up);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (is_hung_up || got <= 0) conn->is_spent = true;
    if (got > 0) {
        intake_note(call);
        if (!goes_on(conn, take_all(conn, input))) call_finish(call);
    } else if (got == 0 && reply_ends_by_close(&conn->reply)) {
        (void)is_whole(conn);
        call_finish(call);
    } else {
        plain_cut(call);
    }
}

bool plain_conn_resume(struct plain_conn *conn)
{
    struct loop *loop = conn->plain->loop;
    unsigned events   = conn->is_sent ? EVENTS_TO_US : EVENTS_TO_US | LOOP_WRITE;
    if (loop_watch_add(loop, conn->fd, events, ready, conn, &conn->watch, NULL) != STATUS_OK) {
        return plain_fail(conn->call, HTTP_CUT, "it cannot be watched");
    }
    loop_watch_ahead(conn->watch, &conn->ahead);
    return goes_on(conn, take_all(conn, buf_str(&conn->kept)));
}

bool plain_conn_is_reusable(const struct plain_conn *conn)
{
    return conn->is_sent && !conn->is_spent && conn->kept.len == 0 && conn->watch &&
           conn->reply.state == REPLY_ENDED && conn->reply.is_kept_alive;
}

static void ready(unsigned events, void *context)
{
    struct plain_conn *conn = context;
    if (conn->dial) {
        dial_ready(conn->dial, conn);
    } else if (!conn->call) { /* its server closes it, or says what nobody has asked for */
        plain_conn_close(conn);
    } else if (!conn->call->is_cancelled) {
        if (events & LOOP_WRITE) send_rest(conn);
        if (events & (EVENTS_TO_US | LOOP_FAILED)) {
            read_some(conn, events & (LOOP_HANGUP | LOOP_FAILED));
        }
    }
}
