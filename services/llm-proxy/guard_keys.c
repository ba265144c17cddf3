/* Limits that keys of providers have of their own, over all llm-proxies. */
#include "auth/key_limits.h"
#include "base/clock.h"
#include "base/mem.h"
#include "limit.pb-c.h"
#include "llm-proxy/guard_internal.h"
#include "llm-proxy/key_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 512, SPENT_MAX = 1'000'000 /* permits said at a time */ };

enum quantity { STARTS, PLACES, TOKENS, QUANTITY_COUNT };

/* A key as all llm-proxies name it; what is held of it here. */
struct guard_key {
    struct guard *guard;
    char name[NAME_SIZE];          /* PROVIDER/KEY */
    uint32_t most[QUANTITY_COUNT]; /* a minute; of places at a time; 0: no limit */
    uint32_t spare_starts, starts; /* leased; made since the last tick, */
    uint32_t last_starts;          /* and before */
    uint32_t spare_places, used_places;
    uint32_t said_places; /* how many the scheduler was last told of */
    int64_t tokens;       /* used, and not told */
    bool is_used;         /* since the last tick */
    bool is_asking;
    int64_t opens_ms; /* on the loop's clock */

    /* Of the question under way. */
    uint32_t wanted_starts, wanted_places, returned_starts;
    int64_t told_tokens;

    struct guard_key_pass *first, *last; /* that wait */
    struct guard_key *next;
};

static const char *const words[QUANTITY_COUNT] = {
    [STARTS] = "requests", [PLACES] = "parallel", [TOKENS] = "tokens"};

/* Of a rate above what the scheduler counts every llm-proxy keeps its own. */
static void read_limits(struct guard_key *key, const struct provider_key *configured)
{
    bool is_countable = configured->requests_per_minute <= KEY_LIMIT_RATE_MAX;
    key->most[STARTS] = is_countable ? configured->requests_per_minute : 0;
    key->most[PLACES] = configured->parallel;
    key->most[TOKENS] = configured->tokens_per_minute;
}

/* NULL: it has no limits, or no name that fits. */
static struct guard_key *key_of(struct guard *guard, const char *provider,
                                const struct provider_key *configured)
{
    char name[NAME_SIZE];
    bool is_limited = configured->requests_per_minute > 0 || configured->tokens_per_minute > 0 ||
                      configured->parallel > 0;
    if (!is_limited) return NULL;
    int len = snprintf(name, sizeof name, "%s/%s", provider, configured->name);
    if (len >= NAME_SIZE) return NULL;
    struct guard_key *key = guard->keys;
    while (key && strcmp(key->name, name) != 0) key = key->next;
    if (!key) {
        key         = mem_new(1, sizeof *key);
        key->guard  = guard;
        key->next   = guard->keys;
        guard->keys = key;
        memcpy(key->name, name, (size_t)len + 1);
    }
    read_limits(key, configured); /* it may have been read anew */
    return key;
}

void guard_keys_done(struct guard *guard)
{
    while (guard->keys) {
        struct guard_key *key = guard->keys;
        guard->keys           = key->next;
        free(key);
    }
}

/* --- who waits ---------------------------------------------------------------------------------
 */

static void wait_begin(struct guard_key_pass *pass)
{
    struct guard_key *key = pass->key;
    pass->is_waiting      = true;
    pass->previous        = key->last;
    if (pass->previous) pass->previous->next = pass;
    if (!key->first) key->first = pass;
    key->last = pass;
}

static void wait_end(struct guard_key_pass *pass)
{
    struct guard_key *key = pass->key;
    if (pass->previous) pass->previous->next = pass->next;
    if (pass->next) pass->next->previous = pass->previous;
    if (key->first == pass) key->first = pass->next;
    if (key->last == pass) key->last = pass->previous;
    pass->is_waiting = false;
    pass->previous = pass->next = NULL;
}

static uint32_t count_waiters(const struct guard_key *key)
{
    uint32_t count = 0;
    for (const struct guard_key_pass *at = key->first; at; at = at->next) count++;
    return count;
}

/* The pass may be freed by it. */
static void decide(struct guard_key_pass *pass, enum guard_verdict verdict)
{
    wait_end(pass);
    if (verdict != GUARD_GO) pass->key = NULL;
    pass->decided(verdict, pass->context);
}

static void refuse_waiters(struct guard_key *key)
{
    while (key->first) decide(key->first, GUARD_LIMIT);
}

