/*
 * What a connection does with one request: refuse it, ask the route, read the body, hand it over,
 * take the answer. Every step returns whether another may follow at once.
 */
#include "base/assert.h"
#include "httpd/server_internal.h"

#include <poll.h>
#include <sys/socket.h>

enum { BODY_BYTES_PER_S = 64 << 10, PROBLEM_MAX = 8 << 10 /* bytes */ };

static const struct httpd_options *options_of(const struct conn *conn)
{
    return &conn->worker->httpd->options;
}

static int64_t now_of(const struct conn *conn)
{
    return loop_now_ms(conn->worker->loop);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* The client's end may lie in the kernel, unread so far: the loop reads it after what others asked
 * it to send. */
static bool is_hung_up(const struct conn *conn)
{
    struct pollfd client = {.fd = conn->fd, .events = POLLRDHUP};
    return poll(&client, 1, 0) > 0 && client.revents != 0;
}

/* The state after the last byte of an answer was given to output. */
static void begin_reply(struct conn *conn)
{
    conn->state       = CONN_REPLY;
    conn->deadline_ms = INT64_MAX; /* output has a deadline of its own */
}

/* Answers in the server's own name and closes the connection after it. */
void conn_refuse(struct conn *conn, const struct httpd_refusal *refusal, enum httpd_why why)
{
    const struct httpd_options *options = options_of(conn);
    CLEANUP(buf_done) struct buf body   = buf_init(PROBLEM_MAX);
    if (options->handlers.refuse) options->handlers.refuse(refusal, &body, options->context);

    (void)atomic_fetch_add(&conn->worker->httpd->counters.refused, 1);
    httpd_request_freep(&conn->request);
    conn->is_refused     = true;
    conn->is_kept_alive  = false;
    conn->why            = why;
    struct answer answer = answer_refusal(refusal, buf_str(&body));
    output_answer(conn, &answer, false);
    httpd_buffer_unref(answer.buffer);
    begin_reply(conn);
}

void conn_refuse_with(struct conn *conn, int http_status, const char *code, const char *detail)
{
    const struct httpd_refusal refusal = {
        .http_status = http_status, .code = code, .detail = detail};
    conn_refuse(conn, &refusal, HTTPD_REFUSED);
}

/* For steps: refused, and the next step may follow. */
static bool refuse_head(struct conn *conn, const struct httpd_refusal *refusal)
{
    conn_refuse(conn, refusal, HTTPD_REFUSED);
    return true;
}

static bool refuse_body(struct conn *conn)
{
    conn_refuse_with(conn, 413, "body_too_large", "The body is larger than this path takes.");
    return true;
}

static bool refuse_overload(struct conn *conn)
{
    conn_refuse_with(conn, 503, "overloaded", "Too many bodies are in memory.");
    return true;
}

static void start_stream(struct conn *conn, const struct message *message)
{
    const struct answer *answer = &message->answer;
    output_answer(conn, answer, true);
    if (conn->is_head_method || !status_has_body(answer->http_status)) {
        begin_reply(conn);
        return;
    }
    conn->state        = CONN_STREAM;
    conn->deadline_ms  = INT64_MAX;
    conn->has_comments = message->has_comments;
    conn->wrote_ms     = now_of(conn);
    size_t first_len   = answer->buffer->size - answer->head_len;
    if (first_len == 0) return;
    struct httpd_buffer *first =
        httpd_buffer_new((str){answer->buffer->data + answer->head_len, first_len});
    output_stream(conn, first, HTTPD_MUST);
    httpd_buffer_unref(first);
}

static void end_stream(struct conn *conn)
{
    const struct span last = {.ptr = "0\r\n\r\n", .len = 5};
    if (conn->is_chunked) output_write(conn, &last, 1);
    begin_reply(conn);
}

void conn_apply(struct conn *conn, struct message *message)
{
    bool is_work   = conn->state == CONN_WORK;
    bool is_stream = conn->state == CONN_STREAM;
    switch (message->kind) {
    case MESSAGE_ANSWER:
        if (!is_work) break;
        if (message->answer.needs_client && is_hung_up(conn)) {
            conn_doom(conn, HTTPD_CLIENT_GONE);
            break;
        }
        output_answer(conn, &message->answer, false);
        begin_reply(conn);
        break;
    case MESSAGE_START:
        if (is_work) start_stream(conn, message);
        break;
    case MESSAGE_SEND:
        if (is_stream) output_stream(conn, message->answer.buffer, message->how);
        break;
    case MESSAGE_END:
        if (is_stream) end_stream(conn);
        break;
    case MESSAGE_DROPPED:
        conn->is_slow |= is_stream;
        conn->dropped++;
        break;
    case MESSAGE_CLOSE:
        if (is_work || is_stream) conn_doom(conn, HTTPD_SLOW);
        break;
    }
    httpd_buffer_unref(message->answer.buffer);
    message->answer.buffer = NULL;
}

/* --- requests: each step returns whether another may follow ----------------------------------- */

static bool dispatch(struct conn *conn)
{
    const struct httpd_options *options = options_of(conn);
    struct worker *worker               = conn->worker;
    int64_t answer_ms = conn->route.answer_ms > 0 ? conn->route.answer_ms : HTTPD_ANSWER_MS;
    conn->state       = CONN_WORK;
    conn->deadline_ms = now_of(conn) + answer_ms;
    worker->current   = conn;
    options->handlers.handle(conn_handle(conn), TAKE(conn->request), conn->route.user,
                             options->context);
    worker->current = NULL;
    return true;
}

/* Asks the route; true if it accepted the request. */
static bool ask_route(struct conn *conn)
{
    const struct httpd_options *options = options_of(conn);
    struct worker *worker               = conn->worker;
    conn->generation                    = ++worker->generation;
    conn->state                         = CONN_WORK; /* so that it may be answered */
    worker->current                     = conn;
    bool is_accepted =
        options->handlers.route(conn_handle(conn), conn->request, &conn->route, options->context);
    worker->current = NULL;
    ASSERT(is_accepted == (conn->state == CONN_WORK)); /* refused means answered */
    return is_accepted;
}

static void set_body_deadline(struct conn *conn)
{
    int64_t extra_ms  = (int64_t)conn->request->body.len * 1000 / BODY_BYTES_PER_S;
    conn->deadline_ms = conn->body_started_ms + options_of(conn)->body_ms + extra_ms;
}

/* The head is parsed and its request made: asks the route, then reads the body if there is one. */
static bool begin_request(struct conn *conn, const struct head *head)
{
    struct httpd *httpd   = conn->worker->httpd;
    conn->minor           = head->minor;
    conn->is_head_method  = str_is(head->method, "HEAD");
    conn->is_kept_alive   = head->is_kept_alive;
    conn->has_unread_body = conn->request->has_body;
    conn->route           = (struct httpd_route){};
    (void)atomic_fetch_add_explicit(&httpd->counters.requests, 1, memory_order_relaxed);

    if (!ask_route(conn)) {
        httpd_request_freep(&conn->request);
        return true;
    }
    if (!conn->request->has_body) return dispatch(conn);

    size_t body_max = conn->route.body_max;
    if (body_max == 0 || head->content_length > (int64_t)body_max) return refuse_body(conn);
    size_t used = atomic_load_explicit(&httpd->budget->used, memory_order_relaxed);
    if (used + (size_t)(head->is_chunked ? 0 : head->content_length) > httpd->budget->max) {
        return refuse_overload(conn);
    }
    conn->request->body   = buf_init(body_max);
    conn->chunks          = (struct chunks){};
    conn->body_left       = head->is_chunked ? -1 : head->content_length;
    conn->body_started_ms = now_of(conn);
    conn->state           = CONN_BODY;
    set_body_deadline(conn);
    if (head->is_expecting && conn->view.len == 0) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        const struct span span    = {.ptr = go_on, .len = sizeof go_on - 1};
        output_write(conn, &span, 1);
    }
    return true;
}

