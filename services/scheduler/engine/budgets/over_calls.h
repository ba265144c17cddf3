/**
 * over_calls: calls that are over. A question that comes after the end of its call, since it or its
 * repetition was long on its way, comes too late: nothing is set aside for it.
 *
 * A call is remembered for OVER_CALLS_US, and the last OVER_CALLS_MAX of them; whoever asks waits
 * for seconds. They are in memory only: what was on its way to a process that died is lost.
 *
 * The clock is a parameter. Threads: the engine thread.
 */
#ifndef SCHEDULER_BUDGETS_OVER_CALLS_H
#define SCHEDULER_BUDGETS_OVER_CALLS_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OVER_CALLS_MAX = 50'000 };
#define OVER_CALLS_US INT64_C(60'000'000)

struct over_calls;

struct over_calls *over_calls_new(void); /* owned */
void over_calls_free(struct over_calls *calls);

/** `call` is an id; what is none is not remembered. */
void over_calls_add(struct over_calls *calls, str call, int64_t now_us);

bool over_calls_have(struct over_calls *calls, str call, int64_t now_us);
size_t over_calls_count(const struct over_calls *calls);

#endif
