#include "worker/tollgate.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "limit.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIMIT_SIZE  = TOLLGATE_NAME_MAX + 16, /* with the word of a quantity */
    HOLDER_SIZE = 128,
    SPENT_MAX   = 1'000'000, /* permits said at a time */
    TIMEOUTS    = 5,         /* ticks that an answer may take */
};

enum quantity { STARTS, PLACES, SPENT, QUANTITY_COUNT };

static const char *const words[QUANTITY_COUNT] = {
    [STARTS] = "requests", [PLACES] = "parallel", [SPENT] = "tokens"};

struct tollgate {
    struct tollgates *tollgates;
    char *name; /* owned */
    struct tollgate_rules rules;
    uint32_t spare_starts, starts; /* leased; made since the last tick, */
    uint32_t last_starts;          /* and before */
    uint32_t spare_places, used_places;
    uint32_t said_places; /* how many the scheduler was last told of */
    int64_t spent;        /* and not told */
    size_t inside;        /* passes */
    bool is_used;         /* since the last tick */
    bool is_asking;
    int64_t opens_ms;           /* on the loop's clock */
    struct loop_timer reopened; /* somebody waits for that */

    /* Of the question under way: its rules may be others by the time of its answer. */
    bool is_asked[QUANTITY_COUNT];
    uint32_t wanted_starts, wanted_places, returned_starts;
    int64_t told_spent;

    struct tollgate_pass *first, *last; /* that wait */
};

struct tollgates {
    struct tollgates_options options;
    struct questions questions;
    char holder[HOLDER_SIZE];
    struct map *by_name;    /* struct tollgate, owned */
    int64_t alone_until_ms; /* nobody could be asked a moment ago */
    struct loop_timer tick;
};

static int64_t now_ms_of(const struct tollgates *tollgates)
{
    return loop_now_ms(tollgates->options.loop);
}

/* --- who waits -------------------------------------------------------------------------------- */

static void wait_begin(struct tollgate_pass *pass)
{
    struct tollgate *tollgate = pass->gate;
    pass->is_waiting          = true;
    pass->next                = NULL;
    pass->previous            = tollgate->last;
    if (pass->previous) pass->previous->next = pass;
    if (!tollgate->first) tollgate->first = pass;
    tollgate->last = pass;
}

static void wait_end(struct tollgate_pass *pass)
{
    struct tollgate *tollgate = pass->gate;
    if (pass->previous) pass->previous->next = pass->next;
    if (pass->next) pass->next->previous = pass->previous;
    if (tollgate->first == pass) tollgate->first = pass->next;
    if (tollgate->last == pass) tollgate->last = pass->previous;
    pass->is_waiting = false;
    pass->previous = pass->next = NULL;
}

static uint32_t count_waiters(const struct tollgate *tollgate)
{
    uint32_t count = 0;
    for (const struct tollgate_pass *at = tollgate->first; at; at = at->next) count++;
    return count;
}

/* The pass may be freed by it. */
static void decide(struct tollgate_pass *pass, bool may_go)
{
    wait_end(pass);
    if (!may_go) {
        pass->gate->inside--;
        pass->gate = NULL;
    }
    pass->decided(may_go, pass->context);
}

static void refuse_waiters(struct tollgate *tollgate)
{
    while (tollgate->first) decide(tollgate->first, false);
}

/* --- permits ---------------------------------------------------------------------------------- */

static question_use_fn on_leased;

static bool has_permits(const struct tollgate *tollgate)
{
    return (tollgate->rules.starts == 0 || tollgate->spare_starts > 0) &&
           (tollgate->rules.places == 0 || tollgate->spare_places > 0);
}

/* As far as there are some: who goes alone holds none. */
static void take_permits(struct tollgate_pass *pass)
{
    struct tollgate *tollgate = pass->gate;
    pass->has_place           = tollgate->rules.places > 0 && tollgate->spare_places > 0;
    pass->has_start           = tollgate->rules.starts > 0 && tollgate->spare_starts > 0;
    if (pass->has_place) tollgate->spare_places--;
    if (pass->has_place) tollgate->used_places++;
    if (pass->has_start) tollgate->spare_starts--;
    tollgate->starts++;
    tollgate->is_used = true;
}

static bool is_shut(const struct tollgate *tollgate)
{
    return tollgate->opens_ms > now_ms_of(tollgate->tollgates);
}

static void shut(struct tollgate *tollgate, int64_t retry_us)
{
    int64_t wait_ms = retry_us > 0 ? (retry_us - clock_unix_us() + 999) / 1'000 : 0;
    if (retry_us == 0) wait_ms = tollgate->tollgates->options.crowded_ms;
    if (wait_ms < 1) wait_ms = 1;
    int64_t opens_ms = now_ms_of(tollgate->tollgates) + wait_ms;
    if (tollgate->opens_ms < opens_ms) tollgate->opens_ms = opens_ms;
}

