/**
 * rpc_hint: "something changed", from one publisher to whoever listens.
 *
 * Hints may be lost without harm: NNG drops the oldest when a queue is full and tells nobody. So
 * every hint carries its publisher's id and a sequence number, and a subscriber is told to read the
 * truth again by RPC: when numbers are missing, when the publisher is another one or was
 * reconnected, and every 5 s. Nothing that a caller waits for may depend on a hint.
 *
 * Who wants none is not connected, and costs its publishers nothing.
 *
 * Threads: publishing from any thread; it never waits. Callbacks run on one thread of the
 * subscriber, one at a time.
 */
#ifndef RPC_RPC_HINT_H
#define RPC_RPC_HINT_H

#include "base/status.h"
#include "rpc/security.h"

#include <stdint.h>

enum {
    RPC_HINT_SIZE_MAX       = 64 << 10, /* bytes; put all hints of one commit into one */
    RPC_HINT_QUEUE_MAX      = 8'192,    /* messages, on either side: NNG takes no more */
    RPC_HINT_REFRESH_MS     = 5'000,
    RPC_HINT_SETTLE_MS      = 100, /* after a connection, which the publisher may see later */
    RPC_HINT_PUBLISHERS_MAX = 128, /* remembered by one subscriber */
};

struct rpc_publisher;

/** Listens on `url`. Owned: rpc_publisher_stopp(). Statuses as rpc_server_start(). */
status rpc_publisher_start(const char *url, const struct rpc_tls *tls,
                           struct rpc_publisher **ret_publisher, struct error *reterr);
void rpc_publisher_stopp(struct rpc_publisher **publisher);

/** Where it listens, with the real port; lives as long as the publisher. */
const char *rpc_publisher_url(const struct rpc_publisher *publisher);

/** Says whether anybody listens. If not, a hint need not be made. */
bool rpc_publisher_is_heard(const struct rpc_publisher *publisher);

/** Sends `payload` to all who listen. Above RPC_HINT_SIZE_MAX it is left out, but counted, so that
 * subscribers notice a gap and ask. */
void rpc_publish(struct rpc_publisher *publisher, uint16_t partition, bytes payload);

enum rpc_refresh_reason {
    RPC_REFRESH_CONNECTED, /* first or again */
    RPC_REFRESH_GAP,       /* hints were lost, or the publisher was restarted */
    RPC_REFRESH_PERIOD,    /* RPC_HINT_REFRESH_MS are over, or the first RPC_HINT_SETTLE_MS */
};

struct rpc_subscriber_options {
    const char *urls; /* comma-separated, as endpoints of rpc_client.h without dns+ */
    struct rpc_tls tls;

    void (*hint)(uint16_t partition, bytes payload, void *context);
    /** Time to read the truth again. `lost` hints are missing where that is known. */
    void (*refresh)(enum rpc_refresh_reason reason, uint64_t lost, void *context);
    /** Asked at the start, in every period and after rpc_subscriber_wake(). While it says no there
     * is no connection, no hint and no refresh. NULL: always. */
    bool (*is_wanted)(void *context);
    void *context;
};

struct rpc_subscriber;

/** Connects, and reconnects, in the background. Owned: rpc_subscriber_stopp(). INVALID_ARGUMENT: an
 * address; else as rpc_client_open(). */
status rpc_subscriber_start(const struct rpc_subscriber_options *options,
                            struct rpc_subscriber **ret_subscriber, struct error *reterr);
void rpc_subscriber_stopp(struct rpc_subscriber **subscriber);

/** Makes the subscriber ask `is_wanted` soon. Any thread. */
void rpc_subscriber_wake(struct rpc_subscriber *subscriber);

#endif
