/**
 * rpc: protobuf calls over NNG request/reply, with gRPC statuses and deadlines. The server's side.
 *
 * Calls of one class that wait for the same endpoint (and, for commits, the same partition) travel
 * as one batch. The server hands them to their handlers in a row and sends their replies together,
 * when the last one is there, which is why no handler may wait: a batch of calls is to become one
 * commit.
 *
 * What a request may not contain is refused before a handler sees it: strings with NUL or invalid
 * UTF-8, nesting above 32, over 100,000 fields, over 18 MiB.
 *
 * Threads: handlers run on library threads, several at once; hooks likewise. Health (health.proto)
 * and cancellation (rpc.proto) are answered by the server itself.
 */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include "base/arena.h"
#include "base/status.h"
#include "rpc/contract.h"
#include "rpc/security.h"

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

enum {
    RPC_MESSAGE_SIZE_MAX   = 18 << 20, /* bytes; LLM bodies may have 16 MiB */
    RPC_PARKED_MAX         = 8'192,    /* long calls open at a server */
    RPC_ENDPOINT_MAX       = 512,      /* bytes of an endpoint's text */
    RPC_TIMEOUT_MS_DEFAULT = 5'000,
    RPC_LONG_SLACK_MS      = 5'000, /* a long call's deadline: its wait and this */
    RPC_DRAIN_MS_DEFAULT   = 5'000,
};

/** Who calls. All of it is opaque to common/rpc. */
struct rpc_caller {
    str service; /* proven by the token; empty where none is demanded */
    str key_id;  /* of the API key behind the call; empty: the service itself */
    str roles;   /* of that key, separated by commas */
};

/** What a call is to an audit log; opaque to common/rpc. All empty: nothing to record. */
struct rpc_deed {
    str action;
    str resource;
    str address;  /* of whoever is behind the caller */
    str asked_as; /* the id by which they know the request */
};

/** One call, as its handler sees it. All of it is valid until rpc_reply(). */
struct rpc_call {
    void *context;       /* what the service was started with */
    const void *request; /* of the method's input type; its text is valid UTF-8 without NUL */
    void *response;      /* of the method's output type, initialised; the handler fills it in */
    struct arena *arena; /* for whatever the handler needs; holds the request as well */
    uint64_t id;         /* of this process alone: names the call also after it is gone */
    uint16_t partition;
    str request_id; /* of the caller; the same one must have the same effect only once */
    str namespace;
    str traceparent;
    str moved_key; /* of the MOVED answer that the caller followed to us; usually empty */
    struct rpc_caller caller;
    struct rpc_deed deed;
    int64_t deadline_ms; /* on clock_mono_ms(); no work may start after it */

    /** One pointer per received batch, shared by its calls and NULL at first: here handlers collect
     * what rpc_hooks.batch_end then hands over in one go. Only within handle(). */
    void **staged;

    /* Set before failing: they travel with the error. */
    int64_t retry_after_ms; /* 0: not said */
    bytes details_json;     /* borrowed until rpc_reply(): findings, opaque to everybody between */

    /* Set before answering: as the same request id was answered before; nothing was done. */
    bool is_replayed;
};

/** A wrong owner's answer, which the client follows by itself. */
struct rpc_moved {
    uint16_t partition; /* where the call belongs */
    uint32_t epoch;     /* of that owner; an older one never replaces a newer one */
    str owner;          /* its endpoint (rpc_client.h); empty: as the client's list says */
    str key;            /* comes back as rpc_call.moved_key; usually empty */
};

struct rpc_method {
    const char *name; /* as in the .proto file: "Start". Its class: contract.h */

    /**
     * Handles one call without waiting. OK means that rpc_reply() was or will be
     * called, once, on any thread; else the server replies with the status and `reterr`.
     */
    status (*handle)(struct rpc_call *call, struct error *reterr);

    /**
     * Optional, for calls that stay open: the caller gave up, is gone, or the server drains. Asks
     * the service to reply soon (CANCELLED is usual). Any thread, at most once, never after
     * rpc_reply() returned, but perhaps at the same time: `call` may be read until this returns.
     */
    void (*cancel)(struct rpc_call *call);
};

struct rpc_service {
    const ProtobufCServiceDescriptor *descriptor; /* generated: the methods and their types */
    const struct rpc_method *methods; /* ends with a NULL name; one left out is UNIMPLEMENTED */
    void *context;                    /* borrowed; handed to every call */
};

/** Packs and queues the response (OK) or `code` and `error`. Takes `call`. Any thread. */
void rpc_reply(struct rpc_call *call, status code, const struct error *error);

/** Sends the caller to another owner. Takes `call`. Any thread. */
void rpc_reply_moved(struct rpc_call *call, const struct rpc_moved *moved);

/**
 * For who answers many calls in a row: messages that are complete with what this thread answers
 * between the two leave with the second, from one of the library's threads if that is worth it.
 * Neither waits. In between this thread must not wait for anything.
 */
