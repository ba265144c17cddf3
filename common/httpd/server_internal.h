/* server_internal: the parts of the server that know sockets: workers (one per loop), connections.
 */
#ifndef HTTPD_SERVER_INTERNAL_H
#define HTTPD_SERVER_INTERNAL_H

#include "httpd/httpd_internal.h"

#include <pthread.h>

enum {
    READ_MAX        = 64 << 10, /* bytes of one recv */
    PIPELINE_MAX    = 16 << 10, /* bytes kept of requests that have to wait */
    INPUT_MAX       = READ_MAX + PIPELINE_MAX,
    LINGER_MAX      = 1 << 20, /* bytes dropped after a refusal before the connection is closed */
    LINGER_MS       = 2000,
    FRESH_DRAIN_MS  = 1000, /* for a connection that has not sent anything when a drain begins */
    ACCEPT_BATCH    = 64,   /* connections per turn */
    ACCEPT_PAUSE_MS = 100,  /* after EMFILE */
    LISTEN_BACKLOG  = 1024,
    QUEUE_BYTES_MAX = 64 << 20, /* answers and stream pieces on their way to one loop */
};

enum conn_state {
    CONN_HEAD,   /* waits for a head, or for the rest of one */
    CONN_BODY,   /* reads the body of `request` */
    CONN_WORK,   /* a handler has the request */
    CONN_STREAM, /* a handler is sending a stream */
    CONN_REPLY,  /* the answer is complete, but not all of it with the kernel */
    CONN_LINGER, /* said all; reads what the client still sends, so that it can read the answer */
};

/* A piece of output that waits: bytes [from, size) of a shared buffer. */
struct out_piece {
    struct out_piece *next;
    struct httpd_buffer *buffer; /* a reference of its own */
    size_t from;
    size_t to;
};

struct worker;

/** A connection. Belongs to its worker's thread. What a piece of a stream needs stands first: of
 * thousands of streams each piece finds its connection in no cache. */
struct conn {
    struct worker *worker;
    uint64_t generation; /* of the request in work; 0: none that a handler knows */
    int fd;
    uint32_t slot;
    enum conn_state state;
    unsigned watched; /* events that `watch` was asked for last */
    bool is_doomed;   /* to be freed by conn_settle() */
    bool is_chunked;
    bool is_slow; /* above the mark, or something was dropped, and not yet below the other mark */
    bool is_slow_told; /* by flow() */

    /* output */
    struct out_piece *first;
    struct out_piece *last;
    size_t pending; /* bytes */
    uint64_t bytes_out;
    int64_t wrote_ms; /* last progress */

    /* input */
    struct buf in; /* what has arrived and has not been used */
    str view;      /* while advancing: the same, or what has just been read */
    size_t scanned;
    size_t lingered;     /* bytes dropped */
    int64_t deadline_ms; /* of the state; INT64_MAX: none */
    struct loop_watch *watch;
    char peer[HTTPD_PEER_SIZE];

    /* the request in work */
    struct httpd_request *request; /* owned until handle() takes it */
    struct httpd_route route;
    struct chunks chunks;
    int64_t body_left; /* bytes; -1: chunked */
    unsigned minor;
    bool is_head_method;
    bool is_kept_alive;
    bool has_unread_body;
    bool is_refused;
    uint64_t served; /* requests before this one */
    int64_t started_ms;
    int64_t body_started_ms;

    /* the answer */
    int http_status;
    enum httpd_why why; /* how it ends, if not by being sent */
    bool has_comments;
    size_t dropped;
};

enum message_kind {
    MESSAGE_ANSWER,
    MESSAGE_START,
    MESSAGE_SEND,
    MESSAGE_END,
    MESSAGE_DROPPED, /* a MESSAGE_SEND that did not fit into the queue */
    MESSAGE_CLOSE,   /* another message that did not */
};

/** What other threads want of a connection. */
struct message {
    enum message_kind kind;
    struct httpd_handle handle;
    struct answer answer; /* owns a reference of its buffer, which MESSAGE_SEND uses too */
    bool has_comments;
    enum httpd_send how;
};

/** Messages in the order they came. */
struct mailbox {
    struct message *items; /* owned */
    size_t count, capacity;
};