/* --- permits -----------------------------------------------------------------------------------
 */

static guard_use_fn on_leased;

static bool has_permits(const struct guard_key *key)
{
    return (key->most[STARTS] == 0 || key->spare_starts > 0) &&
           (key->most[PLACES] == 0 || key->spare_places > 0);
}

/* As far as there are some: who goes alone holds none. */
static void take_permits(struct guard_key_pass *pass)
{
    struct guard_key *key = pass->key;
    pass->has_place       = key->most[PLACES] > 0 && key->spare_places > 0;
    if (pass->has_place) key->spare_places--;
    if (pass->has_place) key->used_places++;
    if (key->most[STARTS] > 0 && key->spare_starts > 0) key->spare_starts--;
    key->starts++;
    key->is_used = true;
}

static int64_t now_ms_of(const struct guard_key *key)
{
    return loop_now_ms(key->guard->loop);
}

static void shut(struct guard_key *key, int64_t retry_us)
{
    int64_t wait_ms = retry_us > 0 ? (retry_us - clock_unix_us() + 999) / 1'000 : 0;
    if (retry_us == 0) wait_ms = KEY_ROOM_CROWDED_MS;
    if (wait_ms < 1) wait_ms = 1;
    if (key->opens_ms < now_ms_of(key) + wait_ms) key->opens_ms = now_ms_of(key) + wait_ms;
}

static void take_lease(struct guard_key *key, enum quantity quantity, const Pb__LimitLease *lease)
{
    bool is_refused = lease->granted == 0 && lease->is_limited;
    switch (quantity) {
    case STARTS:
        key->spare_starts += lease->is_limited ? lease->granted : key->wanted_starts;
        if (is_refused && key->wanted_starts > 0) shut(key, lease->retry_us);
        break;
    case PLACES:
        key->spare_places += lease->is_limited ? lease->granted : key->wanted_places;
        key->said_places += lease->granted;
        if (is_refused && key->wanted_places > 0 && key->spare_places == 0) shut(key, 0);
        break;
    case TOKENS:
        if (lease->retry_us > 0) shut(key, lease->retry_us);
        break;
    case QUANTITY_COUNT: break;
    }
}

/* Nobody was told. */
static void take_back(struct guard_key *key)
{
    key->tokens += key->told_tokens;
    key->spare_starts += key->returned_starts;
}

static void fill_want(struct guard_key *key, enum quantity quantity, Pb__LimitWant *want,
                      Pb__LimitRule *rule)
{
    uint32_t waiting = count_waiters(key);
    uint32_t most    = key->most[quantity];
    bool is_place    = quantity == PLACES;
    *rule            = (Pb__LimitRule)PB__LIMIT_RULE__INIT;
    if (is_place) rule->concurrency = most;
    if (!is_place) {
        enum key_limit unit  = quantity == TOKENS ? KEY_TOKENS : KEY_REQUESTS;
        rule->rate_count     = key_limit_bucket(unit, most);
        rule->rate_period_us = KEY_LIMIT_PERIOD_US;
    }
    want->rule = rule;
    if (quantity == STARTS && waiting > 0) { /* those that will come in the next second, too */
        want->want = waiting + key->last_starts;
    } else if (quantity == STARTS) {
        want->unused = key->returned_starts;
    } else if (is_place) {
        want->held = key->used_places + key->spare_places;
        want->want = waiting > key->spare_places ? waiting - key->spare_places : 0;
    } else {
        want->spent = key_limit_permits(KEY_TOKENS, most, key->told_tokens);
        if (want->spent > SPENT_MAX) want->spent = SPENT_MAX;
    }
    if (quantity == STARTS) key->wanted_starts = want->want;
    if (is_place) key->wanted_places = want->want;
    if (is_place) key->said_places = want->held;
}

/* One question at a time, so that what is said to be held is what the scheduler has given. False:
 * nobody can be asked. */
