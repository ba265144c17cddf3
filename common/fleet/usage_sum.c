#include "fleet/usage_sum.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char OTHERS[] = "(others)";

static void add(int64_t *sum, int64_t more)
{
    if (__builtin_add_overflow(*sum, more, sum)) *sum = INT64_MAX;
}

void usage_counters_fill(const Pb__Usage *usage, Pb__UsageCounters *ret_counters)
{
    bool is_priced = (int)usage->cost_source >= 0 &&
                     (int)usage->cost_source < (int)PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    bool is_saved = usage->cost_source == PB__COST_SOURCE__COST_SOURCE_CACHED;
    pb__usage_counters__init(ret_counters);
    ret_counters->calls            = usage->calls;
    ret_counters->input_tokens     = usage->input_tokens;
    ret_counters->output_tokens    = usage->output_tokens;
    ret_counters->cached_tokens    = usage->cached_tokens;
    ret_counters->reasoning_tokens = usage->reasoning_tokens;
    ret_counters->cost_usd_nanos   = is_priced ? usage->cost_usd_nanos : 0;
    ret_counters->unpriced_calls   = is_priced ? 0 : usage->calls;
    ret_counters->simulated_calls  = usage->simulated ? usage->calls : 0;
    ret_counters->saved_calls      = is_saved ? usage->calls : 0;
    ret_counters->saved_usd_nanos  = usage->saved_usd_nanos;
}

void usage_counters_add(Pb__UsageCounters *sum, const Pb__UsageCounters *more)
{
    add(&sum->calls, more->calls);
    add(&sum->input_tokens, more->input_tokens);
    add(&sum->output_tokens, more->output_tokens);
    add(&sum->cached_tokens, more->cached_tokens);
    add(&sum->reasoning_tokens, more->reasoning_tokens);
    add(&sum->cost_usd_nanos, more->cost_usd_nanos);
    add(&sum->unpriced_calls, more->unpriced_calls);
    add(&sum->simulated_calls, more->simulated_calls);
    add(&sum->saved_calls, more->saved_calls);
    add(&sum->saved_usd_nanos, more->saved_usd_nanos);
}

bool usage_counters_are_zero(const Pb__UsageCounters *counters)
{
    return counters->calls == 0 && counters->input_tokens == 0 && counters->output_tokens == 0 &&
           counters->cost_usd_nanos == 0;
}

void usage_sum_init(struct usage_sum *sum)
{
    *sum = (struct usage_sum){.by_value = map_new(USAGE_GROUPS_MAX + 1)};
}

void usage_sum_done(struct usage_sum *sum)
{
    for (size_t i = 0; i < sum->count; i++) free(sum->groups[i].value);
    free(sum->groups);
    map_free(sum->by_value);
    *sum = (struct usage_sum){};
}

/* The map keeps places, since the array moves when it grows: 1 is the first. */
static struct usage_group *group_at(struct usage_sum *sum, str value)
{
    uintptr_t place = (uintptr_t)map_get(sum->by_value, value);
    if (place > 0) return &sum->groups[place - 1];
    if (sum->count == sum->room) {
        sum->room   = sum->room ? 2 * sum->room : 16;
        sum->groups = mem_resize(sum->groups, sum->room, sizeof *sum->groups);
    }
    struct usage_group *group = &sum->groups[sum->count++];
    pb__usage_counters__init(&group->counters);
    group->value = mem_new(value.len + 1, 1);
    if (value.len > 0) memcpy(group->value, value.ptr, value.len);
    bool is_added = map_put(sum->by_value, value, (void *)(uintptr_t)sum->count);
    ASSERT(is_added);
    return group;
}

void usage_sum_add(struct usage_sum *sum, str value, const Pb__UsageCounters *counters)
{
    bool is_full              = sum->count >= USAGE_GROUPS_MAX && !map_get(sum->by_value, value);
    struct usage_group *group = group_at(sum, is_full ? str_from(OTHERS) : value);
    usage_counters_add(&group->counters, counters);
}
