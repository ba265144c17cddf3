/**
 * http: the client: thousands of transfers on one event loop.
 *
 * What it does: pooled connections (HTTP/2 by ALPN for https), timeouts, size limits on what is
 * received (decompressed), streaming with back-pressure, cancelling, redirects, and the egress
 * guard (egress.h), which every request passes. What it does not: retry, authenticate, keep
 * cookies, read proxy settings from the environment, or wait.
 *
 * A call is started with callbacks and ends exactly once: by on_done, or by http_call_cancel(),
 * after which no callback comes. An answer with any HTTP status is a success here; what a 503 means
 * is the caller's matter. A failure says what failed (enum http_failure) and whether the request
 * may have reached the peer, so that the caller can tell "did not happen" from "unknown".
 *
 * A request is sent again by itself when a pooled connection turns out to be dead. That is
 * harmless for what may happen twice, so it is allowed for GET, HEAD and OPTIONS and for requests
 * marked `is_repeatable`, and ends any other call as HTTP_CUT with `was_sent`. So that this is
 * rare, other calls take no connection that was idle for long: servers close theirs after 2 s
 * (gunicorn), 5 s (Node, Apache, uvicorn) and more, perhaps while a request is on its way.
 *
 * A request may name an HTTP proxy: for https it gets a tunnel (CONNECT), for http it is given the
 * whole address. What it dials is not seen here, so the egress rules are asked about every address
 * that the target's name has here, before anything leaves; that the proxy finds the same ones is
 * its own matter. The proxy's address is the operator's choice: public, or one of the rules'
 * private networks, whatever the request allows.
 *
 * Threads: a client and its calls belong to the thread of its loop. Callbacks come from the loop,
 * never from inside http_call_start().
 *
 * Limits: see the enum; all texts of a request are copied, so nothing needs to outlive the call.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"
#include "http/egress.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;
struct http_call;

enum {
    HTTP_CALLS_MAX            = 8192,             /* per client */
    HTTP_HOST_CONNECTIONS_MAX = 64,               /* per host, unless the options say otherwise */
    HTTP_ORIGINS_MAX          = 4096,             /* whose connections a client counts */
    HTTP_URL_MAX              = 16 * 1024,        /* bytes */
    HTTP_PROXY_MAX            = 1024,             /* bytes of a proxy's URL */
    HTTP_HEADERS_SENT_MAX     = 128,              /* of one request */
    HTTP_HEADER_COUNT_MAX     = 256,              /* of one answer */
    HTTP_HEADERS_MAX          = 64 * 1024,        /* bytes of an answer's headers, by default */
    HTTP_BODY_SENT_MAX        = 32 * 1024 * 1024, /* bytes */
    HTTP_BODY_MAX             = 10 * 1024 * 1024, /* bytes of an answer, by default */
    HTTP_INFLATION_MAX        = 100,              /* decompressed bytes per received byte */
    HTTP_REDIRECTS_MAX        = 5,
    HTTP_POOLED_IDLE_S = 1, /* whole seconds, of a connection for what must not be repeated */

    HTTP_CONNECT_MS    = 5'000,
    HTTP_FIRST_BYTE_MS = 60'000,
    HTTP_IDLE_MS       = 30'000,
    HTTP_TOTAL_MS      = 600'000,
};

/** Prepares the library. In main(), once, before the first thread. */
status http_init(struct error *reterr);

/* --- Client ------------------------------------------------------------------------------------
 */

struct http_client_options {
    struct loop *loop;                 /* borrowed; outlives the client */
    const struct egress_rules *egress; /* borrowed; NULL: public addresses by https only */
    unsigned calls_max;                /* 0: HTTP_CALLS_MAX */
    unsigned host_connections_max;     /* 0: HTTP_HOST_CONNECTIONS_MAX */
    const char *user_agent;            /* NULL: "tutti/<version>" */
    const char *ca_file;               /* PEM; NULL: the system's authorities */
    /* NULL-terminated; "host:port=host:port": connections to the first go to the second, whose
     * address the egress rules must allow. Everything else, certificates too, stays as it was; what
     * a proxy connects to does as well. For tests. NULL: none. */
    const char *const *rewrites;
};

