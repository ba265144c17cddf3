/**
 * lane: the ready jobs of a queue that call one function, in an order of their own.
 *
 * A worker that polls for some functions of a queue only is served from their lanes, so what waits
 * for others costs it nothing: its next job is found in O(functions), however long the queue is.
 * Workflows take turns in a lane as they do in the whole queue (line.h); its lines mirror those in
 * which the jobs stand there, limits included.
 *
 * Queues of a namespace have lanes. Those of tutti's own workers do not: these take what comes.
 *
 * Threads: the engine thread only. A lane lives as long as a job, a line or a poll needs it.
 */
#ifndef SCHEDULER_LANE_H
#define SCHEDULER_LANE_H

#include "base/str.h"
#include "scheduler/engine/heap.h"
#include "scheduler/engine/jobs/poll_list.h"

#include <stdbool.h>
#include <stddef.h>

enum { LANES_MAX = 1 << 20 };

struct queue;
struct lanes;

struct lane {
    str function; /* owned; NUL-terminated */
    struct queue *queue;
    struct lanes *lanes;
    struct heap lines;            /* with jobs that are ready */
    struct poll_list polls;       /* parked for this function */
    size_t user_count;            /* open jobs, lines and polls */
    bool is_met;                  /* polls and jobs are there: it is in the list of its queue */
    struct lane *next, *previous; /* in that */
};

struct lanes *lanes_new(void); /* owned */
void lanes_free(struct lanes *lanes);
size_t lanes_count(const struct lanes *lanes);

/** Finds a lane or makes it; one more needs it: lane_leave(). NULL: LANES_MAX. */
struct lane *lane_join(struct lanes *lanes, struct queue *queue, str function);

/** Polls or jobs of it have come or gone. */
void lane_settle(struct lane *lane);

void lane_use(struct lane *lane);
void lane_leave(struct lane *lane);

#endif
