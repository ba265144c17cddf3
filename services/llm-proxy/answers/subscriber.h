/**
 * subscriber: one gateway that pulls answers, and what of them has not arrived there yet.
 *
 * Each call of a subscriber has an outbox: its items in order, head, data, end. A reply takes items
 * of all outboxes in turn, up to its size, so that no answer holds up another. Pieces of data that
 * wait are joined, so that one item carries many events. What waits leaves in the same turn of the
 * loop; where hundreds of calls answer at a time, pieces of streams wait some milliseconds for
 * others.
 *
 * Items are numbered within their call, and belong to the reply that carried them. A Pull that
 * acknowledges reply n drops what was in replies up to n and takes up again what was in later ones:
 * they were lost. An item that has once been sent never changes.
 *
 * Replies and calls are counted from SUBSCRIBER_ERA_BITS of an era on that no other subscriber has,
 * of this process or of one before: a gateway that was silent for long, or whose llm-proxy was
 * started again, has a new subscriber. Its Pull that names a reply of before is refused
 * (NOT_FOUND), and it knows by their upper halves which calls are gone, and which ones were opened
 * since.
 *
 * Back-pressure: an outbox counts what is not acknowledged; its owner stops at OUTBOX_FULL and is
 * called again below OUTBOX_LOW. Where thousands read slowly all outboxes together count: above
 * SUBSCRIBER_SIZE_MAX each is full at OUTBOX_CROWDED. A gateway names the calls whose clients read
 * slowly, which get nothing until it does not any more.
 *
 * Threads: the loop's.
 */
#ifndef LLM_PROXY_SUBSCRIBER_H
#define LLM_PROXY_SUBSCRIBER_H

#include "base/map.h"
#include "llm-proxy/answers/item.h"
#include "llm.pb-c.h"
#include "loop/loop.h"
#include "rpc/rpc.h"

enum {
    SUBSCRIBER_ID_SIZE    = 16,        /* bytes */
    SUBSCRIBER_REPLY_SIZE = 256 << 10, /* bytes of one reply, unless the Pull says less */
    SUBSCRIBER_WAIT_MS    = 10'000,
    SUBSCRIBER_DRAIN_MS   = 200,       /* the same while the process ends */
    SUBSCRIBER_CALLS_MAX  = 10'000,    /* outboxes */
    OUTBOX_FULL           = 256 << 10, /* bytes not acknowledged */
    OUTBOX_LOW            = 128 << 10,
    SUBSCRIBER_SIZE_MAX   = 64 << 20, /* bytes of all outboxes; above it one is full at: */
    OUTBOX_CROWDED        = 16 << 10,
    OUTBOX_ITEM_SIZE      = 32 << 10, /* bytes of data joined into one item */
    SUBSCRIBER_ERA_BITS   = 32,       /* a number's lower half; above it the era */
};

struct client_call;
struct follower;
struct outbox;

/** How a Pull is answered: rpc_reply(), but for tests. */
typedef void subscriber_reply(struct rpc_call *call, status code, const struct error *error);

struct subscriber {
    subscriber_reply *reply;
    uint8_t id[SUBSCRIBER_ID_SIZE];
    struct loop *loop;
    struct client_call *calls;         /* the service's list */
    struct follower *followers;        /* of recordings; theirs */
    struct map *outboxes;              /* call (8 bytes) -> struct outbox */
    struct outbox *ready, *ready_last; /* that have items to send, in turn */
    struct outbox *stopped;            /* whose clients read slowly */
    size_t size;                       /* bytes of all outboxes that are not acknowledged */
    struct item *sent, *sent_last;     /* in the order of their replies */
    struct item_spare spare;
    size_t unsent;                  /* items of all outboxes that no reply has carried */
    uint64_t first_number;          /* no reply and no call has it */
    uint64_t last_reply, last_call; /* numbers given */
    struct rpc_call *parked;        /* a Pull that waits; NULL: none */
    bool is_draining;
    bool is_urgent; /* what is ready does not wait for more */
    int64_t seen_ms, replied_ms;
    struct loop_timer timer; /* ends the parked Pull */
};

/** Owned. No other one has its `era`, which is not 0. */
struct subscriber *subscriber_new(ProtobufCBinaryData id, uint32_t era, struct loop *loop,
                                  subscriber_reply *reply);
void subscriber_free(struct subscriber *subscriber); /* answers a parked Pull; not its calls */

str subscriber_id(const struct subscriber *subscriber);

/** The number of its next call. */
static inline uint64_t subscriber_next_call(struct subscriber *subscriber)
{
    return ++subscriber->last_call;
}

/** Takes a Pull: answers it now if there is something, or refuses it, else parks it. */
void subscriber_pull(struct subscriber *subscriber, struct rpc_call *call);

/** Calls that are not stopped any more. */
void subscriber_resume(struct subscriber *subscriber, const uint64_t *calls, size_t count);

/** Pulls wait for a moment only from now on. */
void subscriber_drain(struct subscriber *subscriber);

/** It has not pulled since `since_ms`. */
bool subscriber_is_silent(const struct subscriber *subscriber, int64_t since_ms);

/* --- outboxes ----------------------------------------------------------------------------------
 */

/** Who fills it: `relieved` is called from a Pull, when it is below OUTBOX_LOW after it was full.
 */
struct outbox_owner {
    void (*relieved)(void *context);
    void *context;
};

/** Of a new call. NULL: there are SUBSCRIBER_CALLS_MAX. Lives until outbox_end() or outbox_drop().
 */
struct outbox *outbox_new(struct subscriber *subscriber, uint64_t call,
                          const struct outbox_owner *owner);

/** Status and headers; before all else, once. Copied, as everything. */
void outbox_head(struct outbox *outbox, uint32_t http_status, Pb__LlmHeader **headers,
                 size_t header_count);
void outbox_data(struct outbox *outbox, str data);

/** Adds what outbox_data() looks at. */
void outbox_ahead(const struct outbox *outbox, struct loop_ahead *ahead);

/** The last item; what waits is still sent. `outcome`: complete, cut. */
void outbox_end(struct outbox *outbox, const Pb__Usage *usage, const char *outcome);

/** Nobody wants it any more. */
void outbox_drop(struct outbox *outbox);

/** Whoever hears that it is will be relieved. */
bool outbox_is_full(struct outbox *outbox);

#endif