/** Owned: http_client_free(). Borrows `options` for the call only. Fails with UNAVAILABLE, or with
 * INVALID_ARGUMENT for a rewrite that is none. */
status http_client_new(const struct http_client_options *options, struct http_client **ret_client,
                       struct error *reterr);

/** Cancels what is under way and closes all connections. Not from a callback. NULL is fine. */
void http_client_free(struct http_client *client);
void http_client_freep(struct http_client **client);

/** Calls that were started and have not ended. */
unsigned http_client_calls(const struct http_client *client);

/* --- Request -----------------------------------------------------------------------------------
 */

struct http_header {
    str name;
    str value;
    bool is_secret; /* of a request: a credential; it never follows a redirect to another origin */
};

/** Milliseconds; 0 takes the default, negative is unlimited. Each has a failure of its own. */
struct http_timeouts {
    int64_t connect_ms;    /* name look-up, waiting for a free connection, TCP, TLS */
    int64_t first_byte_ms; /* from there, with sending, until the first byte of the answer */
    int64_t idle_ms;       /* between two pieces of the answer; does not run while paused */
    int64_t total_ms;      /* all of it, redirects included */
};

/** PEM texts; empty ones are not used. Connections with different ones are never shared. */
struct http_tls {
    str ca;   /* authorities instead of the system's */
    str cert; /* ours */
    str key;
};

struct http_request {
    str method;                        /* empty: GET, or POST if there is a body */
    str url;                           /* absolute; https, or http where the egress rules allow */
    const struct http_header *headers; /* at most HTTP_HEADERS_SENT_MAX */
    size_t header_count;
    bytes body; /* at most HTTP_BODY_SENT_MAX */
    struct http_timeouts timeouts;
    size_t headers_max;       /* bytes of the answer's headers; 0: HTTP_HEADERS_MAX */
    size_t body_max;          /* bytes of the answer, decompressed; 0: HTTP_BODY_MAX */
    unsigned redirects_max;   /* 0: a redirect is an answer like any other; see below */
    const char *const *hosts; /* NULL-terminated; where it may go, redirects too; NULL: anywhere */
    const struct http_tls *tls; /* NULL: as the client */
    str proxy;                  /* as http_proxy_check() takes it; empty: none */
    bool allow_private;         /* the egress rules' private addresses are allowed too */
    bool is_compressed;         /* ask for gzip; the answer arrives decompressed */
    bool is_stream;             /* small buffers: for many answers that trickle */
    bool is_repeatable;         /* twice is as good as once */
};

/** Says whether `url` is one of a proxy: http://[user:password@]host[:port], at most HTTP_PROXY_MAX
 * bytes. INVALID_ARGUMENT says what is wrong without quoting it: it may hold a password. */
status http_proxy_check(str url, struct error *reterr);

/** The password in a proxy's URL, decoded, in the arena; empty: none. `url` passed the check. */
str http_proxy_password(str url, struct arena *arena);

/*
 * Redirects: GET and HEAD follow 301, 302, 303, 307 and 308. Any other method follows 307 and 308
 * to the same origin only, and no body goes to another one, not even that of a GET; otherwise the
 * redirect is the answer. At another origin, headers that are `is_secret` or named Authorization,
 * Cookie or Proxy-Authorization are left out.
 */

/* --- Answer ------------------------------------------------------------------------------------
 */

