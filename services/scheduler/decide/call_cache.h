/** call_cache: how a call with `metadata.tutti.cache` asks for the answer of an equal one
 * (run/call_cache.h). */
#ifndef SCHEDULER_DECIDE_CALL_CACHE_H
#define SCHEDULER_DECIDE_CALL_CACHE_H

#include "scheduler/decide/decide.h"
#include "scheduler/run/call_cache.h"

/* When a call that still waits asks again: whatever may have been lost meanwhile. */
#define CACHE_ASK_AGAIN_US (INT64_C(600) * 1'000'000)

/** Says whether the call at hand asks the cache. */
bool call_cache_is_asked(const struct scene *scene);

/** Asks: `job` is the event that would schedule the job, whose values it takes. On failure nothing
 * has happened, and `*ret_error` is to be raised. */
status call_cache_ask(struct decision *decision, struct scene *scene, struct activation *activation,
                      struct event *job, bool is_fresh, json *ret_error);

/** Its time to ask again has come. */
void call_cache_ask_again(struct decision *decision, const struct activation *activation);

/** It does not wait any more. */
void call_cache_leave(struct decision *decision, const struct activation *activation);

#endif
