/**
 * run_cache: the runs that an engine has in memory.
 *
 * Runs that move stay here, the most recently used first; what sleeps or has ended is dropped, and
 * loaded again when something happens to it. At most RUN_CACHE_COUNT_MAX runs and a number of
 * bytes.
 *
 * Threads: the engine thread only.
 */
#ifndef SCHEDULER_RUN_CACHE_H
#define SCHEDULER_RUN_CACHE_H

#include "base/map.h"
#include "record.pb-c.h"
#include "run.pb-c.h"
#include "scheduler/run/run.h"

enum {
    RUN_CACHE_COUNT_MAX = 100'000,
    TRACEPARENT_SIZE    = 64, /* bytes, with the NUL */
};

/** A label that a run gave itself; its texts live as long as the turn. */
struct added_label {
    struct added_label *next;
    const char *key, *value;
};

struct live_run {
    struct id id;
    struct run *run;  /* owned */
    Pb__RunHead head; /* as it is in the table; the phase is not kept here */
    char traceparent[TRACEPARENT_SIZE];
    int64_t created_us;

    /* Of this turn. */
    bool is_touched;
    bool has_slot;              /* its row names a group; of all turns */
    bool is_new;                /* its rows are not in the tables yet */
    bool was_final;             /* before this turn */
    bool has_listener_moved;    /* the rows of its listeners are to be looked at */
    Pb__RunView *row;           /* of a new run; lives as long as the turn */
    Pb__RunView *ended;         /* the full view, if the listener wants it; likewise */
    bool is_reopened;           /* its row says that it has ended */
    bool is_charged;            /* it has ended, and its row does not have all it has used */
    bool is_deleted;            /* it is to go when the turn's rows are written */
    struct added_label *labels; /* put on it; likewise */

    struct live_run *newer, *older;
    size_t memory_bytes; /* as counted in the cache */
};

/** The turn is over: what belongs to it is forgotten. */
void live_run_end_turn(struct live_run *live);

struct run_cache {
    struct map *by_id;
    struct live_run *newest, *oldest;
    size_t memory_bytes, memory_max; /* bytes */
};

void run_cache_init(struct run_cache *cache, size_t memory_max);
void run_cache_done(struct run_cache *cache); /* frees all runs */

/** The run of that id, now the most recently used one; or NULL. */
struct live_run *run_cache_find(struct run_cache *cache, str id);

/** Adds a run; takes `run`. Lives until run_cache_drop(). */
struct live_run *run_cache_add(struct run_cache *cache, struct run *run);
void run_cache_drop(struct run_cache *cache, struct live_run *live);

/** Counts the memory of a run anew, after it has changed. */
void run_cache_weigh(struct run_cache *cache, struct live_run *live);

/** The least recently used run, if the cache is over its limits; else NULL. */
struct live_run *run_cache_surplus(const struct run_cache *cache);

size_t run_cache_count(const struct run_cache *cache);

#endif
