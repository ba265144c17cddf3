/**
 * rpc_client: calls services over NNG. Counterpart of rpc.h.
 *
 * rpc_client_call() packs the request into a batch and returns; the answer comes through a
 * callback. What is called while a batch is under way travels in the next one, by itself: there is
 * no timer, no minimum size and nothing to tune. Every call has a deadline, at which its caller is
 * answered whatever the network does.
 *
 * Endpoints: "tcp://host:port", "tls+tcp://host:port", "ipc:///path", "abstract://name",
 * "inproc://name", "dns+tcp://name:port" and "dns+tls+tcp://name:port" (resolved every 5 s to all
 * addresses). An endpoint may be followed by a space and the address of its long calls; without it,
 * rpc_long_url() says where that is. Several are separated by commas.
 *
 * Repetition: a call whose connection is lost is repeated (3 times at most, before its deadline,
 * and waiting at most 2 s for a connection) if its method is idempotent or it carries a request id,
 * and answered UNAVAILABLE otherwise. MOVED answers are followed, 4 times at most.
 *
 * Threads: every function from any thread. Callbacks run on threads of the library, several at
 * once, and may not wait; they may call every function here but rpc_client_closep() and
 * rpc_client_ask().
 */
#ifndef RPC_RPC_CLIENT_H
#define RPC_RPC_CLIENT_H

#include "rpc/rpc.h"

enum {
    RPC_WAITING_CALLS_MAX = 4'096,   /* per endpoint, class and partition; above: see call() */
    RPC_WAITING_SIZE_MAX  = 8 << 20, /* bytes, likewise */
    RPC_ENDPOINTS_MAX     = 128,     /* addresses of one client */
    RPC_PARTITIONS_MAX    = 1'024,
};

enum rpc_choice {
    RPC_LEAST_BUSY, /* any endpoint may answer: the one with the fewest open calls */
    RPC_OWNER,      /* partition p belongs to endpoint p mod count, until MOVED says otherwise */
};

struct rpc_client_options {
    const char *endpoints;
    enum rpc_choice choice;
    const ProtobufCServiceDescriptor *const *services; /* that will be called; ends with NULL */
    const struct rpc_contract_service *contract;       /* NULL: rpc_contract */
    struct rpc_identity identity;
    struct rpc_tls tls;

    /* Optional; may not wait. */
    void (*observe)(const struct rpc_observation *observation, void *context);
    void (*connected)(const char *endpoint, bool is_up, void *context);
    void *context;
};

struct rpc_client;

/** Starts to connect and returns at once. Owned: rpc_client_closep(). Options are copied.
 * INVALID_ARGUMENT: an endpoint that cannot be; FAILED_PRECONDITION: a service that the contract
 * does not know, TCP without a secret, unreadable TLS files. */
status rpc_client_open(const struct rpc_client_options *options, struct rpc_client **ret_client,
                       struct error *reterr);

/** Answers all open calls with CANCELLED, waits for their callbacks, frees. NULL is fine. */
void rpc_client_closep(struct rpc_client **client);

/* Codes of an UNAVAILABLE that no server has said: the call was never sent, or its answer was lost
 * with the connection, and nobody here knows what became of it. */
#define RPC_NOT_SENT    "not_sent"
#define RPC_ANSWER_LOST "answer_lost"

/** What came back. All of it is valid during the callback, or until rpc_answer_free() if kept. */
struct rpc_answer {
    status code;
    const void *message;    /* of the method's output type; NULL unless code is OK */
    const char *detail;     /* why not, for people; "" if OK */
    const char *error_code; /* "run_finished", RPC_NOT_SENT; "" if it follows from the status */
    int64_t retry_after_ms; /* 0: not said */
    bytes details_json;     /* findings; usually empty */
    bool is_replayed;       /* as the same request id was answered before; nothing was done */
    struct arena *arena;    /* holds all of this; the callback may use it too */
};

/** Takes the answer out of its callback, to be used on another thread. Owned: rpc_answer_free().
 * The pointer given to the callback must not be used any more. */
struct rpc_answer *rpc_answer_keep(const struct rpc_answer *answer);
void rpc_answer_free(struct rpc_answer *answer); /* NULL is fine */
void rpc_answer_freep(struct rpc_answer **answer);

