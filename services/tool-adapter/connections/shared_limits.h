/**
 * shared_limits: what holds over all tool-adapters together: the tollgates of connections and
 * hosts, and the rest that a service asks for (`Retry-After` and what its manifest names).
 *
 * Who asks for rest is named to the scheduler at once, as a target of breakers: its jobs are not
 * leased before. Of connections that were used a moment ago the scheduler is asked every second, so
 * that what another tool-adapter was told holds here too, also for calls that are no jobs.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_SHARED_LIMITS_H
#define TOOL_ADAPTER_SHARED_LIMITS_H

#include "tool-adapter/connections/toolbox.h"
#include "worker/tollgate.h"

struct shared_limits;

/** Owned: shared_limits_freep(). */
struct shared_limits *shared_limits_new(struct loop *loop);

/** Asks the scheduler from now on. `name` is that of the worker. Borrowed. */
void shared_limits_open(struct shared_limits *limits, struct rpc_client *scheduler,
                        const char *name);

/** These connections are in use now. Borrowed until the next call. */
void shared_limits_use(struct shared_limits *limits, const struct toolbox *toolbox);

/** No more questions: before the client is closed. NULL is fine. */
void shared_limits_close(struct shared_limits *limits);
void shared_limits_freep(struct shared_limits **limits);

struct tollgates *shared_limits_tollgates(struct shared_limits *limits);

/** The service of a connection asks for rest. NULL is fine: nobody rests. */
void shared_limits_rest(struct shared_limits *limits, const struct connection *connection,
                        int64_t wait_ms);

#endif
