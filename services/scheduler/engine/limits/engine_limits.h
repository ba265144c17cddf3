/**
 * engine_limits: limits at work, in the engine's turn (docs/internals/limits.md).
 *
 * The system partition has all permits and gives them to its own jobs at once. Other partitions ask
 * for what their waiting jobs need and give back what is over or not needed; both by the outbox, so
 * it arrives once, and both with rows on both sides. Calls that are no jobs lease permits by a
 * command and say every few seconds that they are still there.
 */
#ifndef SCHEDULER_ENGINE_LIMITS_H
#define SCHEDULER_ENGINE_LIMITS_H

#include "limit.pb-c.h"
#include "scheduler/engine/engine_internal.h"

/** Whoever has permits and is silent for so long is gone. */
#define LIMIT_HOLDER_US INT64_C(30'000'000)

/* --- sharing.c: every partition ---------------------------------------------------------
 */

/** The rule of a target that is configured holds unless another one was set; to be said when a
 * target becomes known. */
void engine_limit_known(struct engine *engine, str target);

/** Gives to others what is theirs, before jobs are handed out here. */
status engine_limits_share(struct engine *engine, struct error *reterr);

/** Asks, gives, and writes what has changed; after jobs were handed out. */
status engine_limits_settle(struct engine *engine, struct error *reterr);

/** The system partition has spoken. */
status engine_take_limit_news(struct engine *engine, const Pb__LimitNews *news,
                              struct error *reterr);

/** Another partition asks. */
status engine_take_limit_asks(struct engine *engine, const Pb__LimitAsks *asks,
                              struct error *reterr);

/** Reads the rows; before open jobs are read. */
status engine_limits_recover(struct engine *engine, struct error *reterr);

/** A rule was set, perhaps none; not `is_set`: the one of the configuration holds. */
void engine_limit_rule(struct engine *engine, struct limit *limit, const struct queue_limits *rule,
                       bool is_set);

/** Says whether callers set anything by it: of calls, starts or tokens. NULL is fine. */
bool limit_rule_is_any(const Pb__LimitRule *rule);

/** A rule on the wire. */
struct queue_limits limit_rule_from(const Pb__LimitRule *rule);

/* --- job_limits.c -----------------------------------------------------------------------
 */

/** Fills in what the workflow of a job limits; lives as long as the turn. */
status engine_job_limits(struct engine *engine, const struct live_run *live,
                         const struct event *event, struct open_job *job, struct error *reterr);

/* --- leases.c: the system partition -----------------------------------------------------
 */

/** Commands: Pb__SetLimit -> Pb__LimitView; Pb__LeaseLimits -> Pb__LeasedLimits. */
status engine_set_limit(struct engine *engine, struct command *command, struct error *reterr);
status engine_lease_limits(struct engine *engine, struct command *command, struct error *reterr);

/** The limit of that name with a rule that somebody brings along; it goes when nothing needs it.
 * NULL: there are too many. */
struct limit *engine_limit_brought(struct engine *engine, str name,
                                   const struct queue_limits *rule);

/* --- passes.c: the system partition -----------------------------------------------------
 */

/** Commands: Pb__PassLimits -> Pb__PassedLimits; Pb__HoldLimits -> Pb__HeldLimits: requests that
 * bring their limits along. A limit is there while it is not full, or its permits are away. */
status engine_pass_limits(struct engine *engine, struct command *command, struct error *reterr);
status engine_hold_limits(struct engine *engine, struct command *command, struct error *reterr);

/** Tokens that calls with an API key have used are taken off its limit, if it has one. */
status engine_spend_key_tokens(struct engine *engine, const char *key, int64_t tokens,
                               struct error *reterr);

#endif
