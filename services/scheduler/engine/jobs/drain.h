/**
 * drain: workers that get no new jobs, so that they can be stopped. Part of the engine.
 *
 * What a drained worker has it keeps, and reports. Its polls are parked at no place: they wait for
 * their time, and their answers say that the worker is drained. A row per worker and partition
 * keeps it over restarts. It is over when somebody says so, when another process polls by the name,
 * or when nobody has for a day (worker.h).
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_ENGINE_JOBS_DRAIN_H
#define SCHEDULER_ENGINE_JOBS_DRAIN_H

#include "job.pb-c.h"
#include "scheduler/engine/engine_internal.h"

/** lease.c: the parked polls of a worker that stand at no place are answered. */
void engine_end_polls_of(struct engine *engine, const struct worker *worker);

/** COMMAND_DRAIN_WORKER: Pb__DrainWorkerRequest -> Pb__WorkerStatus. */
status engine_drain_worker(struct engine *engine, struct command *command, struct error *reterr);

/** A worker polls: if it is another process than the one that is drained, that is over. */
status engine_drain_heard(struct engine *engine, const Pb__LeaseJobs *request,
                          struct error *reterr);

/** Ends those of workers that nobody has heard of for a day. */
status engine_drains_go_on(struct engine *engine, struct error *reterr);

/** Reads the rows; after open jobs are read. */
status engine_drains_recover(struct engine *engine, struct error *reterr);

#endif
