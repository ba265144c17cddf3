/**
 * token_limit: how many tokens calls of a target may take in a time (`llm:PROVIDER`,
 * `llm:PROVIDER/MODEL`).
 *
 * It is a limit of its own, `tokens:TARGET`: a bucket like that of starts. A bucket does not hold
 * more than a million; of more tokens each of its permits stands for several (`rate_unit`). What is
 * taken is rounded up to permits and what comes back is rounded down, so nobody gets more than
 * there is.
 *
 * Jobs do not wait for it: the llm-proxy leases tokens for each call, by an estimate, before it
 * makes it, and says afterwards what it has used.
 *
 * Pure. Threads: any.
 */
#ifndef SCHEDULER_TOKEN_LIMIT_H
#define SCHEDULER_TOKEN_LIMIT_H

#include "limit.pb-c.h"
#include "scheduler/engine/limits/limit.h"

enum {
    TOKEN_LIMIT_MAX       = 1'000'000'000, /* tokens in the time */
    TOKEN_LIMIT_NAME_SIZE = LIMIT_NAME_MAX + 1,
};

/** The name of the limit of that target. False: it has none, or a name that does not fit. */
bool token_limit_name(str target, char name[static TOKEN_LIMIT_NAME_SIZE]);

/** The target of a limit of tokens; empty: it is another limit. A view of `name`. */
str token_limit_target(str name);

/** A bucket of so many tokens; 0: none. */
struct queue_limits token_limit_rule(uint32_t tokens, int64_t period_us);

/** INVALID_ARGUMENT: there is no such limit of that target. A rule without one is fine. */
status token_limit_check(str target, const Pb__LimitRule *rule, struct error *reterr);

/** So many tokens in permits of that bucket. */
uint32_t token_permits_up(const struct queue_limits *rule, uint32_t tokens);
uint32_t token_permits_down(const struct queue_limits *rule, uint32_t tokens);

/** So many permits in tokens. */
uint32_t token_count_of(const struct queue_limits *rule, uint64_t permits);

/** What is shown of a limit of tokens becomes part of what is shown of its target, which has a
 * rule. */
void token_limit_fold(const Pb__LimitView *tokens, Pb__LimitView *target);

#endif
