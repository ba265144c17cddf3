/* httpd_internal: the parsers and encoders of the server, free of sockets, clocks and threads. */
#ifndef HTTPD_HTTPD_INTERNAL_H
#define HTTPD_HTTPD_INTERNAL_H

#include "framing/chunks.h"
#include "framing/fields.h"
#include "httpd/httpd.h"

#include <stdatomic.h>

/* --- head ------------------------------------------------------------------------------------- */

/** A parsed head; its texts are views of the bytes it was parsed from. */
struct head {
    str raw;
    str method;
    str target;
    unsigned minor;
    struct httpd_field fields[HTTPD_FIELDS_MAX];
    size_t field_count;
    int64_t content_length; /* bytes; -1: not announced */
    bool is_chunked;
    bool is_expecting; /* 100-continue */
    bool is_kept_alive;
};

enum head_scan { HEAD_MORE, HEAD_COMPLETE, HEAD_BAD };

/** Looks for the end of a head in what has arrived so far. `*scanned` starts at 0 and remembers
 * what need not be looked at again. */
enum head_scan head_scan(str input, size_t *scanned, size_t *ret_len,
                         struct httpd_refusal *ret_refusal);

/** Parses a complete head, as strictly as RFC 9110 and 9112 allow and a little more. */
bool head_parse(str raw, struct head *ret_head, struct httpd_refusal *ret_refusal);

/* --- requests --------------------------------------------------------------------------------- */

/** Bytes of bodies in memory. Counted, because requests may outlive the server. */
struct httpd_budget {
    atomic_size_t used;
    size_t max;
    atomic_uint refs;
};

struct httpd_budget *budget_new(size_t max);
void budget_unref(struct httpd_budget *budget);

/** Makes a request of a head. Fails with `ret_refusal` if its target is none. Owned. */
struct httpd_request *request_new(const struct head *head, const char *peer,
                                  struct httpd_budget *budget, struct httpd_refusal *ret_refusal);

/** Appends to the body; false if the budget is used up. The caller has checked the limit. */
bool request_add_body(struct httpd_request *request, str data);

/** Decodes into `out` (as large as `text`); returns the length, or -1 if an escape is broken. */
int64_t percent_decode(str text, bool plus_is_space, char *out);

/* --- answers ---------------------------------------------------------------------------------- */

struct httpd_buffer {
    atomic_uint refs;
    size_t text_start; /* bytes of the chunk's size line before the text */
    size_t text_len;
    size_t size; /* bytes of `data`: size line, text, CRLF */
    char data[];
};

/** `size` bytes without framing, to be filled. */
struct httpd_buffer *buffer_raw(size_t size);

/** An answer: `buffer` holds the head without its last lines, then the body. */
struct answer {
    int http_status;
    struct httpd_buffer *buffer;
    size_t head_len;
    bool needs_client;
};

/** Encodes an answer, with a Content-Length unless it is a stream or has no body by its status. */
struct answer answer_encode(const struct httpd_response *response, bool is_stream);

/** Encodes an answer of the server itself. */
struct answer answer_refusal(const struct httpd_refusal *refusal, str body);

static inline bool status_has_body(int http_status)
{
    return http_status >= 200 && http_status != 204 && http_status != 304;
}

#endif
