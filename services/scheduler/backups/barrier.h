/**
 * barrier: the engines of a process stand still together, each right after a commit.
 *
 * Copies of several partitions that begin while all engines stand are one picture: what one of them
 * has taken of another's outbox is in both copies or in neither. They stand for milliseconds; an
 * engine that is held longer than BARRIER_STAND_MS_MAX goes on by itself, and the barrier says that
 * it broke.
 *
 * Threads: any but an engine's; one at a time uses a barrier.
 */
#ifndef SCHEDULER_BARRIER_H
#define SCHEDULER_BARRIER_H

#include "base/status.h"

#include <stddef.h>

enum { BARRIER_STAND_MS_MAX = 2'000 };

struct barrier;
struct engine;

/**
 * Returns when all engines stand. `*ret_barrier` is owned: barrier_open().
 *
 * Fails as engine_post() does, and with DEADLINE_EXCEEDED if one does not come to stand in
 * BARRIER_STAND_MS_MAX; then all go on.
 */
status barrier_close(struct engine *const *engines, size_t count, struct barrier **ret_barrier,
                     struct error *reterr);

/** Lets all go on and frees. DEADLINE_EXCEEDED: one did not stand until now. */
status barrier_open(struct barrier *barrier, struct error *reterr);

#endif
