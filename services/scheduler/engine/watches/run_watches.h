/**
 * run_watches: who waits for the end of which run (Runs.Pull).
 *
 * A subscriber, which is an event loop of a gateway, has a set of watched runs and at most one
 * parked call. When a watched run ends, its full view goes into the subscriber's next reply, and is
 * kept until a later call acknowledges that reply. So an end is told at least once, whatever calls
 * get lost; only a restart of the process forgets, which `instance` shows.
 *
 * Threads: any; one mutex, held for memory work only. Replies leave on the thread that ended the
 * wait: the engine's, after its commit.
 *
 * Limits: SUBSCRIBERS_MAX, WATCHED_MAX runs and KEPT_SIZE_MAX bytes of unacknowledged ends each.
 * What is over is told without input and output, then not at all: the subscriber's `watch` is
 * refused.
 */
#ifndef SCHEDULER_RUN_WATCHES_H
#define SCHEDULER_RUN_WATCHES_H

#include "base/status.h"
#include "rpc/rpc.h"
#include "run.pb-c.h"

struct run_watches;

enum {
    SUBSCRIBERS_MAX     = 256,
    SUBSCRIBER_SIZE_MAX = 64, /* bytes of its name */
    WATCHED_MAX         = 100'000,
    KEPT_SIZE_MAX       = 16 << 20, /* bytes of one reply: below RPC_MESSAGE_SIZE_MAX */
};

/** Owned: run_watches_free(), when no call is parked. */
struct run_watches *run_watches_new(uint64_t instance);
void run_watches_free(struct run_watches *watches);

/** Watches `run` for a subscriber, known or not. RESOURCE_EXHAUSTED: a limit. */
status run_watch_add(struct run_watches *watches, bytes subscriber, str run, struct error *reterr);
void run_watch_remove(struct run_watches *watches, bytes subscriber, str run);

/** Says whether anybody watches `run`. */
bool run_is_watched(struct run_watches *watches, str run);

/** A watched run has ended; `view` is copied. Nothing happens if nobody watches it. Its subscribers
 * hear of it with run_watches_tell(), so that the ends of one commit are one answer. */
void run_watch_ended(struct run_watches *watches, const Pb__RunView *view);

/** Answers the parked calls of those who have something to be told. */
void run_watches_tell(struct run_watches *watches);

/**
 * A Pull call, whose watches were added before. Acknowledges, and answers at once if there is
 * something to tell or `wait_ms` is 0, else parks the call. A call that was parked for the
 * subscriber is answered, empty. Takes `call` if OK. RESOURCE_EXHAUSTED: SUBSCRIBERS_MAX.
 */
status run_watch_pull(struct run_watches *watches, struct rpc_call *call, struct error *reterr);

/** The parked call of that id was given up. */
void run_watch_cancel(struct run_watches *watches, const struct rpc_call *call);

/** Answers parked calls whose wait is over (all, if `now_ms` is INT64_MAX), and forgets subscribers
 * that are silent. Once a second. */
void run_watches_tick(struct run_watches *watches, int64_t now_ms);

#endif
