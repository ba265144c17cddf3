#include "llm-proxy/guard/guard_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "breaker.pb-c.h"
#include "limit.pb-c.h"
#include "llm-proxy/keys/key_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 1'000 /* of who was refused and nobody knows how long */ };

/* --- who waits ---------------------------------------------------------------------------------
 */

static void wait_begin(struct guarded *provider, struct guard_pass *pass)
{
    pass->is_waiting = true;
    pass->next       = NULL;
    pass->previous   = provider->last;
    if (provider->last) {
        provider->last->next = pass;
    } else {
        provider->first = pass;
    }
    provider->last = pass;
}

static void wait_end(struct guarded *provider, struct guard_pass *pass)
{
    if (pass->previous) {
        pass->previous->next = pass->next;
    } else {
        provider->first = pass->next;
    }
    if (pass->next) {
        pass->next->previous = pass->previous;
    } else {
        provider->last = pass->previous;
    }
    pass->is_waiting = false;
}

static void decide(struct guard_pass *pass, enum guard_verdict verdict)
{
    ASSERT(pass->provider); /* it waits */
    wait_end(pass->provider, pass);
    if (verdict != GUARD_GO) pass->provider = NULL;
    pass->decided(verdict, pass->context);
}

/* The first of those that wait for a probe, or for a permit. */
static struct guard_pass *waiter(const struct guarded *provider, bool wants_probe)
{
    struct guard_pass *pass = provider->first;
    while (pass && pass->wants_probe != wants_probe) pass = pass->next;
    return pass;
}

static uint32_t count_waiters(const struct guarded *provider)
{
    uint32_t count = 0;
    for (const struct guard_pass *pass = provider->first; pass; pass = pass->next) {
        if (!pass->wants_probe) count++;
    }
    return count;
}

/* --- questions ---------------------------------------------------------------------------------
 */

bool guard_ask(struct guard *guard, void *about, struct rpc_request *request, question_use_fn *use)
{
    return question_ask(&guard->questions, about, request, use);
}

static struct guarded *find(struct guard *guard, const char *target)
{
    for (size_t i = 0; i < guard->count; i++) {
        if (strcmp(guard->providers[i].target, target) == 0) return &guard->providers[i];
    }
    return NULL;
}

/* --- breakers ----------------------------------------------------------------------------------
 */

/* Those of the defaults where an older scheduler does not say them. */
static void take_rules(struct guarded *provider, const Pb__BreakerView *view)
{
    bool is_said = view->failures_max >= 1 && view->failures_max <= BREAKER_FAILURES_MAX &&
                   view->successes_max >= 1 && view->window_us > 0 && view->open_us > 0;
    if (!is_said) return;
    provider->rules = (struct breaker_settings){.failures  = view->failures_max,
                                                .window_us = view->window_us,
                                                .open_us   = view->open_us,
                                                .successes = view->successes_max};
}

static void take_breaker(struct guarded *provider, const Pb__BreakerView *view)
{
    take_rules(provider, view);
    provider->state          = view->state;
    provider->until_us       = view->until_us;
    provider->rests_until_us = view->held_until_us;
}

static void on_breakers(void *context, void *, const struct rpc_answer *answer)
{
    struct guard *guard         = context;
    const Pb__BreakerList *list = answer->message;
    if (!list) {
        guard_away_begin(guard);
        return;
    }
    guard_away_end(guard);
    for (size_t i = 0; i < guard->count; i++) {
        guard->providers[i].state          = PB__BREAKER_STATE__BREAKER_STATE_CLOSED;
        guard->providers[i].rests_until_us = 0;
    }
    guard_take_breakers(guard, list);
}

void guard_take_breakers(struct guard *guard, const Pb__BreakerList *list)
{
    for (size_t i = 0; i < list->n_breakers; i++) {
        struct guarded *provider = find(guard, list->breakers[i]->name);
        if (provider) take_breaker(provider, list->breakers[i]);
    }
}

