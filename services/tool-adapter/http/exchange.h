/**
 * exchange: one request of an adapter and its answer, by HTTP or by an engine.
 *
 * It writes the request with the connection's secrets, sends it past the egress guard, and reads
 * the answer as {status, headers, body}: JSON where it says so, else text. What the answer means is
 * outcome.h's matter. A request of which nothing has left is sent once more on a new connection.
 *
 * An origin other than that of `base_url` needs to be among the connection's `hosts`; the guard's
 * private addresses need its `allow_private` as well. A file in the answer is {base64, mime, size},
 * or is kept as a stored file if that is asked for: {file, name, mime, size, sha256}.
 *
 * It waits for the limits of its connection (admission.h).
 *
 * A request with `auth: oauth2` waits for its token; if the service refuses that (401), it is sent
 * once more with another one.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_EXCHANGE_H
#define TOOL_ADAPTER_EXCHANGE_H

#include "adapter/outgoing.h"
#include "http/http.h"
#include "tool-adapter/connections/connection.h"
#include "tool-adapter/connections/engine.h"
#include "tool-adapter/files/file_upload.h"

struct exchange;
struct call_cache;
struct embed_desk;
struct shared_limits;

/** Who carries it out; borrowed by all that is under way. */
struct exchange_means {
    struct http_client *http;
    struct loop *loop;
    const struct engine *engines; /* ends with one whose start is NULL */
    const uint8_t *audit_key;     /* as of struct writes_of */
    struct call_cache *cache;     /* of tool_call.h; NULL: outputs are not kept */
    struct embed_desk *embedding; /* of embed_params.h; NULL: no texts can be embedded */
    struct file_desk *files;      /* NULL: there are no stored files */
    struct shared_limits *limits; /* NULL: those of this process hold alone */
    struct tokens *tokens;        /* of `auth: oauth2`; NULL: none can be fetched */
};

/** All borrowed until `done` or cancel. */
struct exchange_request {
    const struct manifest_action *action;
    const struct manifest_step *step;
    const struct connection *connection;
    json scope;
    struct page page;
    str base_url;
    str namespace, idempotency_key, traceparent;
    struct engine_payer payer;
    const struct file_set *files;        /* that the arguments name; NULL: none */
    const struct file_keep *keep;        /* how a file in the answer is kept; NULL: it is not */
    json progress;                       /* as of engine.h; a view */
    const struct onlooker *onlooker;     /* as of engine.h */
    const struct respondent *respondent; /* likewise */
    json validators;   /* it asks by them (validators.h); JSON_INVALID: it does not */
    int64_t until_ms;  /* when it must be over, on clock_mono_ms() */
    bool is_under_way; /* others of the call have been answered: it waits for limits */
    struct arena *arena;
};

struct exchange_result {
    status code;        /* OK: `response` holds */
    bool was_sent;      /* of a failure: the other side may have acted */
    json response;      /* {status, headers, body}; a view for the callback */
    struct error error; /* without paths, queries, values */
    int64_t wait_ms; /* RESOURCE_EXHAUSTED by the connection's own limits: until there is a place */
    const Pb__Usage *usage; /* as of engine.h; NULL: nothing */
    str method, url;        /* of the request, in the arena; empty: it was not HTTP */
    size_t sent_bytes;      /* of its body */
};

struct exchange_handlers {
    void (*progress)(json progress, void *context); /* as of engine.h */
    /* Exactly once, unless cancelled, never from inside exchange_start(); the exchange is gone. */
    void (*done)(const struct exchange_result *result, void *context);
    void *context;
};

/** INVALID_ARGUMENT, FAILED_PRECONDITION, UNIMPLEMENTED, PERMISSION_DENIED, RESOURCE_EXHAUSTED,
 * DEADLINE_EXCEEDED (no time is left): nothing was sent, and `done` does not come. */
status exchange_start(const struct exchange_means *means, const struct exchange_request *request,
                      const struct exchange_handlers *handlers, struct exchange **ret_exchange,
                      struct error *reterr);
/** What has left of one under way: method, address, size, and `was_sent`, which an engine's always
 * is, since nobody sees what it does. Views. */
struct exchange_result exchange_sent(const struct exchange *exchange);
void exchange_cancel(struct exchange *exchange);

#endif
