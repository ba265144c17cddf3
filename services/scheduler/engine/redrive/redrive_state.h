/* What is known in memory of a queue whose letters are redriven. Within this folder. */
#ifndef SCHEDULER_REDRIVE_STATE_H
#define SCHEDULER_REDRIVE_STATE_H

#include "scheduler/engine/redrive/redrive.h"

/** A walk over the letters of a queue, the oldest first. */
struct letter_pass {
    bool is_on;
    uint64_t last;  /* the newest letter that was looked at, and need not be again */
    int64_t due_us; /* when the next one is to be looked at */
};

struct queue_redrive {
    struct queue_redrive *next;
    struct queue *queue;
    Pb__QueueRedrive *row; /* owned: protobuf-c */
    struct start_rate rate, sweep_rate;
    struct letter_pass aged, closed, sweep;
};

/** NULL: nothing is known of it. */
struct queue_redrive *redrive_find(const struct engine *engine, const struct queue *queue);
struct queue_redrive *redrive_at(struct engine *engine, struct queue *queue);

/** Takes a copy of `row` as what the row says. */
status redrive_replace(struct queue_redrive *redrive, const Pb__QueueRedrive *row,
                       struct error *reterr);

#endif