static void on_probe(void *, void *about, const struct rpc_answer *answer)
{
    struct guarded *provider    = about;
    const Pb__BreakerList *list = answer->message;
    struct guard_pass *pass     = NULL;
    bool may_probe              = false;
    provider->is_probing        = false;
    if (list) {
        provider->state = PB__BREAKER_STATE__BREAKER_STATE_CLOSED; /* none is known: it is fine */
        for (size_t i = 0; i < list->n_breakers; i++) {
            take_breaker(provider, list->breakers[i]);
            may_probe |= list->breakers[i]->probe;
        }
    }
    bool is_closed = list && provider->state == PB__BREAKER_STATE__BREAKER_STATE_CLOSED;
    while ((pass = waiter(provider, true))) {
        if (!is_closed && !may_probe) {
            decide(pass, GUARD_BREAKER);
            continue;
        }
        pass->is_probe = may_probe;
        may_probe      = false;
        decide(pass, GUARD_GO);
    }
}

static void ask_for_probe(struct guard *guard, struct guarded *provider)
{
    Pb__TargetReport item      = PB__TARGET_REPORT__INIT;
    Pb__TargetReport *items[]  = {&item};
    Pb__BreakerReport message  = PB__BREAKER_REPORT__INIT;
    item.target                = provider->target;
    item.wants_probe           = true;
    message.targets            = items;
    message.n_targets          = 1;
    message.holder             = guard->name;
    struct rpc_request request = {
        .service = &pb__breakers__descriptor, .method = "Report", .message = &message};
    provider->is_probing = guard_ask(guard, provider, &request, on_probe);
}

/* --- limits ------------------------------------------------------------------------------------
 */

static void refuse_waiters(struct guarded *provider)
{
    struct guard_pass *pass;
    while ((pass = waiter(provider, false))) decide(pass, GUARD_LIMIT);
}

static void lease(struct guard *guard, struct guarded *provider, uint32_t unused);

static void on_leased(void *context, void *about, const struct rpc_answer *answer)
{
    struct guard *guard            = context;
    struct guarded *provider       = about;
    const Pb__LeasedLimits *leased = answer->message;
    struct guard_pass *pass        = NULL;
    provider->is_leasing           = false;
    if (!leased || leased->n_limits == 0) {
        refuse_waiters(provider);
        return;
    }
    const Pb__LimitLease *granted = leased->limits[0];
    provider->is_limited          = granted->is_limited;
    if (granted->retry_us > 0) provider->opens_us = granted->retry_us;
    provider->spare += granted->granted;
    provider->said += granted->granted;
    while ((pass = waiter(provider, false)) && (provider->spare > 0 || !granted->is_limited)) {
        pass->has_permit = granted->is_limited;
        if (pass->has_permit) provider->spare--;
        if (pass->has_permit) provider->used++;
        decide(pass, GUARD_GO);
    }
    bool was_short = granted->granted == 0;
    if (was_short) refuse_waiters(provider);
    if (waiter(provider, false)) lease(guard, provider, 0); /* they came meanwhile */
}

/* One question at a time, so that what is said to be held is what the scheduler has given.
 * `unused`: of that nobody has used so many, and they are not held any more. */
static void lease(struct guard *guard, struct guarded *provider, uint32_t unused)
{
    if (provider->is_leasing) return;
    Pb__LimitWant want         = PB__LIMIT_WANT__INIT;
    Pb__LimitWant *wants[]     = {&want};
    Pb__LeaseLimits message    = PB__LEASE_LIMITS__INIT;
    want.name                  = provider->target;
    want.want                  = count_waiters(provider);
    want.held                  = provider->used + provider->spare;
    want.unused                = unused;
    message.holder             = guard->name;
    message.limits             = wants;
    message.n_limits           = 1;
    struct rpc_request request = {
        .service = &pb__limits__descriptor, .method = "Lease", .message = &message};
    provider->is_leasing = guard_ask(guard, provider, &request, on_leased);
    if (provider->is_leasing) provider->said = want.held;
}

static void on_limits(void *context, void *, const struct rpc_answer *answer)
{
    struct guard *guard       = context;
    const Pb__LimitList *list = answer->message;
    if (!list) return;
    quotas_learn(guard->quotas, list);
    for (size_t i = 0; i < guard->count; i++) guard->providers[i].is_limited = false;
    for (size_t i = 0; i < list->n_limits; i++) {
        struct guarded *provider = find(guard, list->limits[i]->name);
        if (!provider || !list->limits[i]->rule) continue;
        provider->counts_starts = list->limits[i]->rule->rate_count > 0;
        provider->is_limited    = provider->counts_starts || list->limits[i]->rule->concurrency > 0;
    }
}

