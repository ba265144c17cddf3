/**
 * breaker_rules: the settings of breakers, as they are configured (section `limits`).
 *
 *   limits:
 *     breaker: { failures: 5, window: 60s, open: 60s, successes: 2 }    # of all
 *     targets:
 *       "tool:api.example.com:443": { breaker: { failures: 20, open: 10s } }
 *       "tool:small.example.com:443": { concurrency: 4, rate: { count: 100, per: 1m } }
 *       "llm:openai/gpt-5": { tokens: { count: 100000, per: 1m } }
 *       "worker:charge": {}              # a function of a worker has a breaker if it stands here
 *
 * Threads: any, once it is read.
 */
#ifndef SCHEDULER_BREAKER_BREAKER_RULES_H
#define SCHEDULER_BREAKER_BREAKER_RULES_H

#include "base/diagnostic.h"
#include "base/str.h"
#include "config/config.h"
#include "fleet/breaker.h"
#include "json/json.h"

struct breaker_rules {
    struct breaker_settings common;
    json targets; /* borrowed: the tree of `limits.targets`; JSON_INVALID: none */
};

/** Those without a configuration. */
extern const struct breaker_rules breaker_rules_default;

/** Finds what is wrong with the tree. */
void breaker_rules_check(const struct breaker_rules *rules, const struct config *config,
                         struct diagnostics *list);

/** The settings of a target: its own, and those of all where it has none. */
struct breaker_settings breaker_rules_of(const struct breaker_rules *rules, str target);

/** How many calls of a target may be under way at once and start in a time, and what they may take.
 * False: that is not configured. */
struct target_limit {
    uint32_t concurrency;   /* 0: no limit */
    uint32_t rate_count;    /* 0: no limit */
    int64_t rate_period_us; /* of rate_count */
    uint32_t token_count;   /* of `llm:` targets: tokens in token_period_us; 0: no limit */
    int64_t token_period_us;
};
bool breaker_rules_limit(const struct breaker_rules *rules, str target,
                         struct target_limit *ret_limit);

/** Says whether a target may have a breaker: a worker's function must be asked for. */
bool breaker_rules_allow(const struct breaker_rules *rules, str target);

#endif
