/*
 * A connection: reads a request, hands it to the handlers, writes the answer, reads the next one.
 *
 * One request is in work at a time; what a client sends meanwhile waits. conn_run() goes from state
 * to state in a loop, so a client that pipelines a thousand requests with instant answers costs no
 * stack. Handlers may answer from inside route() and handle(): that changes the state, and the loop
 * goes on from there. Memory is freed only in conn_settle(), the last thing every entry does.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "httpd/server_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct httpd_options *options_of(const struct conn *conn)
{
    return &conn->worker->httpd->options;
}

struct httpd_handle conn_handle(const struct conn *conn)
{
    return (struct httpd_handle){
        .loop = conn->worker->index, .slot = conn->slot, .generation = conn->generation};
}

static int64_t now_of(const struct conn *conn)
{
    return loop_now_ms(conn->worker->loop);
}

void conn_doom(struct conn *conn, enum httpd_why why)
{
    if (conn->is_doomed) return;
    conn->is_doomed = true;
    conn->why       = why;
}

struct conn *conn_new(struct worker *worker, int fd, uint32_t slot, const char *peer)
{
    struct conn *conn = mem_new(1, sizeof *conn);
    conn->worker      = worker;
    conn->fd          = fd;
    conn->slot        = slot;
    conn->in          = buf_init(INPUT_MAX);
    conn->deadline_ms = now_of(conn) + worker->httpd->options.idle_ms;
    memcpy(conn->peer, peer, strnlen(peer, HTTPD_PEER_SIZE - 1));
    return conn;
}

/* --- the end of a request and of a connection ------------------------------------------------- */

void conn_end_request(struct conn *conn, enum httpd_why why)
{
    httpd_request_freep(&conn->request);
    if (conn->generation == 0) return;
    struct httpd_handle handle = conn_handle(conn);
    const struct httpd_end end = {
        .why         = why,
        .http_status = conn->http_status,
        .bytes_out   = conn->bytes_out,
        .duration_ms = now_of(conn) - conn->started_ms,
    };
    void *user                          = conn->route.user;
    conn->generation                    = 0;
    const struct httpd_options *options = options_of(conn);
    if (options->handlers.end) options->handlers.end(handle, &end, user, options->context);
}

void conn_free(struct conn *conn, enum httpd_why why)
{
    conn_end_request(conn, why);
    loop_watch_remove(conn->watch);
    (void)close(conn->fd);
    output_drop(conn);
    buf_done(&conn->in);
    worker_forget(conn->worker, conn);
    free(conn);
}

static void tell_flow(struct conn *conn)
{
    const struct httpd_options *options = options_of(conn);
    if (conn->state != CONN_STREAM) return;
    if (conn->pending > HTTPD_STREAM_PAUSE_AT) conn->is_slow = true;
    if (conn->is_slow && !conn->is_slow_told) {
        conn->is_slow_told = true;
        if (options->handlers.flow) {
            options->handlers.flow(conn_handle(conn), true, 0, conn->route.user, options->context);
        }
    }
    if (!conn->is_slow || conn->pending > HTTPD_STREAM_RESUME_AT) return;
    size_t dropped     = conn->dropped;
    conn->is_slow      = false;
    conn->is_slow_told = false;
    conn->dropped      = 0;
    if (options->handlers.flow) {
        options->handlers.flow(conn_handle(conn), false, dropped, conn->route.user,
                               options->context);
    }
}

/* Asks the loop for what the connection waits for, or frees it. Nothing may touch it afterwards. */
static void conn_settle(struct conn *conn)
{
    if (!conn->is_doomed) tell_flow(conn);
    if (conn->is_doomed) {
        conn_free(conn, conn->why);
        return;
    }
    unsigned events = LOOP_HANGUP;
    if (conn->in.len < PIPELINE_MAX) events |= LOOP_READ;
    if (conn->pending > 0) events |= LOOP_WRITE;
    if (conn->watched != events) loop_watch_set(conn->watch, events);
    conn->watched = events;
}

/* --- running ---------------------------------------------------------------------------------- */

/* Goes on with `fresh` bytes, which are in memory of the worker, after those that waited. */
static void conn_run(struct conn *conn, str fresh)
{
    bool is_kept = conn->in.len > 0 || fresh.len == 0;
    if (is_kept && fresh.len > 0) {
        bool is_put = buf_put_str(&conn->in, fresh);
        ASSERT(is_put);
    }
    conn->view = is_kept ? buf_str(&conn->in) : fresh;
    while (!conn->is_doomed && conn_step(conn)) {
        /* the next state */
    }
    if (is_kept) {
        buf_consume(&conn->in, conn->in.len - conn->view.len);
    } else {
        bool is_put = buf_put_str(&conn->in, conn->view);
        ASSERT(is_put);
    }
    conn->view = (str){};
    if (conn->in.len == 0) buf_done(&conn->in); /* an idle connection keeps no buffer */
}