static void take_lease(struct tollgate *tollgate, enum quantity quantity,
                       const Pb__LimitLease *lease)
{
    bool is_refused = lease->granted == 0 && lease->is_limited;
    switch (quantity) {
    case STARTS:
        tollgate->spare_starts += lease->is_limited ? lease->granted : tollgate->wanted_starts;
        if (is_refused && tollgate->wanted_starts > 0) shut(tollgate, lease->retry_us);
        break;
    case PLACES:
        tollgate->spare_places += lease->is_limited ? lease->granted : tollgate->wanted_places;
        tollgate->said_places += lease->granted;
        if (is_refused && tollgate->wanted_places > 0 && tollgate->spare_places == 0) {
            shut(tollgate, 0);
        }
        break;
    case SPENT:
        if (lease->retry_us > 0) shut(tollgate, lease->retry_us);
        break;
    case QUANTITY_COUNT: break;
    }
}

/* Nobody was told. */
static void take_back(struct tollgate *tollgate)
{
    tollgate->spent += tollgate->told_spent;
    tollgate->spare_starts += tollgate->returned_starts;
}

static uint32_t most_of(const struct tollgate *tollgate, enum quantity quantity)
{
    const uint32_t most[QUANTITY_COUNT] = {[STARTS] = tollgate->rules.starts,
                                           [PLACES] = tollgate->rules.places,
                                           [SPENT]  = tollgate->rules.spent};
    return most[quantity];
}

/* Rounded up, at most SPENT_MAX. */
static uint32_t permits_of(const struct tollgate *tollgate, int64_t spent)
{
    int64_t unit    = tollgate->rules.spent_unit > 0 ? tollgate->rules.spent_unit : 1;
    int64_t permits = spent / unit + (spent % unit > 0 ? 1 : 0);
    return permits < SPENT_MAX ? (uint32_t)permits : SPENT_MAX;
}

static void fill_rule(const struct tollgate *tollgate, enum quantity quantity, Pb__LimitRule *rule)
{
    *rule = (Pb__LimitRule)PB__LIMIT_RULE__INIT;
    if (quantity == PLACES) {
        rule->concurrency = tollgate->rules.places;
        return;
    }
    rule->rate_count = most_of(tollgate, quantity);
    rule->rate_period_us =
        quantity == STARTS ? tollgate->rules.starts_period_us : tollgate->rules.spent_period_us;
}

static void fill_want(struct tollgate *tollgate, enum quantity quantity, Pb__LimitWant *want)
{
    uint32_t waiting = count_waiters(tollgate);
    switch (quantity) {
    case STARTS:
        if (waiting > 0) {
            want->want = waiting + tollgate->last_starts; /* those that will come, too */
        }
        if (waiting == 0) want->unused = tollgate->returned_starts;
        tollgate->wanted_starts = want->want;
        break;
    case PLACES:
        want->held = tollgate->used_places + tollgate->spare_places;
        want->want = waiting > tollgate->spare_places ? waiting - tollgate->spare_places : 0;
        tollgate->wanted_places = want->want;
        tollgate->said_places   = want->held;
        break;
    case SPENT: want->spent = permits_of(tollgate, tollgate->told_spent); break;
    case QUANTITY_COUNT: break;
    }
}

/* One question at a time, so that what is said to be held is what the scheduler has given. False:
 * nobody can be asked. */
static bool ask(struct tollgate *tollgate)
{
    struct tollgates *tollgates = tollgate->tollgates;
    Pb__LimitWant wants[QUANTITY_COUNT];
    Pb__LimitRule rules[QUANTITY_COUNT];
    Pb__LimitWant *list[QUANTITY_COUNT];
    char names[QUANTITY_COUNT][LIMIT_SIZE];
    Pb__LeaseLimits message = PB__LEASE_LIMITS__INIT;
    bool has_spare          = !tollgate->first && tollgate->spare_starts > tollgate->last_starts;
    if (tollgates->alone_until_ms > now_ms_of(tollgates)) return false;
    tollgate->returned_starts = has_spare ? tollgate->spare_starts - tollgate->last_starts : 0;
    tollgate->told_spent      = tollgate->spent;
    message.holder            = tollgates->holder;
    message.limits            = list;
    for (enum quantity i = 0; i < QUANTITY_COUNT; i++) {
        tollgate->is_asked[i] = most_of(tollgate, i) > 0;
        if (!tollgate->is_asked[i]) continue;
        Pb__LimitWant *want = &wants[message.n_limits];
        (void)snprintf(names[i], LIMIT_SIZE, "%s:%s", tollgate->name, words[i]);
        *want      = (Pb__LimitWant)PB__LIMIT_WANT__INIT;
        want->name = names[i];
        want->rule = &rules[i];
        fill_rule(tollgate, i, &rules[i]);
        fill_want(tollgate, i, want);
        list[message.n_limits++] = want;
    }
    struct rpc_request request = {
        .service = &pb__limits__descriptor, .method = "Lease", .message = &message};
    tollgate->spent -= tollgate->told_spent;
    tollgate->spare_starts -= tollgate->returned_starts;
    tollgate->is_asking = question_ask(&tollgates->questions, tollgate, &request, on_leased);
    if (!tollgate->is_asking) take_back(tollgate);
    return tollgate->is_asking;
}

