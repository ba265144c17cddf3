/**
 * client: what its files share.
 *
 *   client.c       open, close, call, cancel, statistics
 *   choice.c       which endpoint: least busy, or the owner; MOVED
 *   endpoint.c     one address: its sockets and whether they are connected
 *   lane_set.c     what waits is packed into batches; lanes carry them, one at a time each
 *   lane_watch.c   deadlines, lost connections and cancellation of what is in a set
 *   deliver.c      answers become callbacks; what was lost is repeated
 *   answer.c       answers that are kept; waiting for one
 *   client_clock.c the thread of deadlines
 *   resolver.c     the thread that looks up dns+ names
 *
 * A call lives by value in the batch it travels in, from rpc_client_call() until its callback; a
 * repetition moves it into another batch. `done` is NULL once somebody has taken it to be answered.
 *
 * Locks: those of a set, of an endpoint, of the client and of its clock are never held together,
 * and no callback is called under any.
 */
#ifndef RPC_CLIENT_INTERNAL_H
#define RPC_CLIENT_INTERNAL_H

#include "base/buf.h"
#include "rpc.pb-c.h"
#include "rpc/address.h"
#include "rpc/arenas.h"
#include "rpc/frame.h"
#include "rpc/gate.h"
#include "rpc/methods_internal.h"
#include "rpc/rpc_client.h"
#include "rpc/socket_internal.h"
#include "rpc/token.h"
#include "rpc/wire.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    LANES_BATCHED     = 2, /* a second keeps a group commit fed; for fast calls see may_leave() */
    LANES_BULK        = 8,
    LANES_LONG        = RPC_PARKED_MAX,
    REPEATS_MAX       = 3,
    MOVES_MAX         = 4,
    CONNECT_WAIT_MS   = 2'000, /* how long calls wait for a first or a new connection */
    LANE_SLACK_MS     = 1'000, /* beyond its last deadline a lane waits no longer */
    SPARE_BATCHES     = 4,     /* kept per set */
    PARKED_CLOSE_MS   = 60'000,
    RESOLVE_PERIOD_MS = 5'000,
    RESOLVE_FIRST_MS  = 1'000, /* how long rpc_client_open() waits for names */
    CLOCK_IDLE_MS     = 1'000,
    QUIET_WAIT_MS     = 500, /* how long a close waits for the last answers */
    QUIET_POLL_MS     = 2,
    GATHER_MS_MAX     = 5,  /* fast calls wait no longer for the lane under way to come back */
    GATHER_PAIR_MIN   = 32, /* calls whose share of a message pair of their own is small */
};

typedef void answer_callback(const struct rpc_answer *answer, void *context);

struct call {
    const struct method *method;
    answer_callback *done; /* NULL: answered, or about to be */
    void *context;
    uint64_t id; /* of rpc_client_call() */
    int64_t started_us;
    int64_t deadline_ms;
    int64_t connect_by_ms; /* while it waits unsent without a connection; 0: not waiting yet */
    size_t offset;         /* of its frame in the batch */
    size_t size;           /* of its frame */
    uint16_t partition;
    uint8_t repeats_left;
    uint8_t moves_left;
    bool is_repeatable;
    bool is_cancelled;
    bool is_stopping; /* the server is to be told that its answer may come at once */
    bool is_alone;    /* did not fit beside others: goes as bulk */
    bool is_held;     /* waits for rpc_client_flush(), or for others to leave */
};

/** Calls that travel together; their frames follow each other in `frames`. */
struct outgoing {
    struct outgoing *next;
    struct buf frames;
    struct call *calls;
    unsigned count;
    unsigned capacity;
    unsigned unanswered;
    uint64_t first_wire_id; /* the following calls count on */
    int64_t latest_ms;      /* deadline */
    uint16_t partition;
};

enum lane_state { LANE_IDLE, LANE_SENDING, LANE_RECEIVING };

struct lane {
    struct lane_set *set;
    nng_ctx ctx;
    nng_aio *aio;
    enum lane_state state;  /* under the set's mutex */
    struct outgoing *batch; /* under the set's mutex */
    struct lane *next;      /* of all of the set */
    struct lane *next_idle;
};

/** One of the two sockets of an endpoint. */
struct link {
    struct endpoint *endpoint;
    nng_socket socket;
    struct gate gate; /* of the operations of its lanes */
    bool is_open;
    atomic_int pipes; /* connections; NNG may tell of an end before it tells of the start */
};