/** The part of the server that belongs to one loop and its thread. */
struct worker {
    struct httpd *httpd;
    struct loop *loop;
    uint32_t index;
    int listen_fd; /* -1: closed */
    struct loop_watch *listener;
    struct loop_timer resume; /* accepting after EMFILE */
    struct loop_timer sweep;
    struct loop_notice notice; /* messages, drain or stop */
    struct conn **slots;
    size_t slot_count;
    uint32_t *free_slots; /* a stack */
    size_t free_count;
    uint64_t generation;  /* the last one given out */
    struct conn *current; /* whose handler is running */
    bool is_draining;
    bool is_stopped;
    char date[40]; /* "Date: ...\r\n" of date_second */
    int64_t date_second;
    char scratch[READ_MAX];

    pthread_mutex_t mutex; /* guards all below */
    struct mailbox mailbox;
    size_t message_bytes; /* with what they carry */
};

/** Numbers that all workers change. */
struct counters {
    atomic_uint_fast64_t connections;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t refused;
    atomic_uint_fast64_t streams_closed;
    atomic_uint_fast64_t sends_dropped;
    atomic_size_t open;
};

struct httpd {
    struct httpd_options options; /* with the defaults filled in */
    struct httpd_budget *budget;
    struct counters counters;
    atomic_bool is_draining;
    atomic_bool is_stopped;
    uint16_t port;
    size_t worker_count;
    struct worker workers[];
};

/* --- connections: conn.c ---------------------------------------------------------------------- */

struct conn *conn_new(struct worker *worker, int fd, uint32_t slot, const char *peer);

/** The descriptor is ready: the callback of its watch. */
void conn_ready(unsigned events, void *context);

/** A message of another thread, or of a handler of this one. Takes `message`'s references. */
void conn_apply(struct conn *conn, struct message *message);

/** Runs the connection as far as it comes with what it has, then conn_settle(). */
void conn_resume(struct conn *conn);

/** A message for it follows soon: its memory is fetched meanwhile. NULL is fine. */
static inline void conn_look_ahead(const struct conn *conn)
{
    if (!conn) return;
    __builtin_prefetch(conn);
    __builtin_prefetch((const char *)conn + offsetof(struct conn, first));
    __builtin_prefetch((const char *)conn + offsetof(struct conn, in));
}

/** Looks at the deadlines. Frees the connection if it is over. */
void conn_sweep(struct conn *conn, int64_t now_ms);

/** Makes an idle connection close, and others after their answer. */
void conn_drain(struct conn *conn, int64_t now_ms);

/** Ends the request in work with `why` and frees the connection. */
void conn_free(struct conn *conn, enum httpd_why why);

/** Marks the connection to be freed when the loop is done with it. */
void conn_doom(struct conn *conn, enum httpd_why why);

struct httpd_handle conn_handle(const struct conn *conn);

/* --- requests: conn_request.c ----------------------------------------------------------------- */

/** One step of the state machine; false if there is nothing more to do now. */
bool conn_step(struct conn *conn);

/** Answers in the server's own name; the connection is closed after it. */
void conn_refuse(struct conn *conn, const struct httpd_refusal *refusal, enum httpd_why why);
void conn_refuse_with(struct conn *conn, int http_status, const char *code, const char *detail);

/** The request is over: end() is called if a handler knows of it. */
void conn_end_request(struct conn *conn, enum httpd_why why);

/* --- output: output.c ------------------------------------------------------------------------- */

/** Bytes to send: of `buffer`, or if that is NULL, of somebody else's memory. */
struct span {
    const char *ptr;
    size_t len;
    struct httpd_buffer *buffer;
};

/** Sends what the kernel takes now and keeps the rest. Dooms the connection if it is broken. */
void output_write(struct conn *conn, const struct span *spans, size_t count);

/** Sends what is kept, as far as the kernel takes it. */
void output_flush(struct conn *conn);

/** Forgets what is kept. */
void output_drop(struct conn *conn);

/** Writes the head of an answer with the server's own fields, and its body unless it has none. */
void output_answer(struct conn *conn, const struct answer *answer, bool is_stream);

/** Writes a piece of a stream, or drops it, or dooms the connection. */
void output_stream(struct conn *conn, struct httpd_buffer *buffer, enum httpd_send how);

/* --- workers: worker.c ------------------------------------------------------------------------ */

status worker_listen(struct worker *worker, struct httpd *httpd, uint32_t index,
                     struct error *reterr);
void worker_done(struct worker *worker);

/** Sends a message to the connection its handle names. Any thread. Takes its references. */
void worker_post(struct worker *worker, const struct message *message);

/** Gives the slot back. */
void worker_forget(struct worker *worker, const struct conn *conn);

/** The current Date field. */
str worker_date(struct worker *worker);

#endif