static bool step_head(struct conn *conn)
{
    if (conn->view.len == 0) return false;
    if (conn->scanned == 0) {
        conn->started_ms     = now_of(conn);
        conn->deadline_ms    = conn->started_ms + options_of(conn)->head_ms;
        conn->http_status    = 0;
        conn->bytes_out      = 0;
        conn->minor          = 1;
        conn->why            = HTTPD_SENT;
        conn->is_head_method = false;
    }
    struct httpd_refusal refusal;
    size_t len;
    switch (head_scan(conn->view, &conn->scanned, &len, &refusal)) {
    case HEAD_MORE: return false;
    case HEAD_BAD: return refuse_head(conn, &refusal);
    case HEAD_COMPLETE: break;
    }
    struct head head;
    if (!head_parse(str_slice(conn->view, 0, len), &head, &refusal)) {
        return refuse_head(conn, &refusal);
    }
    conn->request = request_new(&head, conn->peer, conn->worker->httpd->budget, &refusal);
    if (!conn->request) return refuse_head(conn, &refusal);
    conn->view = str_slice(conn->view, len, conn->view.len);
    return begin_request(conn, &head);
}

static size_t body_room(const struct conn *conn)
{
    return conn->route.body_max - conn->request->body.len;
}

/* Adds to the body; false if that was refused. */
static bool add_body(struct conn *conn, str data)
{
    if (data.len > body_room(conn)) return !refuse_body(conn);
    return request_add_body(conn->request, data) || !refuse_overload(conn);
}

