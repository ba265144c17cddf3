#include "scheduler/engine/run_cache.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>

enum { LIMIT_OF_MAP = 10 * RUN_CACHE_COUNT_MAX /* a turn may pass the limit until its end */ };

void run_cache_init(struct run_cache *cache, size_t memory_max)
{
    *cache       = (struct run_cache){.memory_max = memory_max};
    cache->by_id = map_new(LIMIT_OF_MAP);
}

void run_cache_done(struct run_cache *cache)
{
    while (cache->newest) run_cache_drop(cache, cache->newest);
    map_free(cache->by_id);
    cache->by_id = NULL;
}

static void unlink_run(struct run_cache *cache, struct live_run *live)
{
    if (live->newer) {
        live->newer->older = live->older;
    } else {
        cache->newest = live->older;
    }
    if (live->older) {
        live->older->newer = live->newer;
    } else {
        cache->oldest = live->newer;
    }
    live->newer = NULL;
    live->older = NULL;
}

static void link_newest(struct run_cache *cache, struct live_run *live)
{
    live->older = cache->newest;
    if (cache->newest) {
        cache->newest->newer = live;
    } else {
        cache->oldest = live;
    }
    cache->newest = live;
}

void live_run_end_turn(struct live_run *live)
{
    live->is_touched  = false;
    live->is_new      = false;
    live->is_reopened = false;
    live->is_charged  = false;
    live->is_deleted  = false;
    live->was_final   = run_status_is_final(run_status(live->run));
    live->row         = NULL;
    live->ended       = NULL;
    live->labels      = NULL;
}

struct live_run *run_cache_find(struct run_cache *cache, str id)
{
    struct live_run *live = map_get(cache->by_id, id);
    if (live && live != cache->newest) {
        unlink_run(cache, live);
        link_newest(cache, live);
    }
    return live;
}

struct live_run *run_cache_add(struct run_cache *cache, struct run *run)
{
    struct live_run *live = mem_new(1, sizeof *live);
    live->run             = run;
    live->head            = (Pb__RunHead)PB__RUN_HEAD__INIT;
    memcpy(live->id.text, run_id(run), ID_LEN + 1);
    bool is_put = map_put(cache->by_id, str_from(live->id.text), live);
    ASSERT(is_put);
    link_newest(cache, live);
    run_cache_weigh(cache, live);
    return live;
}

void run_cache_drop(struct run_cache *cache, struct live_run *live)
{
    ASSERT(!live->is_touched);
    void *removed = map_remove(cache->by_id, str_from(live->id.text));
    ASSERT(removed == live);
    unlink_run(cache, live);
    cache->memory_bytes -= live->memory_bytes;
    run_free(live->run);
    free(live);
}

void run_cache_weigh(struct run_cache *cache, struct live_run *live)
{
    size_t memory_bytes = sizeof *live + run_memory_bytes(live->run);
    cache->memory_bytes += memory_bytes - live->memory_bytes;
    live->memory_bytes = memory_bytes;
}

struct live_run *run_cache_surplus(const struct run_cache *cache)
{
    bool is_over =
        cache->memory_bytes > cache->memory_max || map_count(cache->by_id) > RUN_CACHE_COUNT_MAX;
    return is_over ? cache->oldest : NULL;
}

size_t run_cache_count(const struct run_cache *cache)
{
    return map_count(cache->by_id);
}
