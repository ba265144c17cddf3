/* What calls have met of their providers: told to the scheduler by one report at a time, which has
 * a number and goes again until it is answered, so that it counts once. */
#include "base/clock.h"
#include "llm-proxy/guard/guard_internal.h"

static bool is_any(const struct met *met)
{
    return met->failures > 0 || met->rest_until_us > 0 || met->probe != 0;
}

/* --- a report ----------------------------------------------------------------------------------
 */

/* What is to be said now. False: there is nothing. */
static bool collect(struct guard *guard)
{
    bool has_any = false;
    for (size_t i = 0; i < guard->count; i++) {
        struct guarded *provider = &guard->providers[i];
        provider->telling        = provider->unsaid;
        provider->unsaid         = (struct met){};
        has_any |= is_any(&provider->telling);
    }
    if (has_any) guard->met_number++;
    return has_any;
}

/* Nobody knows whether it was counted: it goes again when the scheduler is back. */
static void on_lost(struct guard *guard)
{
    guard->is_met_unheard = true;
    guard_away_begin(guard);
}

static void on_heard(void *context, void *, const struct rpc_answer *answer)
{
    struct guard *guard         = context;
    const Pb__BreakerList *list = answer->message;
    guard->is_telling_met       = false;
    if (!list) {
        on_lost(guard);
        return;
    }
    guard->is_met_unheard = false;
    for (size_t i = 0; i < guard->count; i++) guard->providers[i].telling = (struct met){};
    guard_take_breakers(guard, list);
    guard_tell_met(guard);
}

void guard_tell_met(struct guard *guard)
{
    Pb__TargetReport items[GUARD_TARGETS_MAX];
    Pb__TargetReport *list[GUARD_TARGETS_MAX];
    Pb__BreakerReport message = PB__BREAKER_REPORT__INIT;
    if (guard->is_telling_met || guard->is_away || !guard->questions.scheduler) return;
    if (!guard->is_met_unheard && !collect(guard)) return;
    for (size_t i = 0; i < guard->count; i++) {
        const struct met *met  = &guard->providers[i].telling;
        Pb__TargetReport *item = &items[message.n_targets];
        if (!is_any(met)) continue;
        *item                     = (Pb__TargetReport)PB__TARGET_REPORT__INIT;
        item->target              = guard->providers[i].target;
        item->failures            = met->failures;
        item->rest_until_us       = met->rest_until_us;
        item->probe               = met->probe;
        list[message.n_targets++] = item;
    }
    message.targets            = list;
    message.holder             = guard->name;
    message.number             = guard->met_number;
    struct rpc_request request = {
        .service = &pb__breakers__descriptor, .method = "Report", .message = &message};
    guard->is_telling_met = guard_ask(guard, NULL, &request, on_heard);
    if (!guard->is_telling_met) on_lost(guard);
}

static void forget_old(struct met *met, int64_t window_us, int64_t now_us)
{
    int64_t age_us = now_us - met->since_us;
    if (age_us >= window_us) met->failures = 0;
    if (met->rest_until_us <= now_us) met->rest_until_us = 0;
    if (age_us >= BREAKER_PROBE_US) met->probe = PB__PROBE_END__PROBE_END_NONE;
}

/* Less of a report may go again than went first: if that was counted, this is not. */
void guard_forget_met(struct guard *guard)
{
    int64_t now_us = clock_unix_us();
    bool has_any   = false;
    for (size_t i = 0; i < guard->count; i++) {
        struct guarded *provider = &guard->providers[i];
        forget_old(&provider->unsaid, provider->rules.window_us, now_us);
        forget_old(&provider->telling, provider->rules.window_us, now_us);
        has_any |= is_any(&provider->telling);
    }
    guard->is_met_unheard = guard->is_met_unheard && has_any;
}

/* --- what is met -------------------------------------------------------------------------------
 */

static void note(struct guard *guard, struct guarded *provider, const struct met *more)
{
    struct met *unsaid = &provider->unsaid;
    if (guard->is_away) guard_meet_alone(provider, more);
    if (!is_any(unsaid)) unsaid->since_us = clock_unix_us();
    if (!guard->is_away) unsaid->failures += more->failures; /* else as the breaker counts them */
    if (more->rest_until_us > unsaid->rest_until_us) unsaid->rest_until_us = more->rest_until_us;
    if (more->probe != PB__PROBE_END__PROBE_END_NONE) unsaid->probe = more->probe;
    guard_tell_met(guard);
}

void guard_note_failure(struct guard *guard, size_t provider)
{
    note(guard, &guard->providers[provider], &(struct met){.failures = 1});
}

void guard_note_rest(struct guard *guard, size_t provider, int64_t rest_ms)
{
    const struct met met = {.rest_until_us = clock_unix_us() + rest_ms * 1000};
    note(guard, &guard->providers[provider], &met);
}

void guard_note_probe(struct guard *guard, struct guarded *provider, enum guard_end end)
{
    static const Pb__ProbeEnd ends[] = {
        [GUARD_UNUSED]    = PB__PROBE_END__PROBE_END_RETURNED,
        [GUARD_RETURNED]  = PB__PROBE_END__PROBE_END_RETURNED,
        [GUARD_SUCCEEDED] = PB__PROBE_END__PROBE_END_SUCCEEDED,
        [GUARD_FAILED]    = PB__PROBE_END__PROBE_END_FAILED,
    };
    note(guard, provider, &(struct met){.probe = ends[end]});
}
