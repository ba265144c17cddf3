#include "fleet/breaker.h"

#include "base/assert.h"

#include <string.h>

const struct breaker_settings breaker_settings_default = {
    .failures  = BREAKER_FAILURES,
    .window_us = BREAKER_WINDOW_US,
    .open_us   = BREAKER_OPEN_US,
    .successes = BREAKER_SUCCESSES,
};

const char *breaker_state_name(enum breaker_state state)
{
    switch (state) {
    case BREAKER_CLOSED: return "closed";
    case BREAKER_OPEN: return "open";
    case BREAKER_HALF_OPEN: return "half_open";
    }
    return "";
}

/* The one way from state to state: whatever belongs to the one before is forgotten. */
static void enter(struct breaker *breaker, enum breaker_state state, int64_t now_us)
{
    breaker->state          = state;
    breaker->is_forced      = false;
    breaker->since_us       = now_us;
    breaker->changed_us     = now_us;
    breaker->half_open_us   = 0;
    breaker->probe_until_us = 0;
    breaker->successes      = 0;
    breaker->failure_count  = 0;
}

static void enter_open(struct breaker *breaker, const struct breaker_settings *settings,
                       int64_t now_us)
{
    enter(breaker, BREAKER_OPEN, now_us);
    breaker->half_open_us = now_us + settings->open_us;
}

uint32_t breaker_failures(struct breaker *breaker, const struct breaker_settings *settings,
                          int64_t now_us)
{
    uint32_t old = 0;
    while (old < breaker->failure_count &&
           breaker->failed_us[old] <= now_us - settings->window_us) {
        old++;
    }
    breaker->failure_count -= old;
    memmove(breaker->failed_us, breaker->failed_us + old,
            breaker->failure_count * sizeof *breaker->failed_us);
    return breaker->failure_count;
}

bool breaker_fail(struct breaker *breaker, const struct breaker_settings *settings, uint32_t count,
                  int64_t now_us)
{
    ASSERT(settings->failures >= 1 && settings->failures <= BREAKER_FAILURES_MAX);
    if (breaker->state != BREAKER_CLOSED || count == 0) return false;
    uint32_t known      = breaker_failures(breaker, settings, now_us);
    breaker->changed_us = now_us;
    if (known >= settings->failures || count >= settings->failures - known) {
        enter_open(breaker, settings, now_us);
        return true;
    }
    for (uint32_t i = 0; i < count; i++) breaker->failed_us[breaker->failure_count++] = now_us;
    return false;
}

bool breaker_take_probe(struct breaker *breaker, int64_t now_us)
{
    bool is_resting = breaker->held_until_us > now_us;
    if (breaker->state != BREAKER_HALF_OPEN || breaker->probe_until_us > 0 || is_resting) {
        return false;
    }
    breaker->probe_until_us = now_us + BREAKER_PROBE_US;
    breaker->changed_us     = now_us;
    return true;
}

bool breaker_end_probe(struct breaker *breaker, const struct breaker_settings *settings,
                       enum probe_end end, int64_t now_us)
{
    if (breaker->state != BREAKER_HALF_OPEN || breaker->probe_until_us == 0) return false;
    breaker->probe_until_us = 0;
    breaker->changed_us     = now_us;
    switch (end) {
    case PROBE_RETURNED: return false;
    case PROBE_FAILED: enter_open(breaker, settings, now_us); return true;
    case PROBE_SUCCEEDED: break;
    }
    breaker->successes++;
    if (breaker->successes < settings->successes) return false;
    enter(breaker, BREAKER_CLOSED, now_us);
    return true;
}

bool breaker_hold(struct breaker *breaker, int64_t until_us, int64_t now_us)
{
    if (until_us > now_us + BREAKER_HELD_US_MAX) until_us = now_us + BREAKER_HELD_US_MAX;
    if (until_us <= now_us || until_us <= breaker->held_until_us) return false;
    breaker->held_until_us = until_us;
    breaker->changed_us    = now_us;
    return true;
}

bool breaker_open(struct breaker *breaker, int64_t now_us)
{
    if (breaker->state == BREAKER_OPEN && breaker->is_forced) return false;
    enter(breaker, BREAKER_OPEN, now_us);
    breaker->is_forced = true;
    return true;
}

bool breaker_reset(struct breaker *breaker, int64_t now_us)
{
    bool is_fresh = breaker->state == BREAKER_CLOSED && breaker->failure_count == 0 &&
                    breaker->held_until_us == 0;
    if (is_fresh) return false;
    enter(breaker, BREAKER_CLOSED, now_us);
    breaker->held_until_us = 0;
    return true;
}

int64_t breaker_due_us(const struct breaker *breaker)
{
    const int64_t times_us[] = {breaker->half_open_us, breaker->probe_until_us,
                                breaker->held_until_us};
    int64_t due_us           = INT64_MAX;
    for (uint32_t i = 0; i < sizeof times_us / sizeof *times_us; i++) {
        if (times_us[i] > 0 && times_us[i] < due_us) due_us = times_us[i];
    }
    return due_us;
}

bool breaker_advance(struct breaker *breaker, int64_t now_us)
{
    if (breaker_due_us(breaker) > now_us) return false;
    breaker->changed_us = now_us;
    if (breaker->held_until_us <= now_us) breaker->held_until_us = 0;
    if (breaker->probe_until_us <= now_us) breaker->probe_until_us = 0;
    bool is_over = breaker->half_open_us > 0 && breaker->half_open_us <= now_us;
    if (is_over) enter(breaker, BREAKER_HALF_OPEN, now_us);
    return true;
}

bool breaker_lets_pass(const struct breaker *breaker, int64_t now_us)
{
    return breaker->state == BREAKER_CLOSED && breaker->held_until_us <= now_us;
}

int64_t breaker_until_us(const struct breaker *breaker)
{
    return breaker->half_open_us > breaker->held_until_us ? breaker->half_open_us
                                                          : breaker->held_until_us;
}
