/*
 * What the files of the client share; the only header that knows libcurl.
 *
 *   client.c    the multi handle on the loop: sockets, timer, order of work
 *   call.c      the life of a call: start, timeouts, redirects, end
 *   request.c   checks and copies what was asked for
 *   answer.c    headers as they arrive
 *   intake.c    limits and handlers, for what arrives
 *   proxied.c   the proxy that a call leaves by, and what it may be asked for
 *
 * and of the two transports, libcurl and our own for plain HTTP/1.1 (plain_internal.h):
 *
 *   transfer.c  one libcurl handle: options and callbacks
 *   origins.c   who has an idle connection of libcurl's
 *   plain*.c    connections of our own
 *   inflation.c gzip, for them
 *
 * libcurl calls back from inside its own functions, where its handles must not be added, removed or
 * resumed, and so does the other transport from the middle of what it has read. So `client->depth`
 * says whether we are inside, and what is asked for there is done by client.c afterwards.
 */
#ifndef HTTP_HTTP_INTERNAL_H
#define HTTP_HTTP_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "http/http.h"
#include "http/plain_names.h"
#include "http/url.h"

#include <curl/curl.h>

enum { ANSWER_REDIRECT_BODY_MAX = 64 * 1024 /* bytes of a redirect's body worth reading */ };

enum { REWRITE_SIZE = 600 /* bytes: two names with their ports */ };

enum { SPARE_EASIES_MAX = 64 }; /* handles that wait for the next call: about 5 KB each */

/* What of a handle stays as it is when another call uses it: options that are set once. */
struct easy_shape {
    bool is_https, is_stream, is_compressed, is_repeatable;
};

struct spare_easy {
    CURL *easy; /* owned */
    struct easy_shape shape;
};

struct http_client {
    struct loop *loop;
    const struct egress_rules *egress;
    unsigned calls_max;
    char *user_agent; /* owned, as the next */
    char *ca_file;
    struct curl_slist *rewrites; /* owned; as CURLOPT_CONNECT_TO takes them */
    CURLM *multi;
    struct spare_easy spares[SPARE_EASIES_MAX];
    unsigned spare_count;
    unsigned depth;      /* functions that call handlers and that we are inside of */
    struct names *names; /* owned */
    struct plain *plain; /* owned; NULL: all goes by libcurl, as some tests want it */

    struct loop_timer curl_timer; /* libcurl's wish to be called later */
    bool is_curl_due;             /* the same, now */
    bool is_working;              /* client.c looks at all of this anyway */
    struct loop_notice notice;    /* there is work; or, where that does not do: */
    struct loop_timer work_timer;
    struct http_call *calls; /* all of them */
    unsigned call_count;
    struct http_call *unsettled, *unsettled_last; /* in the order of asking */
    unsigned unsettled_count;

    struct watched **watched; /* by descriptor; entries may be NULL */
    size_t watched_size;

    unsigned host_connections_max;
    struct map *origins;     /* "http://host:port" -> struct origin; origins.c */
    struct origin **sockets; /* by descriptor; entries may be NULL */
    size_t sockets_size;
};

/* Where a call leaves by; in the call's arena. */
struct proxy {
    const char *url;             /* without user and password */
    const char *user, *password; /* NULL: none */
};

/* What of a request must live as long as the call, in its arena; headers, body and TLS texts until
 * the answer has begun. */
struct request {
    size_t body_max;
    bool has_tls, allow_private, is_compressed, is_stream, is_repeatable;
    str method;
    str url; /* of the current hop; NUL-terminated */
    struct url target;
    struct http_header *headers;
    size_t header_count;
    bytes body;
    struct http_timeouts timeouts; /* no zeros left; unlimited is INT64_MAX */
    size_t headers_max;
    unsigned redirects_max;
    const char *const *hosts;
    struct http_tls tls;
    const struct proxy *proxy; /* NULL: none */
};

/* The answer of one hop, as it arrives. */
struct answer {
    int http_status;
    bool is_complete; /* the headers are */
    struct buf text;  /* header lines */
    size_t header_bytes;
    struct http_header *headers; /* owned; views of `text`, once complete */
    size_t header_count;
};

enum phase {
    CALL_QUEUED,     /* not yet given to libcurl */
    CALL_CONNECTING, /* look-up, waiting for a connection, TCP, TLS */
    CALL_SENDING,    /* connected; no byte of the answer yet */
    CALL_RECEIVING,
    CALL_ENDED, /* on_done runs */
};

/* What of a call is libcurl's while it has it. */
struct transfer {
    CURL *easy;
    struct easy_shape shape; /* of `easy` */
    bool is_common;          /* another call may use it afterwards, */
    bool is_settled;         /* if its transfer ended well */
    struct curl_slist *sent_headers;
    struct origin *origin; /* NULL: nobody counts there */
    unsigned sends;        /* of this hop: how often libcurl was about to send the request */
    char curl_error[CURL_ERROR_SIZE];
};

