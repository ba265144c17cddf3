/**
 * server: what its files share.
 *
 *   server.c      start, stop, contexts: a received message becomes a batch
 *   dispatch.c    a batch's frames become calls of handlers
 *   batch.c       answers are collected; the last one sends them all
 *   replies.c     messages with answers leave, one by one or together
 *   open_calls.c  what is not answered yet: deadlines, cancellation, drain
 *   builtin.c     Health and Transport
 *
 * Life of a batch: it has a reference for each slot whose call is with a handler, one for the
 * dispatcher, and one for whoever found it in open_calls. It is sent when `unanswered` gets to 0,
 * or when its deadline is over, and freed when the last handler has replied, perhaps long after.
 *
 * Locks: a batch's mutex, the one of open_calls and the ones of the contexts are never held
 * together, and no hook or handler is called under any.
 */
#ifndef RPC_SERVER_INTERNAL_H
#define RPC_SERVER_INTERNAL_H

#include "rpc.pb-c.h"
#include "rpc/arenas.h"
#include "rpc/frame.h"
#include "rpc/gate.h"
#include "rpc/methods_internal.h"
#include "rpc/rpc_threads.h"
#include "rpc/socket_internal.h"
#include "rpc/token.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    CONTEXTS_AT_START = 64, /* that wait for a message, on the main socket */
    CONTEXTS_SPARE    = 16, /* fewer wait: more are opened */
    CONTEXTS_MAX      = 4'096,
    LONG_SPARE        = 32,                          /* on the socket of long calls */
    LONG_CONTEXTS_MAX = RPC_PARKED_MAX + LONG_SPARE, /* the spare ones refuse what is too much */
    SLOW_FAST_US      = 1'000,
    SEND_TIMEOUT_MS   = 5'000,
    OPEN_BUCKETS      = 4'096, /* power of 2 */
    EARLY_CANCELS     = 1'024, /* power of 2 */
};

/** One call of a batch. */
struct slot {
    struct rpc_call call; /* first: a call is its slot */
    struct batch *batch;
    const struct method *method;
    uint64_t wire_id; /* the client's name for it */
    int64_t started_us;
    size_t request_size;
    atomic_uint references;   /* the handler's, and one while its cancel hook runs */
    atomic_bool is_cancelled; /* by the client, or nobody waits any more */
    bool is_answered;         /* under the batch's mutex */
};

struct batch {
    struct rpc_server *server;
    struct context *context; /* whose turn it is until the batch is sent */
    struct batch_header header;
    char caller[RPC_SERVICE_NAME_MAX + 1]; /* proven by the token */
    int64_t deadline_ms;                   /* the latest of its calls */
    uint32_t pipe;                         /* connection it came by */
    void *staged;
    atomic_uint references;

    pthread_mutex_t mutex; /* guards the next three and is_answered of the slots */
    nng_msg *reply;
    unsigned unanswered; /* slots, and one while it is dispatched */
    bool is_sent;

    /* Under the mutex of open_calls. */
    struct batch *previous, *next;
    struct batch *bucket_next;
    bool is_listed;
    bool is_cancel_asked;

    unsigned count;
    struct slot slots[];
};

/** One request at a time: receive, hand over, send the answer. */
struct context {
    struct listener *listener;
    nng_ctx ctx;
    nng_aio *receive;
    nng_aio *send;
    struct context *next;

    /* Of who answers, until it is sent. */
    nng_msg *reply;
    unsigned reply_calls;       /* how many it answers */
    struct context *next_reply; /* that leaves with it */
};

struct listener {
    struct rpc_server *server;
    nng_socket socket;
    struct gate gate; /* of the operations of its contexts */
    bool is_open;
    bool is_long;
    bool wants_token;
    char url[RPC_ENDPOINT_MAX];
    atomic_uint waiting; /* contexts that receive */
    unsigned spare;      /* fewer of them: more are opened */
    unsigned contexts_max;

    pthread_mutex_t mutex; /* guards the rest */
    struct context *contexts;
    unsigned count;
    bool is_closing;
};

/** A cancellation that came before its call: they travel by different connections. */
struct early_cancel {
    uint64_t sender;
    uint64_t call_id;
};

