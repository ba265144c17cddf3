/**
 * retry: how long a failed attempt waits before the next one. Pure.
 *
 *     constant     delay
 *     linear       delay + increment * (n - 1); increment = delay where none is given: delay * n
 *     exponential  delay * multiplier^(n - 1), at most delay_max
 *
 * n counts retries from 1; a uniform jitter is added to every wait.
 */
#ifndef WORKFLOW_RETRY_H
#define WORKFLOW_RETRY_H

#include <stdint.h>

/** A rule whose durations have been evaluated. */
struct retry_plan {
    int backoff;                                  /* as in struct retry_rule */
    int64_t delay_us, increment_us, delay_max_us; /* delay_max 0: none */
    uint32_t multiplier_percent;
    int64_t jitter_from_us, jitter_to_us;
    uint32_t retries_max;
    int64_t attempt_duration_us, total_duration_us; /* 0: none */
};

/** The default of jobs of catalog functions (E8), for transient errors: 3 retries, 1 s, doubling,
 * jitter of up to 1 s. */
extern const struct retry_plan retry_job_default;

enum { RETRY_NEVER = -1 };

/** Microseconds to wait before retry `n` (from 1), or RETRY_NEVER if there is none left. `random`
 * comes from the caller, who journals the resulting time. */
int64_t retry_delay_us(const struct retry_plan *plan, uint32_t n, uint64_t random);

#endif
