/** world_cache: the cache of calls of a world: the real tables (scheduler/tables/call_cache.h) in
 * memory, and messages that are delivered one by one, as between two engines. */
#ifndef SUPPORT_SCHEDULER_WORLD_CACHE_H
#define SUPPORT_SCHEDULER_WORLD_CACHE_H

#include "support/scheduler/world.h"

struct world_cache;

struct world_cache *world_cache_new(void);
void world_cache_free(struct world_cache *cache);

/** What an engine says to the cache because of an event of the run. */
void world_cache_note(struct world *world, const struct event *event);

/** Delivers the next message, or does what is due; false: there is nothing. */
bool world_cache_step(struct world *world);

/** When there will be something; NO_DUE_US: never. An entry that expires is nothing. */
int64_t world_cache_due(const struct world *world);

/** How many calls are being made for others or wait. */
uint64_t world_cache_callers(const struct world *world);

#endif
