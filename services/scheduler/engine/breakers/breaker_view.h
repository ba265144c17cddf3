/** breaker_view: breakers as callers see them, read from the rows of the system partition. */
#ifndef SCHEDULER_BREAKER_BREAKER_VIEW_H
#define SCHEDULER_BREAKER_BREAKER_VIEW_H

#include "scheduler/engine/breakers/breakers.h"

/** Everything but the name and the jobs that are held. */
void breaker_view_fill(const struct known_breaker *known, const struct breaker_settings *settings,
                       int64_t now_us, Pb__BreakerView *ret_view);

#endif
