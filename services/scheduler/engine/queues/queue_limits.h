/**
 * queue_limits: how many jobs of a queue are leased at once, and how many are started in a time.
 *
 * A queue has the limits for all partitions together. Each partition keeps to its own share of
 * them, so that none has to ask another before it hands out a job, whichever process it is in; the
 * shares add up to the limit, and each is at least one as long as the limit is no smaller than the
 * number of partitions.
 *
 * The starts are a bucket of tokens: full, it holds the whole count; it fills evenly over the
 * period, and each start takes one. So after a rest all of the count may start at once.
 *
 * Pure: time is a parameter. Threads: none.
 */
#ifndef SCHEDULER_QUEUE_LIMITS_H
#define SCHEDULER_QUEUE_LIMITS_H

#include "base/status.h"

#include <stdint.h>

enum {
    QUEUE_CONCURRENCY_MAX = 1'000'000,
    QUEUE_RATE_COUNT_MAX  = 1'000'000,
};
#define QUEUE_RATE_PERIOD_MIN_US INT64_C(1'000'000)
#define QUEUE_RATE_PERIOD_MAX_US INT64_C(86'400'000'000)
#define START_RATE_OWED_US_MAX   (INT64_C(1) << 55) /* some 1,100 years: its end has four digits */

struct queue_limits {
    uint32_t concurrency;   /* 0: no limit */
    uint32_t rate_count;    /* 0: no limit */
    int64_t rate_period_us; /* of rate_count */
    uint32_t rate_unit;     /* what each stands for, of limits of tokens; 0: one start */
};

/** INVALID_ARGUMENT: a limit is out of bounds, or smaller than the number of partitions. */
status queue_limits_check(const struct queue_limits *limits, uint16_t partitions,
                          struct error *reterr);

/** The share of the partition `index` of `count`. */
struct queue_limits queue_limits_share(const struct queue_limits *limits, uint16_t index,
                                       uint16_t count);

/** The bucket. Zeroed: there is no limit. */
struct start_rate {
    uint32_t count;  /* tokens when it is full; 0: no limit */
    int64_t step_us; /* in which one token comes */
    int64_t full_us; /* when it will be full, or was */
};

/** Another limit. The bucket is as full as it was, in parts of what it holds: who changes a limit
 * to and fro gets no more starts than the larger of both allows. It holds no fewer tokens than it
 * would if it had been emptied now. */
void start_rate_set(struct start_rate *rate, const struct queue_limits *limits, int64_t now_us);

/** From when on something may be started; 0: there is no limit. */
int64_t start_rate_opens_us(const struct start_rate *rate);

/** How many may be started now, if there is a limit. */
uint32_t start_rate_tokens(const struct start_rate *rate, int64_t now_us);

/** So many are started, also more than there are tokens: the next one waits for all of them, but no
 * longer than START_RATE_OWED_US_MAX. */
void start_rate_take(struct start_rate *rate, uint32_t count, int64_t now_us);

/** So many that were taken come back, if there is a limit. */
void start_rate_return(struct start_rate *rate, uint32_t count, int64_t now_us);

/** When there will be so many tokens, at most all that it holds, if nothing is started. */
int64_t start_rate_due_us(const struct start_rate *rate, uint32_t count);

bool queue_limits_are_same(const struct queue_limits *a, const struct queue_limits *b);

#endif
