/**
 * guard: which providers may be called now: their circuit breakers and limits, for calls that the
 * scheduler has not let pass itself.
 *
 * Breakers and limits are the scheduler's (docs/internals/breakers.md, limits.md). The guard keeps
 * a copy of what it says of this proxy's providers, read anew every second and with each report, so
 * that an open breaker is known without asking. Permits of limits are leased, as many as calls wait
 * for at once; one whose call is over serves the next call of the same second, unless starts are
 * counted. A half-open breaker is asked for a probe.
 *
 * While the scheduler cannot be reached, breakers stay as they were last seen, and limited
 * providers are not called.
 *
 * Threads: all on one loop.
 */
#ifndef LLM_PROXY_GUARD_H
#define LLM_PROXY_GUARD_H

#include "llm-proxy/catalog.h"
#include "loop/loop.h"
#include "rpc/rpc_client.h"

enum guard_verdict {
    GUARD_GO,
    GUARD_WAIT,    /* `decided` of the pass will be called */
    GUARD_BREAKER, /* it is open, or its provider asked for rest */
    GUARD_LIMIT,   /* as many calls as may be are under way, or have started */
};

struct guard;
struct guarded;

/** What one call holds of one provider. Zeroed: nothing. */
struct guard_pass {
    struct guarded *provider;
    bool has_permit, is_probe;
    bool is_waiting, wants_probe;
    struct guard_pass *previous, *next; /* among those that wait */
    void (*decided)(enum guard_verdict verdict, void *context);
    void *context;
};

struct guard *guard_new(struct loop *loop, const struct catalog *catalog); /* owned */

/** Asks the scheduler from now on, under the name of this proxy. All are borrowed. Before, all
 * providers may be called. */
void guard_start(struct guard *guard, struct rpc_client *scheduler, const char *name);

/** No more questions: before the client is closed. */
void guard_stop(struct guard *guard);
void guard_freep(struct guard **guard);

/** Whether the provider, by its place in the catalog, may be called now. GUARD_GO: until
 * guard_leave(). `pass` is zeroed but for `decided` and `context`. */
enum guard_verdict guard_enter(struct guard *guard, size_t provider, struct guard_pass *pass);

/** How long after a refusal it makes sense to ask again; at least a second. */
int64_t guard_retry_ms(const struct guard *guard, size_t provider);

/** The call is over, or does not wait any more. */
enum guard_end { GUARD_RETURNED, GUARD_SUCCEEDED, GUARD_FAILED };
void guard_leave(struct guard *guard, struct guard_pass *pass, enum guard_end end);

/** A call has failed as the next one may; or its provider asks everyone for rest. */
void guard_note_failure(struct guard *guard, size_t provider);
void guard_note_rest(struct guard *guard, size_t provider, int64_t rest_ms);

#endif
