/**
 * httpd: the HTTP/1.1 server: small, strict, on event loops.
 *
 * It parses, limits, times out and frames; what a request means is its handlers' business. Requests
 * come whole: the body has arrived before `handle` is called. The answer may come at any time from
 * any thread, in one piece or as a stream, and names its request by a handle; an answer for a
 * client that has gone is dropped, so nobody need ask.
 *
 * What it does not do: TLS and HTTP/2 (the ingress's), compression, static files, upgrade, bodies
 * that are read piece by piece. A client that closes its sending side counts as gone.
 *
 * Life of a request:
 *   route()   head parsed. Refuse it (answer and return false) or say what its body may weigh.
 *   handle()  body complete; the request is the handler's now. Called if route() returned true and
 *             the body arrived.
 *   end()     exactly once per route(): the answer has been handed to the kernel, or it will never
 *             be. Work for a request that ended otherwise than HTTPD_SENT should be given up.
 * flow() comes between handle() and end(), for streams only.
 *
 * Threads: callbacks run on the thread of the connection's loop and may not block; calls with a
 * handle are for any thread. end() and flow() are never called from inside one of those calls.
 *
 * Limits (docs: http-server): see the enum and httpd_options. Framing errors are answered and the
 * connection closed: 400, 408, 413, 414, 417, 431, 501, 503, 505.
 */
#ifndef HTTPD_HTTPD_H
#define HTTPD_HTTPD_H

#include "base/status.h"
#include "httpd/message.h"
#include "loop/loop.h"

enum {
    HTTPD_CONNECTIONS_MAX  = 10000,
    HTTPD_BODY_BUDGET      = 256 << 20, /* bytes of all bodies in memory */
    HTTPD_HEAD_MS          = 10000,     /* from the first byte of a head to its last */
    HTTPD_BODY_MS          = 30000,     /* plus 1 s for each 64 KiB that arrived */
    HTTPD_IDLE_MS          = 75000,     /* without a request */
    HTTPD_WRITE_MS         = 30000,     /* without any progress in writing */
    HTTPD_ANSWER_MS        = 60000, /* until the answer begins, unless the route says otherwise */
    HTTPD_COMMENT_MS       = 15000, /* a comment line in quiet event streams */
    HTTPD_SWEEP_MS         = 250,   /* all of these are met with this precision */
    HTTPD_STREAM_PAUSE_AT  = 64 << 10, /* bytes unsent */
    HTTPD_STREAM_RESUME_AT = 16 << 10,
    HTTPD_STREAM_CLOSE_AT  = 256 << 10,
    HTTPD_LOOPS_MAX        = 16,
};

struct httpd;

/** Names one request of one connection; never reused in the life of a server. Zeroed names none. */
struct httpd_handle {
    uint32_t loop;
    uint32_t slot;
    uint64_t generation;
};

/** What route() says of a request that it accepts. Zeroed on entry. */
struct httpd_route {
    size_t body_max; /* bytes; 0: no body. Above: 413, before a byte of it is read if announced */
    int64_t
        answer_ms; /* from handle() to the beginning of the answer, then 504; 0: HTTPD_ANSWER_MS */
    void *user;    /* comes back in handle(), flow() and end(); also of a refused request */
};

enum httpd_why {
    HTTPD_SENT,        /* all of the answer is with the kernel */
    HTTPD_CLIENT_GONE, /* closed or reset by the client, or it sent nothing in time */
    HTTPD_REFUSED,     /* the server itself answered: body too large, broken or late */
    HTTPD_LATE,        /* nobody answered within answer_ms: 504 */
    HTTPD_SLOW,    /* the client did not take the answer in time, or a stream outgrew its limit */
    HTTPD_STOPPED, /* httpd_stop() */
};

struct httpd_end {
    enum httpd_why why;
    int http_status;     /* of the answer as far as it was begun; 0: none */
    uint64_t bytes_out;  /* handed to the kernel, head included */
    int64_t duration_ms; /* since the first byte of the head */
};

/** An answer of the server itself. */
struct httpd_refusal {
    int http_status;
    const char *code;   /* "body_too_large" */
    const char *detail; /* one sentence for people */
};

