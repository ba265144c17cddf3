#include "scheduler/engine/queues/queue_limits.h"

status queue_limits_check(const struct queue_limits *limits, uint16_t partitions,
                          struct error *reterr)
{
    if (limits->concurrency > QUEUE_CONCURRENCY_MAX ||
        (limits->concurrency > 0 && limits->concurrency < partitions)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "concurrency: %u to %d, as each of the %u partitions has a share, or null",
                    partitions, QUEUE_CONCURRENCY_MAX, partitions);
    }
    if (limits->rate_count == 0) return STATUS_OK;
    if (limits->rate_count > QUEUE_RATE_COUNT_MAX || limits->rate_count < partitions) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "rate.count: %u to %d, as each of the %u partitions has a share", partitions,
                    QUEUE_RATE_COUNT_MAX, partitions);
    }
    if (limits->rate_period_us < QUEUE_RATE_PERIOD_MIN_US ||
        limits->rate_period_us > QUEUE_RATE_PERIOD_MAX_US) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "rate.per: from `1s` to `24h`");
    }
    return STATUS_OK;
}

static uint32_t share_of(uint32_t total, uint16_t index, uint16_t count)
{
    return total / count + (index < total % count ? 1 : 0);
}

struct queue_limits queue_limits_share(const struct queue_limits *limits, uint16_t index,
                                       uint16_t count)
{
    return (struct queue_limits){
        .concurrency    = share_of(limits->concurrency, index, count),
        .rate_count     = share_of(limits->rate_count, index, count),
        .rate_period_us = limits->rate_period_us,
    };
}

bool queue_limits_are_same(const struct queue_limits *a, const struct queue_limits *b)
{
    return a->concurrency == b->concurrency && a->rate_count == b->rate_count &&
           a->rate_period_us == b->rate_period_us && a->rate_unit == b->rate_unit;
}

/* --- the bucket --------------------------------------------------------------------------------
 */

/* As much of the new bucket is missing as of the old one. Rounded up. */
static int64_t scaled_us(int64_t missing_us, int64_t from_us, int64_t to_us)
{
    if (from_us == to_us || missing_us <= 0) return missing_us;
    double share = (double)missing_us / (double)from_us;
    return share < 1 ? (int64_t)(share * (double)to_us) + 1 : to_us;
}

void start_rate_set(struct start_rate *rate, const struct queue_limits *limits, int64_t now_us)
{
    int64_t count      = limits->rate_count;
    int64_t filling_us = rate->count * rate->step_us;
    if (count == 0) {
        *rate = (struct start_rate){};
        return;
    }
    rate->count   = limits->rate_count;
    rate->step_us = (limits->rate_period_us + count - 1) / count; /* never faster than asked for */
    int64_t most_us = count * rate->step_us;
    if (filling_us > 0) {
        rate->full_us = now_us + scaled_us(rate->full_us - now_us, filling_us, most_us);
    }
    if (rate->full_us > now_us + most_us) rate->full_us = now_us + most_us;
}

int64_t start_rate_opens_us(const struct start_rate *rate)
{
    if (rate->count == 0) return 0;
    return rate->full_us - (int64_t)(rate->count - 1) * rate->step_us;
}

uint32_t start_rate_tokens(const struct start_rate *rate, int64_t now_us)
{
    if (rate->count == 0 || rate->full_us <= now_us) return rate->count;
    int64_t missing = (rate->full_us - now_us + rate->step_us - 1) / rate->step_us;
    return missing >= rate->count ? 0 : rate->count - (uint32_t)missing;
}

/* A bucket that holds little may owe for longer than a time can say. */
static int64_t time_of(const struct start_rate *rate, uint32_t count)
{
    return count <= START_RATE_OWED_US_MAX / rate->step_us ? count * rate->step_us
                                                           : START_RATE_OWED_US_MAX;
}

void start_rate_take(struct start_rate *rate, uint32_t count, int64_t now_us)
{
    int64_t most_us = now_us + START_RATE_OWED_US_MAX;
    if (rate->count == 0) return;
    if (rate->full_us < now_us) rate->full_us = now_us;
    rate->full_us += time_of(rate, count);
    if (rate->full_us > most_us) rate->full_us = most_us;
}

void start_rate_return(struct start_rate *rate, uint32_t count, int64_t now_us)
{
    if (rate->count == 0) return;
    rate->full_us -= time_of(rate, count);
    if (rate->full_us < now_us) rate->full_us = now_us; /* it is full */
}

int64_t start_rate_due_us(const struct start_rate *rate, uint32_t count)
{
    if (rate->count == 0) return 0;
    uint32_t missing = count < rate->count ? rate->count - count : 0;
    return rate->full_us - missing * rate->step_us;
}
