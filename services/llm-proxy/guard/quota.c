#include "llm-proxy/guard/quota.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOKENS_MAX     = 1'000'000'000, /* said at a time, and of one call at most */
    LIMIT_SIZE     = sizeof "tokens:" + QUOTA_TARGET_SIZE,
    PARTS_OF_LIMIT = 2, /* calls and tokens, in this order */
};

/* A target. */
struct quota {
    struct quotas *quotas;
    char target[QUOTA_TARGET_SIZE];
    uint64_t seen; /* in which list */

    bool has_calls, counts_starts;
    int64_t tokens_max; /* 0: no limit of tokens */

    uint32_t used, spare; /* permits */
    uint32_t said;        /* how many the scheduler was last told of */
    int64_t spare_tokens; /* granted, and not set aside for anybody */
    int64_t owed_tokens;  /* used above what was set aside, and not told */
    int64_t opens_us;
    size_t inside; /* passes */

    /* Of the question under way. */
    bool is_asking, asks_calls, asks_tokens;
    int64_t told_tokens; /* of those that were owed */

    struct quota_pass *first, *last; /* that wait */
};

struct quotas {
    const struct questions *questions;
    const char *holder;
    struct map *by_target; /* struct quota, owned */
    uint64_t lists;
};

struct quotas *quotas_new(const struct questions *questions, const char *holder)
{
    struct quotas *quotas = mem_new(1, sizeof *quotas);
    quotas->questions     = questions;
    quotas->holder        = holder;
    quotas->by_target     = map_new(QUOTAS_MAX);
    return quotas;
}

void quotas_freep(struct quotas **ref)
{
    struct quotas *quotas = *ref;
    size_t cursor         = 0;
    void *quota           = NULL;
    if (!quotas) return;
    while (map_next(quotas->by_target, &cursor, NULL, &quota)) free(quota);
    map_free(quotas->by_target);
    free(quotas);
    *ref = NULL;
}

/* --- who waits -------------------------------------------------------------------------------- */

static void wait_begin(struct quota_pass *pass)
{
    struct quota *quota = pass->quota;
    pass->is_waiting    = true;
    pass->is_asked      = false;
    pass->next          = NULL;
    pass->previous      = quota->last;
    if (pass->previous) pass->previous->next = pass;
    if (!quota->first) quota->first = pass;
    quota->last = pass;
}

static void wait_end(struct quota_pass *pass)
{
    struct quota *quota = pass->quota;
    if (pass->next) pass->next->previous = pass->previous;
    if (pass->previous) pass->previous->next = pass->next;
    if (quota->first == pass) quota->first = pass->next;
    if (quota->last == pass) quota->last = pass->previous;
    pass->is_waiting = false;
    pass->next = pass->previous = NULL;
}

static void forget_pass(struct quota_pass *pass)
{
    pass->quota->inside--;
    pass->quota      = NULL;
    pass->has_permit = false;
    pass->tokens     = 0;
}

/* The pass may be freed by it. */
static void decide(struct quota_pass *pass, bool may_go)
{
    wait_end(pass);
    if (!may_go) forget_pass(pass);
    pass->decided(may_go, pass->context);
}

/* --- what is there ---------------------------------------------------------------------------- */

/* Sets aside what it needs. False: it is not there. */
static bool take(struct quota_pass *pass)
{
    struct quota *quota = pass->quota;
    bool wants_permit   = pass->wants_permit && quota->has_calls;
    bool wants_tokens   = pass->tokens > 0 && quota->tokens_max > 0;
    if (wants_permit && quota->spare == 0) return false;
    if (wants_tokens && quota->spare_tokens < pass->tokens) return false;
    pass->has_permit = wants_permit;
    if (wants_permit) quota->spare--;
    if (wants_permit) quota->used++;
    if (!wants_tokens) pass->tokens = 0;
    quota->spare_tokens -= pass->tokens;
    return true;
}

static int64_t at_most(int64_t value, int64_t most)
{
    return value < most ? value : most;
}

/* --- asking ----------------------------------------------------------------------------------- */

static question_use_fn on_leased;

/* What nobody waits for goes back; here and in the next one. */
static void fill_calls(struct quota *quota, Pb__LimitWant *want)
{
    uint32_t waiting = 0;
    for (const struct quota_pass *at = quota->first; at; at = at->next) {
        if (at->wants_permit) waiting++;
    }
    want->name   = quota->target;
    want->want   = waiting > quota->spare ? waiting - quota->spare : 0;
    want->unused = quota->first ? 0 : quota->spare;
    want->held   = quota->used + quota->spare - want->unused;
    quota->said  = want->held;
}