/** Copies status and texts into `reterr` and returns the status. The code is kept only if it is one
 * of `codes` (static texts, ends with NULL; NULL: none), because struct error wants static text. */
status rpc_answer_error(const struct rpc_answer *answer, const char *const *codes,
                        struct error *reterr);

/** A call to be made. Everything is borrowed during rpc_client_call() only. */
struct rpc_request {
    const ProtobufCServiceDescriptor *service; /* &pb__health__descriptor */
    const char *method;                        /* "Check" */
    const void *message;                       /* of the method's input type */
    bytes packed;                              /* instead of `message`, if that is NULL */
    uint16_t partition;                        /* of commit calls, and of all calls to owners */
    int64_t timeout_ms;  /* 0: RPC_TIMEOUT_MS_DEFAULT; long calls: wait + RPC_LONG_SLACK_MS */
    bool wait_for_ready; /* while not connected: wait, instead of failing with UNAVAILABLE */
    bool more_follow;    /* it may wait for rpc_client_flush(), to travel with those that follow */

    str request_id;
    str namespace;
    str key_id;
    str roles;
    str traceparent;
    struct rpc_deed deed;

    /** Called exactly once, on a thread of the library, never within rpc_client_call(). */
    void (*done)(const struct rpc_answer *answer, void *context);
    void *context;
};

/**
 * Starts a call. If it fails, `done` will not be called:
 * RESOURCE_EXHAUSTED: too much waits for this endpoint already, or the message is too large;
 * UNAVAILABLE: not connected (calls wait for a connection only in the first 2 s after the open, and
 * for 2 s where short calls are connected and long ones are not yet;
 * later they fail at once, unless they wait_for_ready); NOT_FOUND: no such service or method here.
 * `ret_id` (may be NULL) names the call for rpc_client_cancel().
 */
status rpc_client_call(struct rpc_client *client, const struct rpc_request *request,
                       uint64_t *ret_id, struct error *reterr);

/** Sends what waits because more was to follow. Cheap when nothing does, so that an event loop may
 * do it at the end of every turn: then what a turn brings leaves in one message, and not its first
 * calls alone. */
void rpc_client_flush(struct rpc_client *client);

/** Gives a call up: `done` gets CANCELLED soon, and a long or bulk call is told to its server. Does
 * nothing if the call is already over. */
void rpc_client_cancel(struct rpc_client *client, uint64_t id);

/** Asks the server of a long call to end it, and waits for what it answers then; it is not repeated
 * any more. One that was not sent yet, or is answered soon anyway, is given up as above. */
void rpc_client_stop(struct rpc_client *client, uint64_t id);

/** The same as a call, but waits: for command lines and tests, never on a thread of a library or
 * an event loop. `request->done` is not used. Returns the status of the answer, its text in
 * `reterr`. `ret_answer` (owned) is set whenever there was an answer, also one that is not OK. */
status rpc_client_ask(struct rpc_client *client, const struct rpc_request *request,
                      struct rpc_answer **ret_answer, struct error *reterr);

/** How many addresses the list of endpoints has. With RPC_OWNER the partitions 0 to count - 1 stand
 * for one each: whoever looks for any that answers asks these. A partition that no server has is
 * answered UNAVAILABLE, by all of them. */
unsigned rpc_client_target_count(const struct rpc_client *client);

/** Says whether the owner of `partition` (RPC_LEAST_BUSY: any endpoint) is connected now. */
bool rpc_client_is_connected(const struct rpc_client *client, uint16_t partition);

struct rpc_client_stats {
    uint64_t calls;
    uint64_t messages; /* batches sent: calls / messages is what batching won */
    uint64_t repeated;
    uint64_t moved;
    uint64_t timeouts;
    uint64_t refused; /* RESOURCE_EXHAUSTED by rpc_client_call() */
    uint64_t connects;
    uint64_t disconnects;
    uint32_t connected; /* endpoints now */
    uint32_t open;      /* calls not yet answered */
};

void rpc_client_stats(const struct rpc_client *client, struct rpc_client_stats *ret_stats);

#endif