/* --- every second ------------------------------------------------------------------------------
 */

static void refresh_breakers(struct guard *guard)
{
    Pb__TargetReport items[GUARD_TARGETS_MAX];
    Pb__TargetReport *list[GUARD_TARGETS_MAX];
    Pb__BreakerReport message = PB__BREAKER_REPORT__INIT;
    for (size_t i = 0; i < guard->count; i++) {
        items[i]        = (Pb__TargetReport)PB__TARGET_REPORT__INIT;
        items[i].target = guard->providers[i].target;
        list[i]         = &items[i];
    }
    message.targets            = list;
    message.n_targets          = guard->count;
    message.holder             = guard->name;
    struct rpc_request request = {
        .service = &pb__breakers__descriptor, .method = "Report", .message = &message};
    if (!guard_ask(guard, NULL, &request, on_breakers)) guard_away_begin(guard);
}

static void refresh_limits(struct guard *guard)
{
    Pb__ListLimits message     = PB__LIST_LIMITS__INIT;
    message.prefix             = "llm:";
    struct rpc_request request = {
        .service = &pb__limits__descriptor, .method = "List", .message = &message};
    (void)guard_ask(guard, NULL, &request, on_limits);
}

/* Whoever waits for an answer that does not come waits no longer than this. */
static void look_after(struct guard *guard, struct guarded *provider)
{
    bool is_needed          = provider->used > 0 || provider->said > 0;
    struct guard_pass *pass = NULL;
    while (!provider->is_probing && (pass = waiter(provider, true))) decide(pass, GUARD_BREAKER);
    if (provider->is_leasing) return;
    refuse_waiters(provider);
    uint32_t unused = provider->spare;
    provider->spare = 0;
    if (is_needed) lease(guard, provider, unused);
}

static void on_tick(void *context)
{
    struct guard *guard = context;
    for (size_t i = 0; i < guard->count; i++) look_after(guard, &guard->providers[i]);
    quotas_tick(guard->quotas);
    refresh_breakers(guard);
    refresh_limits(guard);
    guard_funds_refresh(guard);
    guard_tell_usage(guard);
    loop_timer_set(guard->loop, &guard->tick, loop_now_ms(guard->loop) + GUARD_REFRESH_MS);
}

/* --- from outside ------------------------------------------------------------------------------
 */

struct guard *guard_new(struct loop *loop, const struct catalog *catalog)
{
    struct guard *guard     = mem_new(1, sizeof *guard);
    guard->loop             = loop;
    guard->may_have_budgets = true;
    guard->call_ids         = (struct id_source){.counter = (uint32_t)random_u64()};
    guard->questions        = (struct questions){
               .loop = loop, .context = guard, .timeout_ms = 5 * (int64_t)GUARD_REFRESH_MS};
    guard->tollgates = tollgates_new(&(struct tollgates_options){
        .loop = loop, .tick_ms = GUARD_REFRESH_MS, .crowded_ms = KEY_ROOM_CROWDED_MS});
    guard->quotas    = quotas_new(&guard->questions, guard->name);
    guard->ratios    = token_ratios_new();
    bool is_known    = guard_learn(guard, catalog);
    ASSERT(is_known); /* CATALOG_PROVIDERS_MAX is less */
    return guard;
}

size_t guard_place(const struct guard *guard, const char *provider)
{
    size_t place = 0;
    while (place < guard->count &&
           strcmp(guard->providers[place].target + sizeof "llm:" - 1, provider) != 0) {
        place++;
    }
    return place;
}

bool guard_learn(struct guard *guard, const struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->provider_count; i++) {
        const char *name = catalog->providers[i].name;
        if (guard_place(guard, name) < guard->count) continue;
        if (guard->count == GUARD_TARGETS_MAX) return false;
        struct guarded *provider = &guard->providers[guard->count++];
        provider->guard          = guard;
        provider->rules          = breaker_settings_default;
        provider->alone          = (struct breaker){};
        (void)snprintf(provider->target, sizeof provider->target, "llm:%s", name);
    }
    return true;
}