struct lane_set {
    struct endpoint *endpoint;
    struct link *link;
    enum rpc_class class;
    uint16_t partition;
    unsigned lanes_max;
    unsigned frames_max;   /* per batch; 1: calls travel alone */
    struct lane_set *next; /* of the endpoint; constant once it is in the list */

    pthread_mutex_t mutex; /* guards the rest */
    struct outgoing *first;
    struct outgoing *last;
    struct outgoing *spare;
    unsigned spare_count;
    unsigned waiting_calls;
    size_t waiting_size;     /* bytes */
    unsigned under_way;      /* calls that lanes carry */
    int64_t gather_until_ms; /* what waits leaves then, whatever is under way */
    unsigned window;         /* frames the server takes */
    uint64_t next_wire_id;
    int64_t earliest_ms; /* nothing has to be done before it */
    struct lane *lanes;
    struct lane *idle;
    unsigned lane_count;
    bool is_closed;
};

struct endpoint {
    struct rpc_client *client;
    struct address address;
    struct link main;
    struct link long_calls;
    atomic_uint open;  /* calls */
    atomic_uint holds; /* whoever looks at it for a moment */
    _Atomic(struct lane_set *) sets;
    pthread_mutex_t mutex; /* of adding a set, and of the next */
    bool is_stopping;
    bool is_stuck; /* its sockets could not be closed */
    int64_t opened_ms;
    atomic_bool was_connected; /* main: the other may be there first */

    /* Under the client's mutex. */
    struct endpoint *next;
    int target;        /* index in the client's list; -1: named by a MOVED answer */
    int64_t parked_ms; /* since when its address is gone; 0: it is not */
};

struct owner {
    struct endpoint *endpoint; /* NULL: as the list says */
    uint32_t epoch;
};

struct client_counters {
    atomic_ullong calls, messages, repeated, moved, timeouts, refused, connects, disconnects;
    atomic_uint open, connected;
};

struct rpc_client {
    enum rpc_choice choice;
    struct methods methods;
    struct identity *identity;
    struct rpc_tls tls; /* owned copies */
    void (*observe)(const struct rpc_observation *observation, void *context);
    void (*connected)(const char *endpoint, bool is_up, void *context);
    void *context;
    uint64_t sender;
    atomic_ullong next_sequence;
    atomic_ullong next_call_id;
    atomic_bool is_closing;
    atomic_bool has_held; /* calls wait for rpc_client_flush() */
    struct arenas arenas;
    struct client_counters counters;

    pthread_mutex_t mutex; /* guards endpoints and owners */
    struct address *targets;
    unsigned target_count;
    struct endpoint *endpoints;
    unsigned endpoint_count;
    struct owner owners[RPC_PARTITIONS_MAX];

    pthread_mutex_t clock_mutex; /* guards the rest */
    pthread_cond_t clock_changed;
    _Atomic int64_t wake_ms;   /* also read without the mutex */
    bool is_stopping;          /* the clock */
    bool is_resolver_stopping; /* first, so that the clock can still answer */
    bool is_resolved;          /* all names once */
    pthread_t clock_thread;
    pthread_t resolver_thread;
    bool has_clock;
    bool has_resolver;
};

/** What the frame of a call is made of. */
struct frame_source {
    bytes metadata, body; /* packed */
};

/* choice.c */

/** Finds the endpoint for a call and counts the call there (endpoint_release()), and holds it
 * (endpoint_let_go()); NULL: there is none. `avoid`
 * (may be NULL) just lost its connection: any other that is connected comes first. */
struct endpoint *client_choose(struct rpc_client *client, uint16_t partition,
                               const struct endpoint *avoid);
/** Holds every endpoint; returns how many. Let each go. */
unsigned client_hold_all(struct rpc_client *client,
                         struct endpoint *ret_held[static RPC_ENDPOINTS_MAX]);
/** Says whether calls that wait at `endpoint` had better go elsewhere. */
bool client_has_better(struct rpc_client *client, const struct endpoint *endpoint);
/** An endpoint was connected: what waits at others is looked at. */
void client_look_again(struct rpc_client *client);
/** Adds an endpoint to the list; takes it. */
void client_add(struct rpc_client *client, struct endpoint *endpoint);
/** Notes the new owner of a partition. */
void client_moved(struct rpc_client *client, const Pb__Moved *moved);

