/**
 * overview: all partitions of the process as one: queues and workers added up by name.
 *
 * For System.Status and for the gauges of the admin port, which are asked seldom. Any thread.
 */
#ifndef SCHEDULER_OVERVIEW_H
#define SCHEDULER_OVERVIEW_H

#include "scheduler/scheduler.h"
#include "system.pb-c.h"

struct metrics;
struct overview;

enum { QUEUES_SHOWN_MAX = 10'000, WORKERS_SHOWN_MAX = 10'000 };

struct queue_sum {
    Pb__QueueView **items;
    size_t count;
};

/** Queues of `namespace` ("*": all) and tutti's own; `name` empty: all. Lives as long as `arena`.
 */
status scheduler_sum_queues(struct scheduler *scheduler, const char *namespace, const char *name,
                            struct arena *arena, struct queue_sum *ret_sum, struct error *reterr);

struct worker_sum {
    Pb__WorkerStatus **items;
    size_t count;
};
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