static void fill_tokens(struct quota *quota, const char *name, Pb__LimitWant *want)
{
    int64_t needed = 0;
    for (const struct quota_pass *at = quota->first; at; at = at->next) {
        needed = at_most(needed + at->tokens, TOKENS_MAX);
    }
    int64_t short_of   = needed - quota->spare_tokens;
    int64_t least      = quota->first ? quota->first->tokens - quota->spare_tokens : 0;
    quota->told_tokens = at_most(quota->owed_tokens, TOKENS_MAX);
    want->name         = name;
    want->want         = short_of > 0 ? (uint32_t)short_of : 0;
    want->least        = least > 0 ? (uint32_t)least : 0;
    want->spent        = (uint32_t)quota->told_tokens;
    want->unused       = quota->first ? 0 : (uint32_t)at_most(quota->spare_tokens, TOKENS_MAX);
}

/* One question at a time, so that what is said to be held is what the scheduler has given. False:
 * nobody can be asked. */
static bool ask(struct quota *quota)
{
    struct quotas *quotas = quota->quotas;
    Pb__LimitWant wants[PARTS_OF_LIMIT];
    Pb__LimitWant *list[PARTS_OF_LIMIT];
    char name[LIMIT_SIZE];
    Pb__LeaseLimits message = PB__LEASE_LIMITS__INIT;
    int64_t returned        = 0;
    message.holder          = quotas->holder;
    message.limits          = list;
    quota->asks_calls       = quota->has_calls;
    quota->asks_tokens      = quota->tokens_max > 0;
    quota->told_tokens      = 0;
    for (size_t i = 0; i < PARTS_OF_LIMIT; i++) wants[i] = (Pb__LimitWant)PB__LIMIT_WANT__INIT;
    if (quota->asks_calls) {
        list[message.n_limits] = &wants[message.n_limits];
        fill_calls(quota, &wants[message.n_limits++]);
    }
    if (quota->asks_tokens) {
        (void)snprintf(name, sizeof name, "tokens:%s", quota->target);
        list[message.n_limits] = &wants[message.n_limits];
        fill_tokens(quota, name, &wants[message.n_limits]);
        returned = wants[message.n_limits++].unused;
    }
    struct rpc_request request = {
        .service = &pb__limits__descriptor, .method = "Lease", .message = &message};
    quota->is_asking = question_ask(quotas->questions, quota, &request, on_leased);
    if (!quota->is_asking) return false;
    quota->owed_tokens -= quota->told_tokens;
    quota->spare_tokens -= returned; /* whether it is heard or not: nobody gets them twice */
    for (struct quota_pass *at = quota->first; at; at = at->next) at->is_asked = true;
    return true;
}

static void take_lease(struct quota *quota, const Pb__LeasedLimits *leased)
{
    size_t at       = 0;
    quota->opens_us = 0;
    if (quota->asks_calls && at < leased->n_limits) {
        const Pb__LimitLease *calls = leased->limits[at++];
        quota->has_calls            = calls->is_limited;
        quota->spare += calls->granted;
        quota->said += calls->granted;
        quota->opens_us = calls->retry_us;
    }
    if (quota->asks_tokens && at < leased->n_limits) {
        const Pb__LimitLease *tokens = leased->limits[at];
        if (!tokens->is_limited) quota->tokens_max = 0;
        quota->spare_tokens += tokens->granted;
        if (tokens->retry_us > quota->opens_us) quota->opens_us = tokens->retry_us;
    }
}

/* Who was asked for and finds too little is refused; for those that came since it is asked again,
 * if it can be. */
static void admit(struct quota *quota)
{
    while (quota->first && take(quota->first)) decide(quota->first, true);
    /* Who was let go may have made it ask again, for those who wait, too. */
    while (!quota->is_asking && quota->first && quota->first->is_asked) {
        decide(quota->first, false);
    }
    if (!quota->first || quota->is_asking || ask(quota)) return;
    while (quota->first) decide(quota->first, false);
}

static void on_leased(void *, void *about, const struct rpc_answer *answer)
{
    struct quota *quota = about;
    quota->is_asking    = false;
    if (answer->message) {
        take_lease(quota, answer->message);
    } else {
        quota->owed_tokens += quota->told_tokens; /* told again: rather twice than never */
    }
    quota->inside++; /* it is needed here, whoever leaves meanwhile */
    admit(quota);
    quota->inside--;
}

/* --- which there are -------------------------------------------------------------------------- */

