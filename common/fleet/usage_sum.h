/**
 * usage_sum: what calls have used, added up by something they have in common.
 *
 * Counters stop at INT64_MAX. At most USAGE_GROUPS_MAX groups: what belongs to others is added to
 * one of the value "(others)".
 *
 * Threads: a sum belongs to one.
 */
#ifndef FLEET_USAGE_SUM_H
#define FLEET_USAGE_SUM_H

#include "base/map.h"
#include "base/str.h"
#include "common.pb-c.h"
#include "usage.pb-c.h"

#include <stdbool.h>

enum { USAGE_GROUPS_MAX = 10'000 };

/** What one report of usage counts for. Of an unknown source, or of one that is not known here, it
 * has no cost. */
void usage_counters_fill(const Pb__Usage *usage, Pb__UsageCounters *ret_counters);

void usage_counters_add(Pb__UsageCounters *sum, const Pb__UsageCounters *more);
bool usage_counters_are_zero(const Pb__UsageCounters *counters);

struct usage_group {
    Pb__UsageCounters counters;
    char *value; /* owned */
};

struct usage_sum {
    struct map *by_value;       /* owned */
    struct usage_group *groups; /* owned; in the order they came */
    size_t count, room;
};

void usage_sum_init(struct usage_sum *sum);
void usage_sum_done(struct usage_sum *sum);
void usage_sum_add(struct usage_sum *sum, str value, const Pb__UsageCounters *counters);

#endif