enum http_failure {
    HTTP_NO_FAILURE,
    HTTP_REFUSED,         /* by the egress rules: PERMISSION_DENIED */
    HTTP_DNS,             /* UNAVAILABLE, as the next two */
    HTTP_CONNECT,         /* nobody listens, or the network says no */
    HTTP_TLS,             /* handshake or certificate */
    HTTP_TIMEOUT_CONNECT, /* DEADLINE_EXCEEDED, as the next three */
    HTTP_TIMEOUT_FIRST_BYTE,
    HTTP_TIMEOUT_IDLE,
    HTTP_TIMEOUT_TOTAL,
    HTTP_CUT,       /* the connection ended too early: UNAVAILABLE */
    HTTP_PROTOCOL,  /* not HTTP, or not what was announced: UNAVAILABLE */
    HTTP_TOO_LARGE, /* headers, body or inflation: RESOURCE_EXHAUSTED */
    HTTP_REDIRECTS, /* too many, or to nowhere: FAILED_PRECONDITION */
    HTTP_STOPPED,   /* on_headers or on_data said so: CANCELLED */
    HTTP_FAILURE_COUNT,
};

/** "timeout_idle": for metric labels and logs; static. */
const char *http_failure_name(enum http_failure failure);

/** What has arrived so far; a view for the callback that gets it. */
struct http_answer {
    int http_status; /* 0: none has arrived */
    const struct http_header *headers;
    size_t header_count;
    str url; /* where it came from, after redirects */
};

/** The value of the first header of that name, in any case; false if there is none. */
bool http_answer_header(const struct http_answer *answer, const char *name, str *ret_value);

struct http_result {
    status code;               /* OK: the answer is complete, whatever its HTTP status */
    enum http_failure failure; /* HTTP_NO_FAILURE exactly if `code` is OK */
    bool was_sent;             /* the request, or a part of it, may have reached the peer */
    bool is_reused;            /* it went over a connection that was there */
    struct http_answer answer; /* what arrived of it, also after a failure */
    str body;                  /* empty if there is on_data */
    uint64_t body_bytes;       /* decompressed */
    int64_t connect_ms, first_byte_ms, total_ms; /* durations; -1: did not come to it */
    struct error error; /* why it failed; names the origin, never path, query or header */
};

enum http_flow {
    HTTP_GO_ON,
    HTTP_PAUSE, /* on_data: this piece was not taken; it comes again after http_call_resume() */
    HTTP_STOP,  /* ends the call with HTTP_STOPPED */
};

struct http_handlers {
    /* Optional: the headers of the final answer are complete. May not pause. */
    enum http_flow (*on_headers)(const struct http_answer *answer, void *context);
    /* Optional: a piece of the body, which may have any length. Without it the body is collected.
     */
    enum http_flow (*on_data)(str data, void *context);
    /* Exactly once, last; the call is gone when it returns. */
    void (*on_done)(const struct http_result *result, void *context);
    void *context;
};

/* --- Calls -------------------------------------------------------------------------------------
 */

/**
 * Starts a call. Copies what `request` and `handlers` point to. `*ret_call` (may be NULL) is valid
 * until on_done returns or it is cancelled.
 *
 * Fails, without any callback, with INVALID_ARGUMENT (URL, method, header), PERMISSION_DENIED (the
 * egress rules, as far as the URL tells) or RESOURCE_EXHAUSTED (`calls_max`, sizes).
 */
status http_call_start(struct http_client *client, const struct http_request *request,
                       const struct http_handlers *handlers, struct http_call **ret_call,
                       struct error *reterr);

/** Where to add what on_data is going to look at, which is fetched in time where thousands of
 * answers arrive. For on_headers and on_data, not to be kept. NULL: it would be of no use. */
struct loop_ahead *http_call_ahead(struct http_call *call);

/** Goes on after HTTP_PAUSE, from the loop. Does nothing if it is not paused. Not from this call's
 * own callbacks. */
void http_call_resume(struct http_call *call);

/** When its request began to go out, on loop_now_ms(); -1: it has not. */
int64_t http_call_sent_ms(const struct http_call *call);

/** Ends a call without on_done; the peer sees its connection close within milliseconds (HTTP/2: its
 * stream reset). Allowed in its callbacks, on_done excepted. */
void http_call_cancel(struct http_call *call);

#endif
