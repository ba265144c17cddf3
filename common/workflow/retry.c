#include "workflow/retry.h"

#include "base/assert.h"
#include "workflow/workflow.h"

#include <math.h>

/* A hundred years, as for every duration: what grows without end stops there. */
#define WAIT_US_MAX (36'525.0 * 86'400 * 1e6)

/* docs/guide/errors-and-retries.md, "Retries of calls". */
const struct retry_plan retry_job_default = {
    .backoff            = BACKOFF_EXPONENTIAL,
    .delay_us           = 1'000'000,
    .multiplier_percent = 200,
    .jitter_from_us     = 0,
    .jitter_to_us       = 1'000'000,
    .retries_max        = 3,
};

static double backoff_us(const struct retry_plan *plan, uint32_t n)
{
    double delay_us = (double)plan->delay_us;
    switch (plan->backoff) {
    case BACKOFF_LINEAR: {
        int64_t step_us = plan->increment_us ? plan->increment_us : plan->delay_us;
        return delay_us + (double)step_us * (n - 1);
    }
    case BACKOFF_EXPONENTIAL: {
        double wait_us = delay_us * pow(plan->multiplier_percent / 100.0, n - 1);
        bool is_capped = plan->delay_max_us > 0 && wait_us > (double)plan->delay_max_us;
        return is_capped ? (double)plan->delay_max_us : wait_us;
    }
    default: return delay_us;
    }
}

int64_t retry_delay_us(const struct retry_plan *plan, uint32_t n, uint64_t random)
{
    ASSERT(n > 0);
    ASSERT(plan->delay_us >= 0 && plan->increment_us >= 0);
    if (n > plan->retries_max) return RETRY_NEVER;

    int64_t wait_us = llround(fmin(backoff_us(plan, n), WAIT_US_MAX));
    if (plan->jitter_to_us <= plan->jitter_from_us) return wait_us + plan->jitter_from_us;
    uint64_t width = (uint64_t)(plan->jitter_to_us - plan->jitter_from_us) + 1;
    return wait_us + plan->jitter_from_us + (int64_t)(random % width);
}
