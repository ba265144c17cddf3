/*
 * Queues under the hand of an operator: paused, limited, purged; and one job that is cancelled. All
 * of it is durable with the turn. As for statuses, see engine_internal.h.
 */
#ifndef SCHEDULER_ENGINE_QUEUES_H
#define SCHEDULER_ENGINE_QUEUES_H

#include "scheduler/engine/engine_internal.h"

/** COMMAND_SET_QUEUE. */
status engine_set_queue(struct engine *engine, struct command *command, struct error *reterr);

/** The queue that a caller of a namespace means by a name; makes it. NULL: QUEUES_MAX. */
struct queue *engine_queue_at(struct engine *engine, str caller, str name);

/** The same for a command, which is refused with NULL. */
struct queue *engine_queue_named(struct engine *engine, struct command *command, str name);

/** Writes the row of a queue: after its settings, and after each start if it has a rate. */
status engine_queue_put(struct engine *engine, const struct queue *queue, struct error *reterr);

/** What the row of a queue says. */
void engine_queue_read(struct engine *engine, struct queue *queue, const Pb__QueueRecord *record);

/** A piece of the purges that are under way. */
status engine_purges_go_on(struct engine *engine, struct error *reterr);

/** COMMAND_CANCEL_JOB. */
status engine_cancel_job(struct engine *engine, struct command *command, struct error *reterr);

#endif
