/**
 * hints: what gateways that listen are told at once of runs that have moved and of API keys that
 * have changed. A hint may be lost: who hears none asks now and then.
 *
 * Threads: any; one mutex, held while a message is handed to the publisher.
 */
#ifndef SCHEDULER_HINTS_H
#define SCHEDULER_HINTS_H

#include "scheduler/engine/engine.h"

#include <pthread.h>

struct rpc_publisher;

struct hints {
    pthread_mutex_t mutex;           /* guards what follows */
    struct rpc_publisher *publisher; /* NULL: none */
};

/** In place; hints_done(). */
void hints_init(struct hints *hints);
void hints_done(struct hints *hints);

/** From now on they are published there. Borrowed; NULL stops it, and waits until nobody publishes.
 */
void hints_publish_by(struct hints *hints, struct rpc_publisher *publisher);

/** Runs of `partition` have moved, or have something to be looked at. */
void hints_runs(struct hints *hints, uint16_t partition, const struct run_move *moves,
                size_t count);

/** The API key of that id has changed. */
void hints_key(struct hints *hints, const char *id);

#endif
