/**
 * message: requests as handlers see them, responses as they give them.
 *
 * A request is one block of memory of its own. It refers to no connection, so it may travel to
 * another thread and outlive its client. Whoever holds it frees it.
 */
#ifndef HTTPD_MESSAGE_H
#define HTTPD_MESSAGE_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTPD_HEAD_MAX   = 16 << 10, /* bytes of request line and fields, the empty line included */
    HTTPD_FIELDS_MAX = 100,
    HTTPD_TARGET_MAX = 8 << 10, /* bytes */
    HTTPD_PEER_SIZE  = 48,      /* bytes: an IPv6 address with its NUL */
};

struct httpd_field {
    str name; /* in a request: as the client spelt it; compare without case */
    str value;
};

struct httpd_budget;

/** Read only for its holder; all views live as long as the request. */
struct httpd_request {
    str method;   /* "GET": any token, in the client's case */
    str target;   /* as sent: "/v1/runs?status=active" */
    str path;     /* percent-decoded once: valid UTF-8 without control characters; starts with "/",
                     or is "*" (OPTIONS only). Not normalised: ".." and "//" are as sent */
    str raw_path; /* the path of `target` as sent, for segments that may hold %2F */
    str query;    /* without "?", not decoded: httpd_query_next() */
    unsigned minor;             /* HTTP/1.`minor`: 0 or 1 */
    bool has_body;              /* announced; its length may be 0 */
    char peer[HTTPD_PEER_SIZE]; /* address of the other end of the connection */
    const struct httpd_field *fields;
    size_t field_count;
    struct buf body;             /* whole, chunks joined; buf_str() */
    struct httpd_budget *budget; /* the server's, which it may outlive */
    size_t charged;              /* bytes of `body` counted in the budget */
};

/** A request that no client has sent, for programs that ask themselves. Copies all of its texts.
 * Owned: httpd_request_free(). */
struct httpd_request *httpd_request_make(const char *method, str path, str query,
                                         const struct httpd_field *fields, size_t field_count,
                                         str body);

/** Frees the request and gives its bytes back to the server's budget. Any thread. NULL is fine. */
void httpd_request_free(struct httpd_request *request);
void httpd_request_freep(struct httpd_request **request);

/** The value of the first field `name` (any case), or .ptr == NULL. */
str httpd_request_field(const struct httpd_request *request, const char *name);

/** Walks the parameters of a query; start with `*cursor` = 0. Both texts are still encoded. */
bool httpd_query_next(str query, size_t *cursor, str *ret_name, str *ret_value);

/** Appends `text` with %XX decoded, and "+" as a space if `plus_is_space`. False if an escape is
 * broken, the result is no UTF-8, holds a NUL, or does not fit. */
bool httpd_decode(str text, bool plus_is_space, struct buf *buf);

/** Text of a status code: "Not Found". Never NULL. */
const char *httpd_reason(int http_status);

/**
 * An answer in one piece. Everything is copied. Content-Length, Date and Connection are the
 * server's; a field of these names is a bug of the caller. Values that hold CR, LF or NUL turn the
 * answer into a 500: they came from outside and must not make another field.
 */
struct httpd_response {
    int http_status; /* 200 to 599; 204 and 304 have no body */
    const struct httpd_field *fields;
    size_t field_count;
    str body;          /* not sent to HEAD, but counted in Content-Length */
    bool needs_client; /* hands something over: not sent, and end() tells CLIENT_GONE, if the client
                          has closed meanwhile. Costs a system call */
};

/**
 * Bytes of a stream, encoded once and shared by all connections they go to: the text of an SSE
 * event for example, with the framing of a chunk around it.
 */
struct httpd_buffer;

/** Copies `text`, which is not empty. One reference, the caller's. */
struct httpd_buffer *httpd_buffer_new(str text);

/** Any thread. */
struct httpd_buffer *httpd_buffer_ref(struct httpd_buffer *buffer);
void httpd_buffer_unref(struct httpd_buffer *buffer); /* NULL is fine */
void httpd_buffer_unrefp(struct httpd_buffer **buffer);

#endif