static bool step_length_body(struct conn *conn)
{
    size_t len = conn->view.len;
    if ((int64_t)len > conn->body_left) len = (size_t)conn->body_left;
    if (len > 0 && !add_body(conn, str_slice(conn->view, 0, len))) return true;
    conn->view = str_slice(conn->view, len, conn->view.len);
    conn->body_left -= (int64_t)len;
    set_body_deadline(conn);
    if (conn->body_left > 0) return false;
    conn->has_unread_body = false;
    return dispatch(conn);
}

static bool step_chunked_body(struct conn *conn)
{
    for (;;) {
        str data;
        switch (chunks_next(&conn->chunks, &conn->view, &data)) {
        case CHUNKS_MORE:
            set_body_deadline(conn);
            return conn->chunks.state == CHUNK_DATA && conn->chunks.left > body_room(conn)
                       ? refuse_body(conn)
                       : false;
        case CHUNKS_DATA:
            if (!add_body(conn, data)) return true;
            break;
        case CHUNKS_BAD:
            conn_refuse_with(conn, 400, "invalid_request", "A chunk is broken.");
            return true;
        case CHUNKS_DONE: conn->has_unread_body = false; return dispatch(conn);
        }
    }
}

/* The answer is with output: waits until it is with the kernel, then makes ready for the next. */
static bool step_reply(struct conn *conn)
{
    if (conn->pending > 0) return false;
    conn_end_request(conn, conn->is_refused ? conn->why : HTTPD_SENT);
    conn->served++;
    conn->scanned = 0;
    if (conn->is_kept_alive && !conn->worker->is_draining) {
        conn->state        = CONN_HEAD;
        conn->deadline_ms  = now_of(conn) + options_of(conn)->idle_ms;
        conn->has_comments = false;
        conn->is_slow      = false;
        conn->is_slow_told = false;
        conn->dropped      = 0;
        return true;
    }
    if (!conn->is_refused && !conn->has_unread_body && conn->view.len == 0) {
        conn_doom(conn, HTTPD_SENT);
        return false;
    }
    /* Closing now would reset the connection, and the client might never see the answer. */
    (void)shutdown(conn->fd, SHUT_WR);
    conn->view        = (str){};
    conn->state       = CONN_LINGER;
    conn->deadline_ms = now_of(conn) + LINGER_MS;
    return false;
}

bool conn_step(struct conn *conn)
{
    switch (conn->state) {
    case CONN_HEAD: return step_head(conn);
    case CONN_BODY: return conn->body_left < 0 ? step_chunked_body(conn) : step_length_body(conn);
    case CONN_REPLY: return step_reply(conn);
    case CONN_WORK:
    case CONN_STREAM:
    case CONN_LINGER: return false;
    }
    return false;
}