/* endpoint.c */
status endpoint_new(struct rpc_client *client, const struct address *address, int target,
                    struct endpoint **ret_endpoint, struct error *reterr);
/** Closes the sockets, waits until no callback of the library runs in it, and answers what waits.
 * False: NNG does not let go, so it must not be freed (socket_close()). May be repeated. */
bool endpoint_stop(struct endpoint *endpoint);
/** Stops it and frees it. Nobody else may hold it. NULL is fine. */
void endpoint_free(struct endpoint *endpoint);
/** Says whether nothing is under way at it. */
bool endpoint_is_quiet(struct endpoint *endpoint);
void endpoint_release(struct endpoint *endpoint); /* a call is over */
void endpoint_let_go(struct endpoint *endpoint);
struct lane_set *endpoint_set(struct endpoint *endpoint, enum rpc_class class, uint16_t partition);
bool link_is_up(const struct link *link);

/* lane_set.c */
struct lane_set *lane_set_new(struct endpoint *endpoint, enum rpc_class class, uint16_t partition);
/** No lane is opened any more. Before the socket is closed: NNG 1.5.2 waits for ever in nng_close()
 * for a context that is opened meanwhile. */
void lane_set_close(struct lane_set *set);
/** Waits for the callbacks of the lanes. After the socket was closed. */
void lane_set_stop(struct lane_set *set);
/** Answers what still waits. After the close. */
void lane_set_answer_waiting(struct lane_set *set);
/** After the stop. */
void lane_set_free(struct lane_set *set);
bool lane_set_is_quiet(struct lane_set *set);

/** Puts a call into the next batch and sends what can be sent. The call is counted at the endpoint
 * until it is answered, and the caller holds that.
 * RESOURCE_EXHAUSTED: too much waits; UNAVAILABLE: closed. */
status lane_set_add(struct lane_set *set, const struct call *call,
                    const struct frame_source *source, struct error *reterr);
/** Gives what waits to lanes that are free. */
void lane_set_flush(struct lane_set *set);
/** Under the mutex: takes the first waiting batch off. */
struct outgoing *lane_set_pop(struct lane_set *set);
/** Under the mutex: keeps the memory of a batch for another one. */
void lane_set_recycle(struct lane_set *set, struct outgoing *batch);
void outgoing_free(struct outgoing *batch);

/* lane_watch.c */

/** To be looked at soon. Does not wake the clock. */
void lane_set_look_again(struct lane_set *set);
/** The connection is gone: what is being sent fails, what waits is looked at. */
void lane_set_lost(struct lane_set *set);
/** Answers what is due; returns when to come again. */
int64_t lane_set_watch(struct lane_set *set, int64_t now_ms);
/** Marks a call as given up, or as one to be ended by its server; false: it is not here. */
bool lane_set_cancel(struct lane_set *set, uint64_t id);
bool lane_set_end(struct lane_set *set, uint64_t id);
/** Marks all of them. */
void lane_set_cancel_all(struct lane_set *set);

/* deliver.c */

/** Answers the calls of a batch that came back (`reply`), or did not (NULL, `error` of NNG). Takes
 * the reply, not the batch. */
void deliver(struct lane_set *set, struct outgoing *batch, nng_msg *reply, int error);
/** Gives the calls of a batch that was never sent to other endpoints. Does not take the batch. */
void deliver_elsewhere(struct lane_set *set, struct outgoing *batch);
/** Answers one call that its set no longer knows, and releases its endpoint. */
void call_fail(struct endpoint *endpoint, const struct call *call, status code, const char *name,
               const char *detail);

/* client_clock.c */
void client_clock_start(struct rpc_client *client);
void client_clock_stop(struct rpc_client *client);
/** Waits, for a moment or until something happens. */
void client_clock_pause(struct rpc_client *client, int64_t ms);
/** Something has to be done at `at_ms`, perhaps earlier than the clock knows. */
void client_clock_wake(struct rpc_client *client, int64_t at_ms);

/* resolver.c */
void resolver_start(struct rpc_client *client);
void resolver_stop(struct rpc_client *client);

/* client.c: a call of our own, without a hold on anything. */
void client_send_cancel(struct endpoint *endpoint, const uint64_t *wire_ids, size_t count);

#endif