struct http_call {
    /* First what each piece of a body looks at: of thousands that wait, nothing is in a cache. */
    struct http_client *client;
    struct http_handlers handlers;
    int64_t active_ms; /* the last piece came */
    uint64_t body_bytes;
    char *redirect_url; /* in the arena: where to go when this hop ends */
    enum phase phase;
    enum http_failure failure;
    bool is_cancelled, is_unsettled; /* to be done when we are out of libcurl; see below */
    bool is_paused;
    bool in_handler; /* in on_headers or on_data */
    struct request request;

    struct http_call *prev, *next; /* in client->calls */
    struct arena *arena;
    struct arena *sent;        /* what goes out; NULL: it has, and is not sent again */
    struct transfer *transfer; /* owned; NULL: it is not libcurl's */
    struct plain_call *plain;  /* owned; NULL: it is not the other transport's */
    struct proxied *proxied;   /* owned; NULL: nothing is asked before it goes to a proxy */
    struct loop_timer timer;
    int64_t started_ms, hop_ms, connected_ms, first_byte_ms; /* -1: not yet */
    unsigned redirects;

    struct answer answer;
    struct buf body;
    bool was_sent, is_reused;
    bool is_refused;                     /* the egress rules refused an address */
    char reason[EGRESS_REASON_MAX + 16]; /* more about the failure; may be empty */
    struct http_call *unsettled_prev, *unsettled_next;
};

/* client.c */
/* A socket was opened: if the one before with its number was watched, it is closed by now. */
void client_opened(struct http_client *client, curl_socket_t fd);
/* A socket is about to be closed. */
void client_closing(struct http_client *client, curl_socket_t fd);
void client_enter(struct http_client *client);
void client_leave(struct http_client *client);
void client_unsettle(struct http_call *call); /* begins, resumes or frees it soon */
void client_forget_unsettled(struct http_call *call);

/* All goes by libcurl from now on, also what the other transport could do: for tests of that way.
 */
void http_client_use_curl(struct http_client *client);

/* call.c */
void call_begin_hop(struct http_call *call);
/* libcurl takes the hop; false: it cannot. */
bool call_begin_curl(struct http_call *call);
/* Its request is about to go out over a connection that stands. */
void call_goes_out(struct http_call *call);
void call_finish(struct http_call *call); /* as `failure` says */
void call_resume(struct http_call *call);
void call_free(struct http_call *call); /* without on_done; not inside a transport */
void call_arm(struct http_call *call);  /* sets the timer to the next timeout */

/* transfer.c */
bool transfer_start(struct http_call *call);
void transfer_stop(struct http_call *call);
bool transfer_resume(struct http_call *call); /* false: it has ended */
/* Sets what call_finish() needs to know. */
void transfer_ended(struct http_call *call, CURLcode curl_code);
void transfer_free_spares(struct http_client *client);

/* request.c */
status request_copy(struct http_call *call, const struct http_request *from, struct error *reterr);
/* Checks scheme, host and rules of where a hop goes. */
status request_check_target(const struct http_call *call, const struct url *target,
                            struct error *reterr);
/* Asks the egress rules about an address of the target; NULL: it is of no known kind. */
bool request_allows(struct http_call *call, const struct egress_address *address);
/* About one that is dialled: of the target, or of the proxy. */
bool request_may_dial(struct http_call *call, const struct egress_address *address);
bool request_is_repeatable(const struct request *request);
bool request_has_body(const struct request *request); /* maybe one of no bytes */
/* It has gone out, and nobody will ask for it again: headers, body and TLS texts are freed. */
void request_let_go(struct http_call *call);
/* Where the answer redirects to and whether to follow: sets `redirect_url` or `failure`. */
void request_follow(struct http_call *call);

/* proxied.c */
/* Empty: `*ret_proxy` is NULL. */
status proxy_read(str url, struct arena *arena, const struct proxy **ret_proxy,
                  struct error *reterr);
/* Looks the target up, and goes on if it is allowed; false: the call is to end. */
bool proxied_start(struct http_call *call);
void proxied_stop(struct http_call *call);

/* origins.c */
/* A call begins and ends its stay with libcurl. */
void origin_enter(struct http_call *call);
void origin_leave(struct http_call *call);
/* Its connection was opened; whichever one of the client was closed. */
void origin_opened(const struct http_call *call, curl_socket_t fd);
void origin_closed(struct http_client *client, curl_socket_t fd);
/* All connections to where it goes are in use, and there may be one more. */
bool origin_is_busy(const struct http_call *call);
void origins_done(struct http_client *client);

/* intake.c */
void intake_note(struct http_call *call); /* something has come */
/* Takes a header line with its end; false: the call is to end. */
bool intake_line(struct http_call *call, str line);
enum intake { INTAKE_TAKEN, INTAKE_PAUSED, INTAKE_ENDS };
/* Takes a piece of the body; if the call is paused, it is to come again. */
enum intake intake_body(struct http_call *call, str data);

/* answer.c */
void answer_reset(struct answer *answer, size_t headers_max);
void answer_clear(struct answer *answer);
/* Takes a header line with its end; false if the headers are too large. */
bool answer_line(struct answer *answer, str line);
struct http_answer answer_view(const struct http_call *call);

#endif
