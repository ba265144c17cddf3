/**
 * overview: all partitions of the process as one: queues and workers added up by name.
 *
 * For System.Status and for the gauges of the admin port, which are asked seldom. Any thread.
 */
#ifndef SCHEDULER_OVERVIEW_H
#define SCHEDULER_OVERVIEW_H

#include "fleet/sums.h"
#include "scheduler/scheduler.h"

struct metrics;
struct overview;

/** Queues of `namespace` ("*": all) and tutti's own; `name` empty: all. Lives as long as `arena`.
 */
status scheduler_sum_queues(struct scheduler *scheduler, const char *namespace, const char *name,
                            struct arena *arena, struct queue_sum *ret_sum, struct error *reterr);

/** Likewise. */
status scheduler_sum_workers(struct scheduler *scheduler, struct arena *arena,
                             struct worker_sum *ret_sum, struct error *reterr);

/** Adds the gauges of queues and workers to a registry; they are set before each answer of it, as
 * long as a scheduler is shown. Owned: overview_free(), after the registry's listener has stopped.
 */
struct overview *overview_new(struct metrics *registry);

/** From now on shows `scheduler` (borrowed); NULL: none. */
void overview_show(struct overview *overview, struct scheduler *scheduler);
void overview_free(struct overview *overview);
void overview_freep(struct overview **overview);

#endif