/* They keep the limits of this process only. */
static void go_alone(struct tollgate *tollgate)
{
    while (tollgate->first) {
        take_permits(tollgate->first);
        decide(tollgate->first, true);
    }
}

/* What was used up shuts it, whatever else is there. */
static bool may_take(const struct tollgate *tollgate)
{
    return has_permits(tollgate) && (tollgate->rules.spent == 0 || !is_shut(tollgate));
}

/* Lets in who may go. For those that wait on it is asked again when it opens, or at once. */
static void admit(struct tollgate *tollgate)
{
    const struct tollgates_options *options = &tollgate->tollgates->options;
    while (tollgate->first && may_take(tollgate)) {
        take_permits(tollgate->first);
        decide(tollgate->first, true);
    }
    if (is_shut(tollgate) && !options->is_patient) refuse_waiters(tollgate);
    if (!tollgate->first || tollgate->is_asking) return;
    if (is_shut(tollgate)) {
        loop_timer_set(options->loop, &tollgate->reopened, tollgate->opens_ms);
    } else if (!ask(tollgate)) {
        go_alone(tollgate);
    }
}

static void on_reopened(void *context)
{
    admit(context);
}

static void on_leased(void *context, void *about, const struct rpc_answer *answer)
{
    struct tollgates *tollgates    = context;
    struct tollgate *tollgate      = about;
    const Pb__LeasedLimits *leased = answer->message;
    size_t at                      = 0;
    tollgate->is_asking            = false;
    if (!leased) {
        take_back(tollgate);
        if (answer->code != STATUS_INVALID_ARGUMENT) { /* that is the matter of this one */
            tollgates->alone_until_ms = now_ms_of(tollgates) + tollgates->options.tick_ms;
        }
        go_alone(tollgate);
        return;
    }
    for (enum quantity i = 0; i < QUANTITY_COUNT && at < leased->n_limits; i++) {
        if (tollgate->is_asked[i]) take_lease(tollgate, i, leased->limits[at++]);
    }
    admit(tollgate);
}

/* --- every tick ------------------------------------------------------------------------------- */

static void tollgate_free(struct tollgate *tollgate)
{
    loop_timer_clear(tollgate->tollgates->options.loop, &tollgate->reopened);
    free(tollgate->name);
    free(tollgate);
}

/* Places that nobody has used are given back, starts that were not made likewise. False: there is
 * nothing to remember of it. */
static bool refresh(struct tollgate *tollgate)
{
    bool is_idle = !tollgate->is_used && tollgate->used_places == 0 && tollgate->spent == 0;
    bool is_told = tollgate->said_places == 0 && tollgate->spare_starts == 0;
    tollgate->last_starts = tollgate->starts;
    tollgate->starts      = 0;
    tollgate->is_used     = false;
    if (tollgate->is_asking || tollgate->first) return true;
    if (is_idle && is_told) return tollgate->inside > 0 || is_shut(tollgate);
    tollgate->spare_places = 0;
    (void)ask(tollgate); /* in a tick again */
    return true;
}

static void on_tick(void *context)
{
    struct tollgates *tollgates = context;
    size_t cursor               = 0;
    str name                    = {};
    void *tollgate              = NULL;
    while (map_next(tollgates->by_name, &cursor, &name, &tollgate)) {
        if (refresh(tollgate)) continue;
        (void)map_remove(tollgates->by_name, name);
        tollgate_free(tollgate);
    }
    loop_timer_set(tollgates->options.loop, &tollgates->tick,
                   now_ms_of(tollgates) + tollgates->options.tick_ms);
}

/* --- from outside ----------------------------------------------------------------------------- */

struct tollgates *tollgates_new(const struct tollgates_options *options)
{
    struct tollgates *tollgates = mem_new(1, sizeof *tollgates);
    int64_t timeout_ms          = TIMEOUTS * options->tick_ms;
    tollgates->options          = *options;
    tollgates->by_name          = map_new(TOLLGATES_MAX);
    tollgates->tick             = (struct loop_timer){.fire = on_tick, .context = tollgates};
    tollgates->questions =
        (struct questions){.loop = options->loop, .context = tollgates, .timeout_ms = timeout_ms};
    return tollgates;
}

