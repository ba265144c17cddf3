/**
 * answer_cache: answers of mutating calls, by request id, so that a repetition is answered and not
 * done again.
 *
 * In memory, for lost answers of a living process. What must hold across a restart (starts,
 * signals) the engine keeps in its tables.
 *
 * Threads: any; one mutex. Limits: ANSWERS_MAX answers, ANSWERS_SIZE_MAX bytes, ten minutes; the
 * oldest go first.
 */
#ifndef SCHEDULER_ANSWER_CACHE_H
#define SCHEDULER_ANSWER_CACHE_H

#include "rpc/rpc.h"

enum {
    ANSWERS_MAX      = 100'000,
    ANSWERS_SIZE_MAX = 64 << 20, /* bytes */
    ANSWER_SIZE_MAX  = 64 << 10, /* bytes of one; a larger one is not kept */
    ANSWER_AGE_MS    = 600'000,
};

struct answer_cache;

/** Owned: answer_cache_free(). */
struct answer_cache *answer_cache_new(void);
void answer_cache_free(struct answer_cache *cache);
void answer_cache_freep(struct answer_cache **cache);

/** rpc_hooks.recall and remember, with the cache. */
bool answer_recall(struct answer_cache *cache, struct rpc_call *call,
                   struct rpc_kept_answer *ret_answer);
void answer_remember(struct answer_cache *cache, const struct rpc_call *call,
                     const struct rpc_kept_answer *answer);

#endif
