/**
 * work_pool: a few threads for what would block a loop: parsing megabytes, compressing, a store's
 * reads. Work goes out from the loop's thread and its end comes back to it.
 *
 * A work lies in its owner's memory. `run` is called on one of the threads, `done` on the loop
 * afterwards; between the two nobody else may touch what `run` uses. Works begin in the order they
 * were given. There is no order of their ends, but with one thread.
 *
 * Threads: everything but `run` belongs to the loop's thread (or to one thread before the loop runs
 * and after it was joined).
 */
#ifndef LOOP_WORK_POOL_H
#define LOOP_WORK_POOL_H

#include "loop/loop.h"

enum { WORK_POOL_THREADS_MAX = 64 };

struct work_pool;

/** Set `run`, `done` and `context`; the rest is the pool's. */
struct work {
    void (*run)(void *context);
    void (*done)(void *context);
    void *context;
    struct work *next; /* under the pool's mutex */
};

/** `loop` is borrowed and outlives the pool. Owned: work_pool_freep(). INVALID_ARGUMENT for no
 * threads or more than WORK_POOL_THREADS_MAX, RESOURCE_EXHAUSTED if a thread cannot be started. */
status work_pool_new(struct loop *loop, unsigned threads, struct work_pool **ret_pool,
                     struct error *reterr);

/** Gives a work away until its `done` is called. The caller bounds how many there are. */
void work_pool_run(struct work_pool *pool, struct work *work);

/** Takes back a work that has not begun: neither function is called. False: it has, and its `done`
 * comes. */
bool work_pool_take_back(struct work_pool *pool, struct work *work);

/** Works that were given and whose `done` has not been called. */
size_t work_pool_busy(const struct work_pool *pool);

/** Waits for the works that have begun; calls `done` of every work that was given, also of those
 * that have not run, so that owners free what they hold. Not from a `done`. NULL is fine. */
void work_pool_freep(struct work_pool **pool);

#endif
