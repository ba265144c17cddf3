/*
 * The client's own transport: HTTP/1.1 without TLS, as models and services of one's own speak it
 * inside of a cluster. It takes `http:` requests, but for those by a proxy or with gzip on a
 * stream; everything else is libcurl's. Why there are two:
 * docs/adr/0014-plain-http-without-libcurl.md.
 *
 *   plain.c          what of the client's work is whose: start, resume, end of a call
 *   plain_pool.c     connections by origin: who is idle, who waits for one
 *   plain_dial.c     from a name to a connection
 *   plain_names.c    addresses of names
 *   plain_conn.c     one connection: what goes out and comes in
 *   plain_request.c  the head of a request
 *   plain_reply.c    the parser of answers
 *
 * A connection that waits for the next piece of its stream has no buffer: sockets are read into one
 * of the client, and handlers see that. Only what cannot be used yet, half a head or what a handler
 * did not take, is kept.
 */
#ifndef HTTP_PLAIN_INTERNAL_H
#define HTTP_PLAIN_INTERNAL_H

#include "http/http_internal.h"
#include "http/inflation.h"
#include "http/plain_names.h"
#include "http/plain_reply.h"

enum {
    PLAIN_INPUT_SIZE  = 64 * 1024, /* bytes read at once; of streams, which may pause with them: */
    PLAIN_STREAM_SIZE = 16 * 1024,
    PLAIN_IDLE_MS     = 60'000,  /* of a connection that nobody uses */
    PLAIN_NEXT_ADDRESS_MS = 250, /* RFC 8305, section 5: until the next one is tried, too */
    PLAIN_OPENING_MAX     = 128, /* connections to one origin at a time */
    PLAIN_ORIGIN_KEY_MAX  = URL_HOST_MAX + 2, /* bytes: the host and its port */
};

/* --- What belongs to a client ----------------------------------------------------------------- */

struct plain {
    struct http_client *client; /* borrowed, as the next */
    struct loop *loop;
    char *input;         /* PLAIN_INPUT_SIZE; what one socket gave, while it is looked at */
    struct buf output;   /* the head that is going out */
    struct map *origins; /* host and port -> struct plain_origin */
    struct plain_conn *oldest, *newest; /* the idle ones */
    unsigned conn_count;                /* idle, busy, or being opened for a call */
    struct loop_timer sweep;            /* closes what was idle for long */
};

struct plain_origin {
    unsigned conn_count, call_count;
    unsigned idle_count, opening_count; /* of `conn_count` */
    struct plain_conn *newest;          /* the idle ones, by `older` */
    struct http_call *first, *last;     /* wait for a connection */
    size_t key_len;
    char key[PLAIN_ORIGIN_KEY_MAX];
};

struct plain_conn {
    struct plain *plain;
    struct http_call *call;      /* NULL: it is idle, or */
    struct dial *dial;           /* NULL: it stands */
    struct plain_origin *origin; /* NULL: it does not stand */
    int fd;
    struct loop_watch *watch; /* NULL: its call is paused */
    struct egress_address address;
    struct reply reply;
    struct inflation *inflation; /* owned; NULL: the body is as it came, or has not begun */
    struct buf kept;             /* what was read and cannot be used yet */
    size_t again;                /* bytes at its front that were taken out of the answer already */
    struct buf unsent;           /* what of the head has not gone out; */
    size_t body_sent;            /* and how much of the body has */
    bool is_sent;                /* all of it, or as much as the peer wants */
    bool has_begun;              /* the body has */
    bool is_spent;               /* it may not carry another request */
    int64_t idle_ms;             /* since when */
    struct loop_ahead ahead;     /* what a piece of its call's answer needs */
    struct plain_conn *older, *younger;           /* of the same origin */
    struct plain_conn *older_idle, *younger_idle; /* of all */
};

/* What of a call is this transport's. */
struct plain_call {
    struct plain_origin *origin; /* where it waits for a connection, or has one */
    struct plain_conn *conn;     /* NULL: it has none yet */
    struct dial *dial;           /* NULL: none is being opened for it */
    bool is_waiting;
    bool is_repeated;              /* a pooled connection was dead: this one is to be new */
    struct http_call *prev, *next; /* of those that wait */
};

/* plain.c */
struct plain *plain_new(struct http_client *client); /* owned */
void plain_freep(struct plain **plain);
bool plain_takes(const struct http_call *call);
/* These three return false if the call has failed, with `failure` set. */
bool plain_start(struct http_call *call);
bool plain_resume(struct http_call *call);
bool plain_dialled(struct http_call *call, struct plain_conn *conn); /* takes `conn` */
void plain_go_on(struct http_call *call); /* there may be a connection for it now */
void plain_stop(struct http_call *call);
/* Sets `failure`; false. */
bool plain_fail(struct http_call *call, enum http_failure failure, const char *reason);
/* The connection ended before the answer did. */
void plain_cut(struct http_call *call);

/* plain_pool.c */
/* A call begins and ends its stay with an origin. */
void pool_enter(struct http_call *call);
void pool_leave(struct http_call *call);
enum pool_find {
    POOL_GIVES,    /* `plain->conn` of the call, which is idle no more */
    POOL_MAY_OPEN, /* one, which is counted already: pool_opened(), and pool_uncount() some day */
    POOL_WAITS,    /* until plain_go_on() */
};
enum pool_find pool_find(struct http_call *call);
void pool_opened(struct plain *plain, struct plain_origin *origin); /* or it could not be */
void pool_uncount(struct plain *plain, struct plain_origin *origin);
void pool_put(struct plain_conn *conn);      /* nobody uses it now */
void pool_take_out(struct plain_conn *conn); /* of the idle ones */
void pool_sweep(void *context);
void pool_done(struct plain *plain);

/* plain_dial.c */
bool dial_start(struct http_call *call); /* false: as plain_start() */
void dial_free(struct dial *dial);
void dial_ready(struct dial *dial, struct plain_conn *conn);

/* plain_conn.c */
/* Begins to connect; NULL: errno says why. */
struct plain_conn *plain_conn_open(struct plain *plain, const union net_address *address,
                                   struct dial *dial);
void plain_conn_close(struct plain_conn *conn);
void plain_conn_begin(struct plain_conn *conn);  /* sends the request of its call */
bool plain_conn_resume(struct plain_conn *conn); /* false: as plain_resume() */
bool plain_conn_is_reusable(const struct plain_conn *conn);
int plain_conn_error(const struct plain_conn *conn);     /* of connecting; 0: it stands */
bool plain_conn_is_alive(const struct plain_conn *conn); /* asks the kernel */

/* plain_request.c */
void request_put_head(const struct request *request, const char *user_agent, struct buf *out);

#endif
