/**
 * queue_flow: how many of something per second, of late.
 *
 * Counts by seconds, and remembers the last QUEUE_FLOW_SECONDS whole ones. Pure: time is a
 * parameter. Threads: none.
 */
#ifndef SCHEDULER_QUEUE_FLOW_H
#define SCHEDULER_QUEUE_FLOW_H

#include <stdint.h>

enum { QUEUE_FLOW_SECONDS = 10 };

/** Zeroed: nothing was counted. */
struct queue_flow {
    int64_t second;                          /* of the newest count */
    uint32_t counts[QUEUE_FLOW_SECONDS + 1]; /* by second modulo their number */
};

void queue_flow_add(struct queue_flow *flow, int64_t now_us);

/** The average of the last whole seconds; the one that is not over does not count. */
double queue_flow_per_second(const struct queue_flow *flow, int64_t now_us);

#endif