/** Batches that wait for a handler. */
struct open_calls {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* an earlier deadline, the last one gone if drained, the end */
    struct batch *first;
    struct batch *buckets[OPEN_BUCKETS];      /* long and bulk calls, by sender and call id */
    struct early_cancel early[EARLY_CANCELS]; /* by bucket; a later one takes the place */
    int64_t earliest_ms;                      /* no deadline is before it */
    uint32_t *pipes;                          /* connections that live */
    unsigned pipe_count;
    unsigned pipe_capacity;
    bool is_drained; /* somebody waits for the last one to go */
    bool is_stopping;
    pthread_t thread;
    bool has_thread;
};

struct server_counters {
    atomic_ullong messages, calls, refused, unauthentic, expired, slow_fast, cancelled, connects;
    atomic_uint peers, open, parked;
};

struct rpc_server {
    atomic_uint references; /* ours and each batch's */
    struct methods methods;
    struct identity *identity;
    struct token_guard *guard;
    struct rpc_hooks hooks;
    struct rpc_threads *threads; /* borrowed; may be NULL */
    int64_t drain_ms;
    atomic_bool is_draining;
    atomic_ullong next_call_id;
    struct listener main;
    struct listener long_calls;
    struct open_calls open_calls;
    struct arenas arenas;
    struct server_counters counters;
};

static inline struct slot *slot_of(struct rpc_call *call)
{
    return (struct slot *)call;
}

/* server.c */
void server_unref(struct rpc_server *server);
void context_receive(struct context *context);

/* replies.c */

/** Sends `reply`, which answers `calls` calls, now or with others. Takes it; afterwards the context
 * may be at its next message. */
void reply_leave(struct context *context, nng_msg *reply, unsigned calls);

/** On one of NNG's threads, when what was sent is through: sends what is to leave together, if this
 * says that. False: nothing is, the context is free. */
bool replies_go_on(struct context *context);

/* dispatch.c */

/** Answers, or hands to handlers, what `message` holds; takes it. Afterwards the context belongs to
 * the batch, until that is sent. False: the message is no batch, nothing will be sent. */
bool dispatch(struct context *context, nng_msg *message);

/* batch.c */
struct batch *batch_new(struct context *context, const struct batch_header *header);
void batch_ref(struct batch *batch);
void batch_unref(struct batch *batch);

/** Answers one slot; the last answer sends the batch. `error` and `body` may be NULL. Releases the
 * handler's reference to the slot. */
void slot_answer(struct slot *slot, uint16_t code, const Pb__CallError *error,
                 const ProtobufCMessage *body);
void slot_answer_kept(struct slot *slot, const struct rpc_kept_answer *answer);
void slot_refuse(struct slot *slot, status code, const char *name, const char *detail);
void slot_unref(struct slot *slot);

/** The dispatcher is done with the batch. */
void batch_dispatched(struct batch *batch);

/** Answers every open slot with `code`, sends, and tells the handlers. */
void batch_give_up(struct batch *batch, status code, const char *name, const char *detail);

/** Runs the cancel hooks of all open slots. */
void batch_cancel(struct batch *batch);

/* open_calls.c */
void open_calls_start(struct rpc_server *server);
void open_calls_stop(struct rpc_server *server);
void open_calls_done(struct rpc_server *server);
/** Lists a batch; false: nobody waits for it any more. */
bool open_calls_add(struct batch *batch);
void open_calls_remove(struct batch *batch);
bool open_calls_cancel(struct rpc_server *server, uint64_t sender, uint64_t call_id);
/** A connection begins: before its first message. */
void open_calls_add_pipe(struct rpc_server *server, uint32_t pipe);
/** It is gone: nobody waits for its calls any more, those included that are added later. */
void open_calls_remove_pipe(struct rpc_server *server, uint32_t pipe);
void open_calls_cancel_long(struct rpc_server *server);
/** Waits until none is open, at most until `deadline_ms`. */
void open_calls_wait(struct rpc_server *server, int64_t deadline_ms);
/** Answers all that are left with UNAVAILABLE; afterwards no answer is on its way to a context. */
void open_calls_give_up_all(struct rpc_server *server);

/* builtin.c */
extern const struct rpc_method health_handlers[];
extern const struct rpc_method transport_handlers[];

#endif
