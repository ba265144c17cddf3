/*
 * Output: straight to the kernel while it takes everything, else kept in pieces that share the
 * buffers they come from. Nothing is copied but what lies in somebody else's memory.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "httpd/server_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { IOV_COUNT = 16, SPANS_MAX = 4, TAIL_MAX = 192 /* bytes */ };

/* Returns the bytes the kernel took; 0 if it takes nothing now or never again. */
static size_t send_some(struct conn *conn, struct iovec *iov, size_t count)
{
    const int flags       = MSG_NOSIGNAL | MSG_DONTWAIT;
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};
    ssize_t sent = count == 1 ? send(conn->fd, iov->iov_base, iov->iov_len, flags) /* cheaper */
                              : sendmsg(conn->fd, &message, flags);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR) conn_doom(conn, HTTPD_CLIENT_GONE);
        return 0;
    }
    conn->bytes_out += (uint64_t)sent;
    conn->wrote_ms = loop_now_ms(conn->worker->loop);
    return (size_t)sent;
}

static void keep(struct conn *conn, const struct span *span)
{
    struct out_piece *piece = mem_new(1, sizeof *piece);
    if (span->buffer) {
        piece->buffer = httpd_buffer_ref(span->buffer);
        piece->from   = (size_t)(span->ptr - span->buffer->data);
    } else {
        piece->buffer = buffer_raw(span->len);
        memcpy(piece->buffer->data, span->ptr, span->len);
    }
    piece->to = piece->from + span->len;
    if (conn->last) {
        conn->last->next = piece;
    } else {
        conn->first    = piece;
        conn->wrote_ms = loop_now_ms(conn->worker->loop); /* the wait for the client begins here */
    }
    conn->last = piece;
    conn->pending += span->len;
}

void output_write(struct conn *conn, const struct span *spans, size_t count)
{
    ASSERT(count <= SPANS_MAX);
    if (conn->is_doomed) return;
    size_t sent = 0;
    if (!conn->first) {
        struct iovec iov[SPANS_MAX];
        for (size_t i = 0; i < count; i++) {
            iov[i] = (struct iovec){.iov_base = (void *)(uintptr_t)spans[i].ptr,
                                    .iov_len  = spans[i].len};
        }
        sent = send_some(conn, iov, count);
    }
    for (size_t i = 0; i < count && !conn->is_doomed; i++) {
        struct span rest = spans[i];
        size_t done      = sent < rest.len ? sent : rest.len;
        sent -= done;
        rest.ptr += done;
        rest.len -= done;
        if (rest.len > 0) keep(conn, &rest);
    }
}

static void drop_first(struct conn *conn)
{
    struct out_piece *piece = conn->first;
    conn->first             = piece->next;
    if (!conn->first) conn->last = NULL;
    httpd_buffer_unref(piece->buffer);
    free(piece);
}

void output_drop(struct conn *conn)
{
    while (conn->first) drop_first(conn);
    conn->pending = 0;
}

void output_flush(struct conn *conn)
{
    while (conn->first && !conn->is_doomed) {
        struct iovec iov[IOV_COUNT];
        size_t count = 0;
        for (struct out_piece *piece = conn->first; piece && count < IOV_COUNT;
             piece                   = piece->next) {
            iov[count++] = (struct iovec){.iov_base = piece->buffer->data + piece->from,
                                          .iov_len  = piece->to - piece->from};
        }
        size_t sent = send_some(conn, iov, count);
        if (sent == 0) return;
        conn->pending -= sent;
        while (sent > 0) {
            struct out_piece *piece = conn->first;
            size_t len              = piece->to - piece->from;
            size_t done             = sent < len ? sent : len;
            piece->from += done;
            sent -= done;
            if (piece->from == piece->to) drop_first(conn);
        }
    }
}

/* The fields that are the connection's, and the end of the head. Returns their bytes. */
static size_t put_tail(struct conn *conn, char tail[static TAIL_MAX])
{
    const char *connection = "";
    if (!conn->is_kept_alive) {
        connection = "Connection: close\r\n";
    } else if (conn->minor == 0) {
        connection = "Connection: keep-alive\r\n";
    }
    const str fields[] = {
        worker_date(conn->worker),
        str_from(conn->is_chunked ? "Transfer-Encoding: chunked\r\n" : ""),
        str_from(connection),
        str_from("\r\n"),
    };
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        ASSERT(fields[i].len <= TAIL_MAX - len);
        memcpy(tail + len, fields[i].ptr, fields[i].len);
        len += fields[i].len;
    }
    return len;
}

void output_answer(struct conn *conn, const struct answer *answer, bool is_stream)
{
    bool has_body    = status_has_body(answer->http_status);
    conn->is_chunked = is_stream && conn->minor > 0 && has_body;
    if (is_stream && !conn->is_chunked && has_body) conn->is_kept_alive = false; /* its end: EOF */
    if (conn->worker->is_draining || conn->has_unread_body) conn->is_kept_alive = false;

    char tail[TAIL_MAX];
    size_t len = put_tail(conn, tail);

    struct httpd_buffer *buffer = answer->buffer;
    size_t body_len             = buffer->size - answer->head_len;
    if (conn->is_head_method || is_stream) {
        body_len = 0; /* a stream's first part comes as a chunk */
    }
    const struct span spans[] = {
        {.ptr = buffer->data, .len = answer->head_len, .buffer = buffer},
        {.ptr = tail, .len = len},
        {.ptr = buffer->data + answer->head_len, .len = body_len, .buffer = buffer},
    };
    conn->http_status = answer->http_status;
    output_write(conn, spans, ARRAY_LEN(spans));
}

void output_stream(struct conn *conn, struct httpd_buffer *buffer, enum httpd_send how)
{
    size_t limit = how == HTTPD_MUST ? HTTPD_STREAM_CLOSE_AT : HTTPD_STREAM_PAUSE_AT;
    if (how == HTTPD_PACED) {
        conn->is_slow = true; /* so that flow() tells when it is through, at once or later */
    } else if (conn->pending > 0 && conn->pending + buffer->text_len > limit) {
        struct counters *counters = &conn->worker->httpd->counters;
        conn->is_slow             = true;
        if (how == HTTPD_MUST) {
            (void)atomic_fetch_add(&counters->streams_closed, 1);
            conn_doom(conn, HTTPD_SLOW);
        } else {
            (void)atomic_fetch_add(&counters->sends_dropped, 1);
            conn->dropped++;
        }
        return;
    }
    struct span span = {.ptr = buffer->data, .len = buffer->size, .buffer = buffer};
    if (!conn->is_chunked) {
        span.ptr = buffer->data + buffer->text_start;
        span.len = buffer->text_len;
    }
    output_write(conn, &span, 1);
}
