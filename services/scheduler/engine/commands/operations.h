/**
 * operations: what is to be done to all runs that a filter means, in small pieces beside everything
 * else, and also after a restart.
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_OPERATIONS_H
#define SCHEDULER_OPERATIONS_H

#include "scheduler/engine/engine_internal.h"

/** COMMAND_BULK: it is accepted; the work follows. */
status engine_start_bulk(struct engine *engine, struct command *command, struct error *reterr);

/** A piece of the oldest one that is not over. */
status engine_operations_go_on(struct engine *engine, struct error *reterr);
status engine_operations_recover(struct engine *engine, struct error *reterr);

#endif