void rpc_replies_hold(void);
void rpc_replies_release(void);

/** An answer as it travels: what rpc_hooks.remember keeps and recall brings back. */
struct rpc_kept_answer {
    uint32_t code; /* a status */
    bytes metadata;
    bytes body;
};

struct rpc_health_state {
    bool is_live;
    bool is_started;
    bool is_ready;
    const char *detail; /* static: why it is not ready; NULL if it is */
};

/** One finished call, for metrics and traces. Valid during the hook. */
struct rpc_observation {
    const char *service;
    const char *method;
    status code;
    int64_t duration_us; /* server: from dispatch to reply; client: from call to answer */
    str traceparent;
    size_t request_size;  /* bytes */
    size_t response_size; /* bytes */
};

/** What a server asks the process it serves. Each may be NULL; any thread; none may wait. */
struct rpc_hooks {
    void *context; /* handed to each, last */

    /** Says whether we own `partition`; sets epoch, and if not the rest. What `ret_owner` points
     * to lives as long as the server. NULL: everything is ours, epoch 0. */
    bool (*owns)(uint16_t partition, struct rpc_moved *ret_owner, void *context);

    /** All calls of a batch have been handed to their handlers; once per batch in which `staged`
     * was set. */
    void (*batch_end)(uint16_t partition, void *staged, void *context);

    /** Returns how many more calls the partition's mailbox takes now; the clients then send no
     * larger batches. NULL: no limit. 0 refuses what comes with RESOURCE_EXHAUSTED. */
    uint32_t (*window)(uint16_t partition, void *context);

    /** A commit call with a request id: was it answered before? True: that answer is sent and the
     * handler not run; the bytes live in call->arena. */
    bool (*recall)(struct rpc_call *call, struct rpc_kept_answer *ret_answer, void *context);

    /** A commit call with a request id has been answered. Views are valid during the hook. */
    void (*remember)(const struct rpc_call *call, const struct rpc_kept_answer *answer,
                     void *context);

    /** NULL: live, started and ready. */
    struct rpc_health_state (*health)(void *context);

    void (*observe)(const struct rpc_observation *observation, void *context);
};

struct rpc_threads;

struct rpc_server_options {
    const char *url;      /* tcp:// tls+tcp:// ipc:// abstract:// inproc://; port 0: any */
    const char *long_url; /* of long calls; NULL: rpc_long_url() of `url` */
    const struct rpc_service *services;          /* ends with a NULL descriptor */
    const struct rpc_contract_service *contract; /* NULL: rpc_contract */
    struct rpc_identity identity;
    struct rpc_tls tls;
    struct rpc_hooks hooks;
    struct rpc_threads *threads; /* rpc_threads.h; woken by slow handlers; may be NULL */
    int64_t drain_ms; /* how long stopping waits for open calls; 0: RPC_DRAIN_MS_DEFAULT */
};

struct rpc_server;

/**
 * Listens and serves. Owned: rpc_server_stopp(). Options are borrowed during the call, services
 * and their contexts until the stop.
 *
 * INVALID_ARGUMENT: an url, service or identity that cannot be; FAILED_PRECONDITION: a service
 * that the contract does not know, TCP without a secret, unreadable TLS files; UNAVAILABLE: the
 * address cannot be listened on.
 */
status rpc_server_start(const struct rpc_server_options *options, struct rpc_server **ret_server,
                        struct error *reterr);

/** From now on new calls get UNAVAILABLE with code "draining", and parked ones are cancelled. */
void rpc_server_drain(struct rpc_server *server);

/** Drains, waits for open calls until drain_ms, answers the rest with UNAVAILABLE, frees. The
 * replies of handlers that are later still are ignored. NULL is fine. */
void rpc_server_stopp(struct rpc_server **server);

/** Where it listens, with the real port; live as long as the server. */
const char *rpc_server_url(const struct rpc_server *server);
const char *rpc_server_long_url(const struct rpc_server *server);

struct rpc_server_stats {
    uint64_t messages;    /* batches received */
    uint64_t calls;       /* frames received */
    uint64_t refused;     /* malformed messages and frames */
    uint64_t unauthentic; /* messages without a valid token */
    uint64_t expired;     /* calls whose deadline was over before dispatch or before the reply */
    uint64_t slow_fast;   /* handlers of class fast above 1 ms */
    uint64_t cancelled;
    uint64_t connects;
    uint32_t peers; /* connections now */
    uint32_t open;  /* calls not yet answered */
};

void rpc_server_stats(const struct rpc_server *server, struct rpc_server_stats *ret_stats);

/** Writes the address of long calls that belongs to `url`: TCP: port + 100; else the name with
 * ".long" after it. INVALID_ARGUMENT if that cannot be. */
status rpc_long_url(const char *url, char ret_url[static RPC_ENDPOINT_MAX], struct error *reterr);

#endif
