/**
 * outgoing: the request of one step, as it would leave: method, URL, headers, body.
 *
 * Pure: nothing is sent. The secrets come from a source that the caller gives, so a dry run shows
 * `***` in their place. A path's `{name}` is one encoded segment, `{+name}` keeps its slashes. A
 * `url` is a whole address, or what follows `base_url` if it begins with a slash. In a
 * query numbers and booleans become text and a list repeats its key; in a form maps and lists nest
 * as `a[b]`. Credentials go to the origin of `base_url` only.
 */
#ifndef ADAPTER_OUTGOING_H
#define ADAPTER_OUTGOING_H

#include "adapter/scope.h"

enum {
    OUTGOING_HEADERS_MAX = 64,
    OUTGOING_URL_MAX     = 16 << 10, /* bytes */
    OUTGOING_BODY_MAX    = 8 << 20,  /* bytes */
};

struct outgoing_header {
    str name, value;
};

struct outgoing {
    const char *method;
    str url;
    struct outgoing_header headers[OUTGOING_HEADERS_MAX];
    size_t header_count;
    str body;            /* empty: none */
    bool has_secret_url; /* the URL must not be logged */
    const char *blob;    /* parameter whose bytes are the body; NULL: `body` is */
};

/** Where pages are: the first one is zeroed. */
struct page {
    bool is_further;
    json mark; /* cursor, offset or number; a view */
    str url;   /* of kinds whose next page is an address */
};

/** A token that is used until a minute before its end. Zeroed at first; one per connection. */
struct kept_token {
    char *text; /* owned */
    int64_t ends_us;
};
void kept_token_done(struct kept_token *token);

/** What a request is made of; all borrowed. */
struct outgoing_source {
    const struct manifest_action *action;
    const struct manifest_step *step; /* of the action */
    json scope;
    struct page page;
    const struct secret_source *secrets; /* NULL: there are none */
    struct arena *arena;
    int64_t now_us;          /* when it leaves, for signatures; 0: when the job was made */
    str blob;                /* the bytes of `body_blob`, which signatures cover */
    str access_token;        /* of `oauth2`: who sends has fetched it; empty: none yet */
    struct kept_token *kept; /* of `jwt`; NULL: a fresh one every time */
    const char *connection;  /* its name, for errors; NULL: it is not known */
};

/**
 * Writes the request of a step; all of `ret_outgoing` lives as long as the arena. INVALID_ARGUMENT
 * (an expression fails, a path's variable is missing, a text that is none), FAILED_PRECONDITION (a
 * secret, or a setting that `base_url` is made of, is not set), UNIMPLEMENTED (an engine that makes
 * no HTTP requests), RESOURCE_EXHAUSTED.
 */
status outgoing_render(const struct outgoing_source *source, struct outgoing *ret_outgoing,
                       struct error *reterr);

/** Sets a header, in place of one of that name in any case. RESOURCE_EXHAUSTED beyond the limit,
 * INVALID_ARGUMENT for line breaks, a name that is none, and names that are the client's own (Host,
 * Content-Length, Transfer-Encoding, Connection). */
status outgoing_add_header(struct outgoing *outgoing, const char *name, str value,
                           struct error *reterr);

#endif
