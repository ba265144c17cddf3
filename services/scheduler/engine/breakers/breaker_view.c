#include "scheduler/engine/breakers/breaker_view.h"

void breaker_view_fill(const struct known_breaker *known, const struct breaker_settings *settings,
                       int64_t now_us, Pb__BreakerView *ret_view)
{
    struct breaker breaker  = known->breaker; /* a copy: counting forgets */
    *ret_view               = (Pb__BreakerView)PB__BREAKER_VIEW__INIT;
    ret_view->state         = (Pb__BreakerState)breaker.state; /* the same numbers */
    ret_view->forced        = breaker.is_forced;
    ret_view->since_us      = breaker.since_us;
    ret_view->until_us      = breaker_until_us(&breaker);
    ret_view->held_until_us = breaker.held_until_us > now_us ? breaker.held_until_us : 0;
    ret_view->failures      = breaker_failures(&breaker, settings, now_us);
    ret_view->successes     = breaker.successes;
    ret_view->failures_max  = settings->failures;
    ret_view->window_us     = settings->window_us;
    ret_view->open_us       = settings->open_us;
    ret_view->successes_max = settings->successes;
    ret_view->opened        = known->opened;
    ret_view->failed        = known->failed;
    if (ret_view->until_us <= now_us) ret_view->until_us = 0;
}
