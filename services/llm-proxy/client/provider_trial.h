/**
 * provider_trial: whether an upstream can be reached and takes its keys.
 *
 * Each key asks for the list of models once, which costs nothing; a provider without keys asks
 * without one. Breakers, limits and budgets are not asked, and are told nothing.
 *
 * Threads: one loop.
 */
#ifndef LLM_PROXY_PROVIDER_TRIAL_H
#define LLM_PROXY_PROVIDER_TRIAL_H

#include "llm-proxy/call/call.h"
#include "rpc/rpc.h"

enum {
    PROVIDER_TRIALS_MAX     = 16,    /* under way */
    PROVIDER_TRIAL_TOTAL_MS = 8'000, /* less than a gateway waits */
};

struct provider_trial;

/** Those under way. Zeroed: none. */
struct provider_trials {
    struct provider_trial *first;
    size_t count;
};

/** Answers `call` (Pb__LlmTestProvider -> Pb__LlmTestedProvider), in a moment. NOT_FOUND: the
 * catalog has no such provider; RESOURCE_EXHAUSTED: too many are under way. */
status provider_trial_start(struct provider_trials *trials, struct pipeline *pipeline,
                            struct rpc_call *call, struct error *reterr);

/** Those under way are not answered any more. */
void provider_trials_done(struct provider_trials *trials);

#endif
