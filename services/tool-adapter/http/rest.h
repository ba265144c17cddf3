/**
 * rest: how long an answer asks us to wait, by the rules of a manifest's `rate_limit`.
 *
 * `retry_after` first, then `reset` if `remaining` is 0. Without a rule the header Retry-After
 * counts for answers that say "later". Times of the other side's clock are read against its `Date`.
 * Pure.
 */
#ifndef TOOL_ADAPTER_REST_H
#define TOOL_ADAPTER_REST_H

#include "adapter/manifest.h"

/** Milliseconds; 0: nothing is said. `scope` holds the answer as `response`; `now_us` is our time.
 */
int64_t rest_of(const struct rate_limit *limit, json scope, int64_t now_us);

#endif