/* NULL: it is one that nobody is held to here. */
static struct quota *quota_at(struct quotas *quotas, const Pb__LimitView *view)
{
    str target          = str_from(view->name);
    struct quota *quota = map_get(quotas->by_target, target);
    if (quota || target.len >= QUOTA_TARGET_SIZE) return quota;
    quota         = mem_new(1, sizeof *quota);
    quota->quotas = quotas;
    (void)snprintf(quota->target, sizeof quota->target, "%s", view->name);
    if (map_put(quotas->by_target, target, quota)) return quota;
    free(quota);
    return NULL;
}

/* Of a provider the guard itself counts the calls. */
static bool is_of_model(const char *target)
{
    return strchr(target, '/') != NULL;
}

static void learn(struct quotas *quotas, const Pb__LimitView *view)
{
    const Pb__LimitRule *rule = view->rule;
    bool counts_starts        = rule && rule->rate_count > 0;
    bool has_calls = rule && is_of_model(view->name) && (counts_starts || rule->concurrency > 0);
    if (!rule || (!has_calls && rule->token_count == 0)) return;
    struct quota *quota = quota_at(quotas, view);
    if (!quota) return;
    quota->seen          = quotas->lists;
    quota->has_calls     = has_calls;
    quota->counts_starts = counts_starts;
    quota->tokens_max    = rule->token_count;
}

void quotas_learn(struct quotas *quotas, const Pb__LimitList *list)
{
    size_t cursor = 0;
    str target    = {};
    void *value   = NULL;
    quotas->lists++;
    for (size_t i = 0; i < list->n_limits; i++) learn(quotas, list->limits[i]);
    while (map_next(quotas->by_target, &cursor, &target, &value)) {
        struct quota *quota = value;
        if (quota->seen == quotas->lists) continue;
        quota->has_calls  = false;
        quota->tokens_max = 0;
        if (quota->inside > 0 || quota->is_asking) continue;
        (void)map_remove(quotas->by_target, target);
        free(quota);
    }
}

bool quotas_are_none(const struct quotas *quotas)
{
    return map_count(quotas->by_target) == 0;
}

/* Whoever waits for an answer that does not come waits no longer than this. */
static void look_after(struct quota *quota)
{
    bool is_to_say =
        quota->used > 0 || quota->said > 0 || quota->spare_tokens > 0 || quota->owed_tokens > 0;
    if (quota->is_asking) return;
    while (quota->first) decide(quota->first, false);
    if (is_to_say && (quota->has_calls || quota->tokens_max > 0)) (void)ask(quota);
    quota->spare = 0; /* whether it is heard or not: nobody gets them twice */
}

void quotas_tick(struct quotas *quotas)
{
    size_t cursor = 0;
    void *quota   = NULL;
    while (map_next(quotas->by_target, &cursor, NULL, &quota)) look_after(quota);
}

/* --- a call ----------------------------------------------------------------------------------- */

enum quota_answer quota_enter(struct quotas *quotas, str target, enum quota_part part,
                              int64_t tokens, struct quota_pass *pass)
{
    struct quota *quota = map_get(quotas->by_target, target);
    pass->wants_permit  = quota && part == QUOTA_ALL && quota->has_calls;
    pass->tokens        = quota && tokens > 0 ? at_most(tokens, quota->tokens_max) : 0;
    if (!pass->wants_permit && pass->tokens == 0) return QUOTA_GO;
    pass->quota = quota;
    quota->inside++;
    if (!quota->first && take(pass)) return QUOTA_GO;
    wait_begin(pass);
    if (quota->is_asking || ask(quota)) return QUOTA_WAIT;
    wait_end(pass);
    forget_pass(pass);
    return QUOTA_SHUT;
}

static void leave(struct quota_pass *pass, int64_t tokens, bool was_made)
{
    struct quota *quota = pass->quota;
    if (!quota) return;
    if (pass->is_waiting) {
        wait_end(pass);
        forget_pass(pass);
        return;
    }
    if (pass->has_permit) quota->used--;
    if (pass->has_permit && (!was_made || !quota->counts_starts)) quota->spare++;
    int64_t owed = pass->tokens > 0 ? at_most(tokens, TOKENS_MAX) - pass->tokens : 0;
    quota->spare_tokens -= owed;
    if (quota->spare_tokens < 0) { /* it has taken more than anybody was given */
        quota->owed_tokens -= quota->spare_tokens;
        quota->spare_tokens = 0;
    }
    forget_pass(pass);
}

void quota_leave(struct quota_pass *pass, int64_t tokens)
{
    leave(pass, tokens, true);
}

void quota_leave_unused(struct quota_pass *pass)
{
    leave(pass, 0, false);
}

int64_t quota_opens_us(const struct quotas *quotas, str target)
{
    const struct quota *quota = map_get(quotas->by_target, target);
    return quota ? quota->opens_us : 0;
}
