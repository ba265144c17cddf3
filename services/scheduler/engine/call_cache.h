/**
 * call_cache: both sides of the cache of calls (tables/call_cache.h) in the engine: what runs ask
 * and tell, and what the system partition answers. All of it goes through the outbox, also within
 * one partition (docs/internals/call-cache.md).
 */
#ifndef SCHEDULER_ENGINE_CALL_CACHE_H
#define SCHEDULER_ENGINE_CALL_CACHE_H

#include "scheduler/engine/engine_internal.h"

/* --- of runs ------------------------------------------------------------------------------------
 */

/** EVENT_CACHE_ASKED. */
status engine_call_cache_ask(struct engine *engine, struct live_run *live,
                             const struct event *event, struct error *reterr);

/** Any event that has `cache`; others are nothing. */
status engine_call_cache_end(struct engine *engine, struct live_run *live,
                             const struct event *event, struct error *reterr);

/** A suspended run lets others call, and asks again when it goes on. */
status engine_call_cache_hold(struct engine *engine, struct live_run *live, bool is_held,
                              struct error *reterr);

status engine_take_cache_answer(struct engine *engine, const Pb__CacheAnswer *answer,
                                struct error *reterr);
status engine_take_cache_probe(struct engine *engine, const Pb__CacheProbe *probe,
                               struct error *reterr);

/* --- of the system partition --------------------------------------------------------------------
 */

status engine_take_cache_ask(struct engine *engine, const Pb__CacheAsk *ask, struct error *reterr);
status engine_take_cache_end(struct engine *engine, const Pb__CacheEnd *end, struct error *reterr);
status engine_take_cache_alive(struct engine *engine, const Pb__CacheAlive *alive,
                               struct error *reterr);
status engine_clear_call_cache(struct engine *engine, struct command *command,
                               struct error *reterr);

/** Does what is due, and sets call_cache_due_us if something has changed. */
status engine_call_cache_due(struct engine *engine, struct error *reterr);

/** Sets call_cache_due_us from the table. */
status engine_peek_call_cache(struct engine *engine, struct error *reterr);

#endif