void tollgates_open(struct tollgates *tollgates, struct rpc_client *scheduler, const char *holder)
{
    tollgates->questions.scheduler = scheduler;
    (void)snprintf(tollgates->holder, sizeof tollgates->holder, "%s", holder);
    loop_timer_set(tollgates->options.loop, &tollgates->tick, 0);
}

void tollgates_close(struct tollgates *tollgates)
{
    tollgates->questions.scheduler = NULL;
    loop_timer_clear(tollgates->options.loop, &tollgates->tick);
}

void tollgates_freep(struct tollgates **ref)
{
    struct tollgates *tollgates = *ref;
    size_t cursor               = 0;
    str name                    = {};
    void *tollgate              = NULL;
    if (!tollgates) return;
    while (map_next(tollgates->by_name, &cursor, &name, &tollgate)) tollgate_free(tollgate);
    map_free(tollgates->by_name);
    free(tollgates);
    *ref = NULL;
}

/* NULL: there are too many, or its name is too long. */
static struct tollgate *tollgate_at(struct tollgates *tollgates, str name,
                                    const struct tollgate_rules *rules)
{
    struct tollgate *tollgate = map_get(tollgates->by_name, name);
    if (!tollgate) {
        if (name.len > TOLLGATE_NAME_MAX || map_count(tollgates->by_name) == TOLLGATES_MAX) {
            return NULL;
        }
        tollgate            = mem_new(1, sizeof *tollgate);
        tollgate->tollgates = tollgates;
        tollgate->name      = mem_dup(name.ptr, name.len);
        tollgate->reopened  = (struct loop_timer){.fire = on_reopened, .context = tollgate};
        (void)map_put(tollgates->by_name, name, tollgate);
    }
    tollgate->rules = *rules;
    return tollgate;
}

enum tollgate_answer tollgate_enter(struct tollgates *tollgates, str name,
                                    const struct tollgate_rules *rules, struct tollgate_pass *pass)
{
    bool is_limited = rules->starts > 0 || rules->places > 0 || rules->spent > 0;
    struct tollgate *tollgate =
        is_limited && tollgates->questions.scheduler ? tollgate_at(tollgates, name, rules) : NULL;
    pass->gate = NULL;
    if (!tollgate || (is_shut(tollgate) && !tollgates->options.is_patient)) {
        return tollgate ? TOLLGATE_SHUT : TOLLGATE_GO;
    }
    pass->gate = tollgate;
    tollgate->inside++;
    if (may_take(tollgate) && !tollgate->first) {
        take_permits(pass);
        return TOLLGATE_GO;
    }
    wait_begin(pass);
    if (tollgate->is_asking || loop_timer_is_set(&tollgate->reopened)) return TOLLGATE_WAIT;
    if (is_shut(tollgate)) {
        loop_timer_set(tollgates->options.loop, &tollgate->reopened, tollgate->opens_ms);
        return TOLLGATE_WAIT;
    }
    if (ask(tollgate)) return TOLLGATE_WAIT;
    wait_end(pass);
    take_permits(pass);
    return TOLLGATE_GO;
}

/* Who waits here is let in from the loop, not from inside the end of another one. */
static void serve_next(struct tollgate *tollgate)
{
    struct loop *loop = tollgate->tollgates->options.loop;
    if (tollgate->first && !tollgate->is_asking) {
        loop_timer_set(loop, &tollgate->reopened, loop_now_ms(loop));
    }
}

static void leave(struct tollgate_pass *pass)
{
    struct tollgate *tollgate = pass->gate;
    if (pass->is_waiting) wait_end(pass);
    tollgate->inside--;
    if (pass->has_place) {
        tollgate->used_places--;
        tollgate->spare_places++;
        serve_next(tollgate);
    }
    pass->has_place = false;
    pass->gate      = NULL;
}

void tollgate_leave(struct tollgate_pass *pass, int64_t spent)
{
    struct tollgate *tollgate = pass->gate;
    if (!tollgate) return;
    bool counts = !pass->is_waiting && tollgate->rules.spent > 0 && spent > 0 &&
                  spent < INT64_MAX - tollgate->spent;
    if (counts) tollgate->spent += spent;
    leave(pass);
}

void tollgate_leave_unused(struct tollgate_pass *pass)
{
    struct tollgate *tollgate = pass->gate;
    if (!tollgate) return;
    if (!pass->is_waiting && tollgate->starts > 0) tollgate->starts--;
    if (!pass->is_waiting && pass->has_start) tollgate->spare_starts++;
    leave(pass);
}

int64_t tollgate_opens_ms(const struct tollgates *tollgates, str name)
{
    const struct tollgate *tollgate = map_get(tollgates->by_name, name);
    return tollgate ? tollgate->opens_ms : 0;
}

int64_t tollgate_pass_opens_ms(const struct tollgate_pass *pass)
{
    return pass->gate ? pass->gate->opens_ms : 0;
}