void conn_resume(struct conn *conn)
{
    bool has_steps = conn->state != CONN_STREAM && conn->state != CONN_WORK;
    if (!conn->is_doomed && has_steps) conn_run(conn, (str){});
    conn_settle(conn);
}

/* --- events ----------------------------------------------------------------------------------- */

static void read_some(struct conn *conn)
{
    if (conn->in.len >= PIPELINE_MAX) return;
    bool is_body = conn->state == CONN_BODY || conn->state == CONN_LINGER;
    size_t max   = is_body ? READ_MAX : PIPELINE_MAX;
    ssize_t got  = recv(conn->fd, conn->worker->scratch, max, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        conn_doom(conn, HTTPD_CLIENT_GONE);
        return;
    }
    if (conn->state == CONN_LINGER) {
        conn->lingered += (size_t)got;
        if (conn->lingered > LINGER_MAX) conn_doom(conn, HTTPD_CLIENT_GONE);
        return;
    }
    conn_run(conn, (str){.ptr = conn->worker->scratch, .len = (size_t)got});
}

void conn_ready(unsigned events, void *context)
{
    struct conn *conn = context;
    if (events & LOOP_FAILED) conn_doom(conn, HTTPD_CLIENT_GONE);
    if (events & LOOP_WRITE && !conn->is_doomed) {
        output_flush(conn);
        if (!conn->is_doomed && conn->pending == 0) conn_run(conn, (str){});
    }
    if (events & LOOP_READ && !conn->is_doomed) read_some(conn);
    bool is_waiting = conn->state == CONN_WORK || conn->state == CONN_STREAM ||
                      conn->state == CONN_REPLY || conn->in.len >= PIPELINE_MAX;
    if (events & LOOP_HANGUP && is_waiting) conn_doom(conn, HTTPD_CLIENT_GONE);
    conn_settle(conn);
}

static void expire(struct conn *conn)
{
    static const struct httpd_refusal late = {
        .http_status = 504,
        .code        = "upstream_timeout",
        .detail      = "The answer was not ready in time.",
    };
    switch (conn->state) {
    case CONN_HEAD:
        if (conn->in.len == 0) {
            conn_doom(conn, HTTPD_SENT); /* idle */
        } else {
            conn_refuse_with(conn, 408, "request_timeout", "The head did not arrive in time.");
        }
        break;
    case CONN_BODY:
        conn_refuse_with(conn, 408, "request_timeout", "The body did not arrive in time.");
        break;
    case CONN_WORK: conn_refuse(conn, &late, HTTPD_LATE); break;
    case CONN_LINGER: conn_doom(conn, HTTPD_SENT); break;
    case CONN_STREAM:
    case CONN_REPLY: break; /* bounded by output */
    }
}

static void send_comment(struct conn *conn)
{
    struct httpd_buffer *comment = httpd_buffer_new(str_from(": \n\n"));
    output_stream(conn, comment, HTTPD_MAY_DROP);
    httpd_buffer_unref(comment);
    conn->wrote_ms = now_of(conn);
}

void conn_sweep(struct conn *conn, int64_t now_ms)
{
    const struct httpd_options *options = options_of(conn);
    if (conn->pending > 0 && now_ms - conn->wrote_ms >= options->write_ms) {
        conn_doom(conn, HTTPD_SLOW);
    } else if (now_ms >= conn->deadline_ms) {
        expire(conn);
    } else if (conn->state == CONN_STREAM && conn->has_comments && conn->pending == 0 &&
               now_ms - conn->wrote_ms >= options->comment_ms) {
        send_comment(conn);
    } else {
        return;
    }
    conn_resume(conn);
}

void conn_drain(struct conn *conn, int64_t now_ms)
{
    bool is_idle = conn->state == CONN_HEAD && conn->in.len == 0;
    if (!is_idle) return;
    if (conn->served > 0) {
        conn_doom(conn, HTTPD_SENT);
        conn_settle(conn);
    } else if (conn->deadline_ms > now_ms + FRESH_DRAIN_MS) {
        conn->deadline_ms = now_ms + FRESH_DRAIN_MS; /* its first request may be on the way */
    }
}