static bool ask(struct guard_key *key)
{
    Pb__LimitWant wants[QUANTITY_COUNT];
    Pb__LimitRule rules[QUANTITY_COUNT];
    Pb__LimitWant *list[QUANTITY_COUNT];
    char names[QUANTITY_COUNT][NAME_SIZE];
    Pb__LeaseLimits message = PB__LEASE_LIMITS__INIT;
    bool has_spare          = !key->first && key->spare_starts > key->last_starts;
    key->returned_starts    = has_spare ? key->spare_starts - key->last_starts : 0;
    key->told_tokens        = key->tokens;
    message.holder          = key->guard->name;
    message.limits          = list;
    for (enum quantity i = 0; i < QUANTITY_COUNT; i++) {
        if (key->most[i] == 0) continue;
        Pb__LimitWant *want = &wants[message.n_limits];
        (void)snprintf(names[i], NAME_SIZE, "llmkey:%.480s:%s", key->name, words[i]);
        *want      = (Pb__LimitWant)PB__LIMIT_WANT__INIT;
        want->name = names[i];
        fill_want(key, i, want, &rules[i]);
        list[message.n_limits++] = want;
    }
    struct rpc_request request = {
        .service = &pb__limits__descriptor, .method = "Lease", .message = &message};
    key->tokens -= key->told_tokens;
    key->spare_starts -= key->returned_starts;
    key->is_asking = guard_ask(key->guard, key, &request, on_leased);
    if (!key->is_asking) take_back(key);
    return key->is_asking;
}

/* They keep the limits of this process only. */
static void go_alone(struct guard_key *key)
{
    while (key->first) {
        take_permits(key->first);
        decide(key->first, GUARD_GO);
    }
}

static void on_leased(struct guard *, void *about, const struct rpc_answer *answer)
{
    struct guard_key *key          = about;
    const Pb__LeasedLimits *leased = answer->message;
    size_t at                      = 0;
    key->is_asking                 = false;
    if (!leased) {
        take_back(key);
        go_alone(key);
        return;
    }
    for (enum quantity i = 0; i < QUANTITY_COUNT && at < leased->n_limits; i++) {
        if (key->most[i] > 0) take_lease(key, i, leased->limits[at++]);
    }
    while (key->first && has_permits(key) && key->opens_ms <= now_ms_of(key)) {
        take_permits(key->first);
        decide(key->first, GUARD_GO);
    }
    if (key->opens_ms > now_ms_of(key)) refuse_waiters(key);
    if (key->first && !ask(key)) go_alone(key); /* they came meanwhile */
}

/* --- every second ------------------------------------------------------------------------------
 */

/* Places that nobody has used are given back, starts that were not made likewise. */
static void refresh(struct guard_key *key)
{
    bool is_idle     = !key->is_used && key->used_places == 0 && key->tokens == 0;
    bool is_told     = key->said_places == 0 && key->spare_starts == 0;
    key->last_starts = key->starts;
    key->starts      = 0;
    key->is_used     = false;
    if (key->is_asking || (is_idle && is_told)) return;
    key->spare_places = 0;
    (void)ask(key); /* in a second again */
}

void guard_keys_refresh(struct guard *guard)
{
    for (struct guard_key *key = guard->keys; key; key = key->next) refresh(key);
}

/* --- calls -------------------------------------------------------------------------------------
 */

enum guard_verdict guard_enter_key(struct guard *guard, const char *provider,
                                   const struct provider_key *configured,
                                   struct guard_key_pass *pass)
{
    struct guard_key *key = guard->scheduler ? key_of(guard, provider, configured) : NULL;
    pass->key             = key;
    if (!key) return GUARD_GO;
    if (key->opens_ms > now_ms_of(key)) {
        pass->key = NULL;
        return GUARD_LIMIT;
    }
    if (has_permits(key) && !key->first) {
        take_permits(pass);
        return GUARD_GO;
    }
    wait_begin(pass);
    if (key->is_asking || ask(key)) return GUARD_WAIT;
    wait_end(pass);
    take_permits(pass);
    return GUARD_GO;
}

int64_t guard_key_opens_ms(struct guard *guard, const char *provider,
                           const struct provider_key *configured)
{
    const struct guard_key *key = key_of(guard, provider, configured);
    return key ? key->opens_ms : 0;
}

void guard_leave_key(struct guard_key_pass *pass, int64_t tokens)
{
    struct guard_key *key = pass->key;
    if (!key) return;
    if (pass->is_waiting) {
        wait_end(pass);
    } else {
        if (pass->has_place) key->used_places--;
        if (pass->has_place) key->spare_places++;
        if (key->most[TOKENS] > 0 && tokens > 0 && tokens < INT64_MAX - key->tokens) {
            key->tokens += tokens;
        }
    }
    pass->key       = NULL;
    pass->has_place = false;
}
