/* While the scheduler cannot be reached: breakers go on from where they were last seen, by what
 * this process alone meets. What that was is told when the scheduler is back. */
#include "base/clock.h"
#include "base/log.h"
#include "llm-proxy/guard/guard_internal.h"

static struct breaker last_seen(const struct guarded *provider)
{
    bool is_open = provider->state == PB__BREAKER_STATE__BREAKER_STATE_OPEN;
    return (struct breaker){.state         = (enum breaker_state)provider->state,
                            .is_forced     = is_open && provider->until_us == 0,
                            .half_open_us  = is_open ? provider->until_us : 0,
                            .held_until_us = provider->rests_until_us};
}

/* What is being told counts here as well: perhaps nobody hears it. */
void guard_away_begin(struct guard *guard)
{
    if (guard->is_away || !guard->questions.scheduler) return;
    guard->is_away = true;
    guard->away_us = clock_unix_us();
    log_write(LOG_WARN, "llm.breakers_alone");
    for (size_t i = 0; i < guard->count; i++) {
        struct guarded *provider = &guard->providers[i];
        provider->alone          = last_seen(provider);
        provider->told_alone     = provider->telling.failures;
        guard_meet_alone(provider, &provider->telling);
        guard_meet_alone(provider, &provider->unsaid);
        provider->unsaid.failures = 0;
    }
}

/* What it has met that nobody was told of: an open one opens the scheduler's, too. One that nobody
 * has looked at since may have been open long ago. */
static uint32_t failures_met(struct guarded *provider)
{
    int64_t now_us = clock_unix_us();
    bool was_open  = provider->state != PB__BREAKER_STATE__BREAKER_STATE_CLOSED;
    (void)breaker_advance(&provider->alone, now_us);
    if (provider->alone.state == BREAKER_OPEN) return was_open ? 0 : provider->rules.failures;
    return breaker_failures(&provider->alone, &provider->rules, now_us);
}

/* What a report has that was heard meanwhile, or goes again, is in no other one. */
static uint32_t failures_left(struct guarded *provider, int64_t away_us)
{
    uint32_t count = failures_met(provider);
    uint32_t told  = away_us < provider->rules.window_us ? provider->told_alone : 0;
    return count > told ? count - told : 0;
}

void guard_away_end(struct guard *guard)
{
    if (!guard->is_away) return;
    int64_t now_us = clock_unix_us();
    guard->is_away = false;
    log_write(LOG_INFO, "llm.breakers_shared");
    guard_forget_met(guard);
    for (size_t i = 0; i < guard->count; i++) {
        struct guarded *provider  = &guard->providers[i];
        provider->unsaid.failures = failures_left(provider, now_us - guard->away_us);
        if (provider->unsaid.failures > 0) provider->unsaid.since_us = now_us;
    }
    guard_tell_met(guard);
}

void guard_meet_alone(struct guarded *provider, const struct met *met)
{
    int64_t now_us = clock_unix_us();
    (void)breaker_hold(&provider->alone, met->rest_until_us, now_us);
    if (!breaker_fail(&provider->alone, &provider->rules, met->failures, now_us)) return;
    log_write(LOG_WARN, "llm.breaker_opened_alone", LOG_STR("target", str_from(provider->target)));
}

enum guard_verdict guard_enter_alone(struct guarded *provider, struct guard_pass *pass)
{
    int64_t now_us = clock_unix_us();
    (void)breaker_advance(&provider->alone, now_us);
    if (breaker_lets_pass(&provider->alone, now_us)) return GUARD_GO;
    if (!breaker_take_probe(&provider->alone, now_us)) return GUARD_BREAKER;
    pass->provider     = provider;
    pass->is_own_probe = true;
    return GUARD_GO;
}

void guard_leave_alone(struct guarded *provider, enum guard_end end)
{
    static const enum probe_end ends[] = {[GUARD_UNUSED]    = PROBE_RETURNED,
                                          [GUARD_RETURNED]  = PROBE_RETURNED,
                                          [GUARD_SUCCEEDED] = PROBE_SUCCEEDED,
                                          [GUARD_FAILED]    = PROBE_FAILED};
    (void)breaker_end_probe(&provider->alone, &provider->rules, ends[end], clock_unix_us());
}
