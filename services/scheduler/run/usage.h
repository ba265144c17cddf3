/** usage: tokens and money of one answer, or of all answers of a run so far. */
#ifndef SCHEDULER_USAGE_H
#define SCHEDULER_USAGE_H

#include <stdbool.h>
#include <stdint.h>

/** Where a cost comes from; the numbers of CostSource in proto/common.proto. */
enum cost_source {
    COST_NONE, /* nothing was counted */
    COST_REPORTED,
    COST_ESTIMATED,
    COST_CACHED,
    COST_SIMULATED,
    COST_FREE,
    COST_UNKNOWN, /* tokens are known, the price is not */
};

struct usage {
    int64_t input_tokens;
    int64_t output_tokens;
    int64_t cached_tokens;
    int64_t reasoning_tokens;
    int64_t cost_usd_nanos;
    int64_t calls; /* answers counted here */
    enum cost_source source;
    bool is_simulated; /* at least one of the answers was made up, not bought */
};

/** Adds `more` to `total`: counters stop at INT64_MAX, negative ones count as 0, and of two sources
 * the less certain one (the larger number) stays. */
void usage_add(struct usage *total, const struct usage *more);

/** Input and output together, at most INT64_MAX. */
int64_t usage_tokens(const struct usage *usage);

#endif
