/**
 * smtp: hands one mail to a server (RFC 5321), by libcurl; blocks until that is done.
 *
 * The egress rules count as for http: every address is checked when it is dialled, and without TLS
 * only hosts of `egress.http_hosts` are spoken to. A server that offers no STARTTLS where it was
 * asked for is no server. Every mail has a connection of its own; nothing is tried again. If one
 * recipient is refused, nobody gets the mail.
 *
 * Threads: any; a call blocks, so it belongs on a work_pool.
 */
#ifndef HTTP_SMTP_H
#define HTTP_SMTP_H

#include "base/status.h"
#include "base/str.h"
#include "http/egress.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SMTP_RECIPIENTS_MAX = 300,
    SMTP_REPLY_SIZE     = 512, /* bytes of a line (RFC 5321 section 4.5.3.1.5), with the NUL */
};

enum smtp_security {
    SMTP_STARTTLS,
    SMTP_IMPLICIT, /* TLS from the first byte */
    SMTP_PLAIN,
};

/** All borrowed for the call; texts end with a NUL and have no line breaks. */
struct smtp_request {
    const char *host;
    uint16_t port;
    enum smtp_security security;
    const char *user, *password; /* NULL: nobody logs in */
    const char *name;            /* of this machine in EHLO, a domain */
    const char *from; /* the envelope's; NULL: no mail, only a look whether it would do */
    const char *const *to;
    size_t to_count;
    str message; /* headers and body, with CR LF */
    const struct egress_rules *egress;
    bool allow_private;
    const char *ca_file; /* NULL: the system's authorities */
    int64_t connect_ms, total_ms;
    const atomic_bool *is_cancelled; /* NULL: it cannot be */
};

struct smtp_result {
    int reply;     /* the last one's code; 0: there was none */
    bool was_sent; /* all of the mail went out: without a reply nobody knows whether it was taken */
    char text[SMTP_REPLY_SIZE]; /* the last line of the reply, without control characters */
};

/**
 * OK: the server has answered, whatever it said: `reply` is 2xx if it took the mail.
 * PERMISSION_DENIED: the egress rules, nothing was sent. UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED:
 * no answer; `was_sent` says whether the mail may have been taken. INVALID_ARGUMENT: the request.
 */
status smtp_perform(const struct smtp_request *request, struct smtp_result *ret_result,
                    struct error *reterr);

#endif
