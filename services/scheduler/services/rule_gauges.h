/**
 * rule_gauges: what is used of limits and budgets, as gauges of the admin port.
 *
 * Shown are limits that the API or the configuration sets for targets, and budgets; never keys,
 * which come from inputs. At most RULE_GAUGES_MAX of each; more are "other". One that is gone stays
 * at 0.
 *
 * Threads: one at a time.
 */
#ifndef SCHEDULER_RULE_GAUGES_H
#define SCHEDULER_RULE_GAUGES_H

#include "scheduler/scheduler.h"

enum { RULE_GAUGES_MAX = 500 };

struct metrics;
struct rule_gauges;

struct rule_gauges *rule_gauges_new(struct metrics *registry); /* owned */
void rule_gauges_free(struct rule_gauges *gauges);

/** Reads the system partition, if it is in this process, and who waits in the others of it. What
 * cannot be read stays as it was. */
void rule_gauges_set(struct rule_gauges *gauges, struct scheduler *scheduler, struct arena *arena);

#endif
