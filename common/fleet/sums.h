/**
 * sums: what partitions, or whole processes, say of the same queues and workers, added up by name.
 *
 * The scheduler adds up its partitions, the gateway the schedulers, by the same rules. A name's
 * first row becomes its sum: rows are borrowed and changed, and live as long as the sum is used.
 *
 * Threads: none of its own; a sum is used by one at a time. Limits: names beyond SUM_NAMES_MAX are
 * left out.
 */
#ifndef FLEET_SUMS_H
#define FLEET_SUMS_H

#include "system.pb-c.h"

#include <stddef.h>

enum { SUM_NAMES_MAX = 10'000 };

struct queue_sum {
    Pb__QueueView **items; /* room for as many rows as are added, or for SUM_NAMES_MAX */
    size_t count;
};

/** Counts and rates are added. The oldest job is the oldest of all; a queue is paused if it is
 * everywhere, and at work on a purge or a redrive if it is anywhere. What is set of it (limits, the
 * rule of redrives) is the same everywhere but where the queue is not known yet: the first row that
 * has it says it. */
void queue_sum_add(struct queue_sum *sum, Pb__QueueView *row);

struct worker_sum {
    Pb__WorkerStatus **items; /* likewise */
    size_t count;
};

/** A worker polls every partition with a share of its slots: these are added; it was seen last when
 * any saw it last. */
void worker_sum_add(struct worker_sum *sum, Pb__WorkerStatus *row);

#endif