void guard_start(struct guard *guard, struct rpc_client *scheduler, const char *name)
{
    (void)snprintf(guard->name, sizeof guard->name, "%.80s#%016" PRIx64, name, random_u64());
    guard->tick = (struct loop_timer){.fire = on_tick, .context = guard};
    loop_timer_set(guard->loop, &guard->tick, 0);
    guard->questions.scheduler = scheduler;
    tollgates_open(guard->tollgates, scheduler, guard->name);
}

void guard_stop(struct guard *guard)
{
    if (guard->questions.scheduler) loop_timer_clear(guard->loop, &guard->tick);
    tollgates_close(guard->tollgates);
    guard->questions.scheduler = NULL;
}

void guard_freep(struct guard **guard)
{
    if (*guard) guard_funds_done(*guard);
    if (*guard) guard_runs_done(*guard);
    if (*guard) tollgates_freep(&(*guard)->tollgates);
    if (*guard) quotas_freep(&(*guard)->quotas);
    if (*guard) token_ratios_freep(&(*guard)->ratios);
    free(*guard);
    *guard = NULL;
}

enum guard_verdict guard_enter(struct guard *guard, size_t index, struct guard_pass *pass)
{
    struct guarded *provider = &guard->providers[index];
    int64_t now_us           = clock_unix_us();
    bool is_closed           = provider->state == PB__BREAKER_STATE__BREAKER_STATE_CLOSED;
    bool is_open             = provider->state == PB__BREAKER_STATE__BREAKER_STATE_OPEN &&
                   (provider->until_us == 0 || provider->until_us > now_us);
    if (!guard->questions.scheduler) return GUARD_GO;
    if (guard->is_away && !provider->is_limited) return guard_enter_alone(provider, pass);
    if (is_open || provider->rests_until_us > now_us) return GUARD_BREAKER;
    if (is_closed && !provider->is_limited) return GUARD_GO;
    pass->provider    = provider;
    pass->wants_probe = !is_closed;
    if (is_closed && provider->spare > 0) {
        provider->spare--;
        provider->used++;
        pass->has_permit = true;
        return GUARD_GO;
    }
    wait_begin(provider, pass);
    if (is_closed) {
        lease(guard, provider, 0);
    } else if (!provider->is_probing) {
        ask_for_probe(guard, provider);
    }
    return GUARD_WAIT;
}

int64_t guard_retry_ms(const struct guard *guard, size_t index)
{
    const struct guarded *provider = &guard->providers[index];
    bool is_closed                 = provider->state == PB__BREAKER_STATE__BREAKER_STATE_CLOSED;
    int64_t until_us               = provider->rests_until_us;
    if (!is_closed && provider->until_us > until_us) until_us = provider->until_us;
    if (is_closed && provider->opens_us > until_us) until_us = provider->opens_us;
    if (guard->is_away) until_us = breaker_until_us(&provider->alone);
    return guard_left_ms(until_us);
}

int64_t guard_left_ms(int64_t opens_us)
{
    int64_t left_ms = (opens_us - clock_unix_us()) / 1000;
    return left_ms > RETRY_MS ? left_ms : RETRY_MS;
}

struct quotas *guard_quotas(const struct guard *guard)
{
    return guard->quotas;
}

struct token_ratios *guard_ratios(const struct guard *guard)
{
    return guard->ratios;
}

void guard_leave(struct guard *guard, struct guard_pass *pass, enum guard_end end)
{
    struct guarded *provider = pass->provider;
    if (provider && pass->is_waiting) wait_end(provider, pass);
    if (provider && pass->has_permit) {
        provider->used--;
        if (!provider->counts_starts || end == GUARD_UNUSED) provider->spare++;
    }
    if (provider && pass->is_probe) guard_note_probe(guard, provider, end);
    if (provider && pass->is_own_probe) guard_leave_alone(provider, end);
    pass->provider     = NULL;
    pass->has_permit   = false;
    pass->is_probe     = false;
    pass->is_own_probe = false;
}