struct httpd_handlers {
    /* Required. `request` has no body yet and stays the server's. To refuse, call httpd_respond()
     * and return false: the connection is closed after it if there is a body that nobody reads. */
    bool (*route)(struct httpd_handle handle, const struct httpd_request *request,
                  struct httpd_route *ret_route, void *context);
    /* Required. Takes `request`. */
    void (*handle)(struct httpd_handle handle, struct httpd_request *request, void *user,
                   void *context);
    /* May be NULL. */
    void (*end)(struct httpd_handle handle, const struct httpd_end *end, void *user, void *context);
    /* May be NULL. A stream has passed HTTPD_STREAM_PAUSE_AT or was sent something with HTTPD_PACED
     * (is_slow), or has come down to HTTPD_STREAM_RESUME_AT; then `dropped` tells how many sends
     * with HTTPD_MAY_DROP were dropped between the two. */
    void (*flow)(struct httpd_handle handle, bool is_slow, size_t dropped, void *user,
                 void *context);
    /* May be NULL. Writes the body of an answer of the server itself; NULL, or nothing written: a
     * problem document with type, title, status, code and detail. */
    void (*refuse)(const struct httpd_refusal *refusal, struct buf *body, void *context);
};

struct httpd_options {
    const char *host;          /* numeric address: "127.0.0.1", "::1" */
    uint16_t port;             /* 0: any free one; httpd_port() */
    struct loop *const *loops; /* borrowed, not running yet; each gets a listener (SO_REUSEPORT) */
    size_t loop_count;         /* 1 to HTTPD_LOOPS_MAX */
    struct httpd_handlers handlers;
    void *context;
    size_t connections_max; /* over all loops; more are answered 503. 0: HTTPD_CONNECTIONS_MAX */
    size_t body_budget;     /* bytes; 0: HTTPD_BODY_BUDGET */
    int64_t head_ms;        /* 0: the default of each */
    int64_t body_ms;
    int64_t idle_ms;
    int64_t write_ms;
    int64_t comment_ms;
};

/** Listens; serves as soon as the loops run. Owned: httpd_free(). Fails with INVALID_ARGUMENT (an
 * address that is none), UNAVAILABLE (in use, not ours) or RESOURCE_EXHAUSTED. */
status httpd_start(const struct httpd_options *options, struct httpd **ret_httpd,
                   struct error *reterr);

/** The port it listens on. */
uint16_t httpd_port(const struct httpd *httpd);

/** Begins to drain: takes what the kernel has accepted, closes the listeners and idle connections,
 * and closes every other connection after its next answer. The handlers end their streams and
 * polls. Any thread. */
void httpd_drain(struct httpd *httpd);

/** Connections that are open. Any thread. */
size_t httpd_connections(const struct httpd *httpd);

/** Closes everything at once; every request gets its end(). Any thread; takes a turn of each loop.
 */
void httpd_stop(struct httpd *httpd);

/** Frees the server. Its loops have been joined, or never ran. Requests still open end here, with
 * HTTPD_STOPPED. Calls with handles from other threads must have ceased. NULL is fine. */
void httpd_free(struct httpd *httpd);
void httpd_freep(struct httpd **httpd);

/* --- answers: any thread ---------------------------------------------------------------------- */

/** Answers in one piece. Only the first answer to a request counts. */
void httpd_respond(struct httpd *httpd, struct httpd_handle handle,
                   const struct httpd_response *response);

/** How a stream treats a client that reads slowly. */
enum httpd_send {
    HTTPD_MUST,     /* beyond HTTPD_STREAM_CLOSE_AT unsent bytes the connection is closed instead */
    HTTPD_MAY_DROP, /* beyond HTTPD_STREAM_PAUSE_AT unsent bytes it is left out; flow() tells */
    HTTPD_PACED,    /* always taken: the sender waits until flow() has told that it is not slow */
};

/** Begins an answer of unknown length; `response->body` is its first part and may be empty. With
 * `has_comments` a line ": \n\n" is sent whenever nothing was for comment_ms (server-sent events).
 * HEAD gets the head only, and the request ends. */
void httpd_stream_start(struct httpd *httpd, struct httpd_handle handle,
                        const struct httpd_response *response, bool has_comments);

/** Adds to the stream. Borrows `buffer`: it takes a reference of its own. One that is larger than a
 * limit passes if nothing else waits. */
void httpd_stream_send(struct httpd *httpd, struct httpd_handle handle, struct httpd_buffer *buffer,
                       enum httpd_send how);

/** The same for a buffer that nobody else needs: takes the reference. */
void httpd_stream_give(struct httpd *httpd, struct httpd_handle handle, struct httpd_buffer *buffer,
                       enum httpd_send how);

/** Ends the stream; the connection may serve another request. */
void httpd_stream_end(struct httpd *httpd, struct httpd_handle handle);

/* --- numbers ---------------------------------------------------------------------------------- */

struct httpd_stats {
    uint64_t connections;    /* accepted since the start */
    uint64_t requests;       /* heads parsed */
    uint64_t refused;        /* answered by the server itself */
    uint64_t streams_closed; /* for slowness */
    uint64_t sends_dropped;
    size_t connections_open;
    size_t body_bytes; /* in memory now */
};

/** Any thread; the numbers need not be of one moment. */
struct httpd_stats httpd_stats(const struct httpd *httpd);

#endif
