/**
 * outcome: what an answer, or its absence, means: its class, the error that the run sees, and when
 * the other side wants to be asked again.
 *
 *     nothing left us                       transient
 *     sent, and no answer that can be read  transient; of a write: unknown
 *     408, 5xx but 503                      transient; of a write: unknown
 *     503; 429                              transient; throttled
 *     401, 403; 404, 410; 409, 412          auth; not_found; conflict
 *     400, 422; 2xx without success         invalid
 *     any other status                      fatal
 *
 * The rules of action and manifest come first, in their order. Pure.
 */
#ifndef TOOL_ADAPTER_OUTCOME_H
#define TOOL_ADAPTER_OUTCOME_H

#include "adapter/manifest.h"

enum {
    OUTCOME_DETAIL_MAX  = 500,        /* bytes of what the other side says */
    OUTCOME_WAIT_MAX_MS = 86'400'000, /* a longer wait counts as this */
};

struct outcome {
    enum outcome_class class;
    bool is_write;
    int http_status;   /* 0: there was no answer */
    bool is_own_limit; /* nothing left us: the connection's own limits are reached */
    bool is_rpc_error; /* the program itself has said it, by JSON-RPC */
    int64_t wait_ms;   /* it is not to be asked before; 0: not said */
    char detail[OUTCOME_DETAIL_MAX + ERROR_TEXT_MAX];
};

/** Judges the answer in `scope` (its member `response`) to a request of `step`. `now_us` is our
 * time, for answers without a date. Of an answer that is fine `wait_ms` says how long to rest
 * before the next request. */
void outcome_of_answer(const struct manifest_action *action, const struct manifest_step *step,
                       json scope, int64_t now_us, struct outcome *ret_outcome);

/** There is no answer, or none that can be read. `was_sent`: the other side may have acted. */
void outcome_of_failure(const struct manifest_action *action, bool was_sent, const char *why,
                        struct outcome *ret_outcome);

/** Nothing was sent: what was asked for makes no request. `code` says whose fault it is. */
void outcome_of_refusal(const struct manifest_action *action, status code, const char *why,
                        struct outcome *ret_outcome);

/** Says whether another attempt may be better off: transient, throttled. */
bool outcome_is_passing(const struct outcome *outcome);

/** The DSL error of one that is not OK; a name of the function stands in front. Owned. */
json outcome_error_new(const struct outcome *outcome, const struct manifest_action *action);

/** What the run sees of a write of which nobody knows whether it was done. Owned. */
json outcome_unknown_new(const struct manifest_action *action, const char *why);

/** What the run sees of a change of which `steps` are done, and which then failed. Owned. */
json outcome_half_new(const struct outcome *outcome, const struct manifest_action *action,
                      json steps);

#endif
