/*
 * The guard against a scheduler that says what it is told to: who may call, who waits, and that
 * what a call has cost is told until somebody has it.
 */
#include "llm-proxy/guard/guard.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "breaker.pb-c.h"
#include "cmocka.h"
#include "limit.pb-c.h"
#include "rpc/rpc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS_MAX = 20'000, SECOND_MS = 1'000, ENDS_MAX = 16, CALL_SIZE = 32 };

#define GRANTED PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED
#define WAITING PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING
#define REFUSED PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED

/* A call that was said to be over. */
struct ended {
    char call[CALL_SIZE];
    int64_t tokens, nanos;
    bool is_unpriced;
};

/* What the scheduler says, and what it has heard. Set while nobody asks, else under the mutex. */
struct said {
    size_t budgets;
    Pb__BudgetVerdict verdict;
    bool charged, needs_price, fails_to_reserve;
    int64_t resets_us;
    unsigned fails_to_settle; /* as often */
    Pb__BreakerState breaker; /* of "llm:one" */
    int64_t rests_until_us;
    unsigned probes;  /* that it gives */
    uint32_t permits; /* likewise; concurrency of the limit */
    bool is_limited;
    uint32_t starts;         /* of a key, that are left */
    int64_t tokens_opens_us; /* of a key; 0: there are some */
    bool fails_to_lease;
    bool is_mute;    /* about breakers */
    int64_t open_us; /* of the breaker, after three failures; 0: as usual */

    unsigned listed, reserved, settled, reports, failures;
    struct ended ends[ENDS_MAX];
    size_t end_count;
    Pb__ProbeEnd probe_end;
    uint32_t held; /* permits, as last heard */
    uint32_t spent, key_asks;
};

struct world {
    char url[64];
    struct rpc_server *server;
    struct rpc_client *client;
    struct loop *loop;
    struct catalog *catalog;
    struct guard *guard;
    pthread_mutex_t mutex;
    struct said said;
    atomic_llong now_ms; /* of the loop */
    atomic_uint answered;
};

/* --- the scheduler -----------------------------------------------------------------------------
 */

static void *zeroed(struct rpc_call *call, size_t size)
{
    void *memory = arena_alloc(call->arena, size);
    if (!memory) abort();
    return memory;
}

static struct said *said_of(struct rpc_call *call)
{
    struct world *world = call->context;
    (void)pthread_mutex_lock(&world->mutex);
    return &world->said;
}

static status answer(struct rpc_call *call, status code)
{
    struct world *world = call->context;
    (void)pthread_mutex_unlock(&world->mutex);
    rpc_reply(call, code, NULL);
    return STATUS_OK;
}

static status list_budgets(struct rpc_call *call, struct error *)
{
    struct said *said     = said_of(call);
    Pb__BudgetList *list  = call->response;
    Pb__BudgetView **them = zeroed(call, (said->budgets + 1) * sizeof *them);
    said->listed++;
    for (size_t i = 0; i < said->budgets; i++) {
        them[i] = zeroed(call, sizeof **them);
        pb__budget_view__init(them[i]);
    }
    list->budgets   = them;
    list->n_budgets = said->budgets;
    return answer(call, STATUS_OK);
}

static status reserve(struct rpc_call *call, struct error *)
{
    struct said *said       = said_of(call);
    Pb__ReservedBudgets *to = call->response;
    said->reserved++;
    to->verdict     = said->verdict;
    to->charged     = said->charged;
    to->needs_price = said->needs_price;
    to->resets_us   = said->resets_us;
    to->reason      = said->verdict == GRANTED ? "" : "budget `b`: it is spent";
    return answer(call, said->fails_to_reserve ? STATUS_INTERNAL : STATUS_OK);
}

static status settle(struct rpc_call *call, struct error *)
{
    struct said *said                = said_of(call);
    const Pb__SettleBudgets *request = call->request;
    said->settled++;
    if (said->fails_to_settle > 0) {
        said->fails_to_settle--;
        return answer(call, STATUS_INTERNAL);
    }
    for (size_t i = 0; i < request->n_ends && said->end_count < ENDS_MAX; i++) {
        struct ended *ended = &said->ends[said->end_count++];
        (void)snprintf(ended->call, sizeof ended->call, "%s", request->ends[i]->call);
        ended->tokens      = request->ends[i]->used_tokens;
        ended->nanos       = request->ends[i]->used_nanos;
        ended->is_unpriced = request->ends[i]->unpriced;
    }
    return answer(call, STATUS_OK);
}

static void fill_breaker(struct said *said, const Pb__TargetReport *report, Pb__BreakerView *view)
{
    pb__breaker_view__init(view);
    view->name          = "llm:one";
    view->state         = said->breaker;
    view->held_until_us = said->rests_until_us;
    view->probe         = report->wants_probe && said->probes > 0;
    if (said->open_us > 0) {
        view->failures_max  = 3;
        view->window_us     = INT64_C(3'600'000'000);
        view->open_us       = said->open_us;
        view->successes_max = 1;
    }
    if (view->probe) said->probes--;
}

static status report(struct rpc_call *call, struct error *)
{
    struct said *said                = said_of(call);
    const Pb__BreakerReport *request = call->request;
    Pb__BreakerList *list            = call->response;
    list->breakers                   = zeroed(call, request->n_targets * sizeof *list->breakers);
    said->reports++;
    if (said->is_mute) return answer(call, STATUS_UNAVAILABLE);
    for (size_t i = 0; i < request->n_targets; i++) {
        const Pb__TargetReport *target = request->targets[i];
        if (strcmp(target->target, "llm:one") != 0) continue;
        Pb__BreakerView *view = zeroed(call, sizeof *view);
        said->failures += target->failures;
        if (target->probe != PB__PROBE_END__PROBE_END_NONE) said->probe_end = target->probe;
        fill_breaker(said, target, view);
        list->breakers[list->n_breakers++] = view;
    }
    return answer(call, STATUS_OK);
}

static status list_limits(struct rpc_call *call, struct error *)
{
    struct said *said   = said_of(call);
    Pb__LimitList *list = call->response;
    if (!said->is_limited) return answer(call, STATUS_OK);
    Pb__LimitView *view = zeroed(call, sizeof *view);
    Pb__LimitRule *rule = zeroed(call, sizeof *rule);
    pb__limit_view__init(view);
    pb__limit_rule__init(rule);
    rule->concurrency = 1;
    view->name        = "llm:one";
    view->rule        = rule;
    list->limits      = zeroed(call, sizeof *list->limits);
    list->limits[0]   = view;
    list->n_limits    = 1;
    return answer(call, STATUS_OK);
}

/* Of a key: starts or tokens a minute. */
static status lease_of_key(struct rpc_call *call, const Pb__LimitWant *want)
{
    struct said *said        = said_of(call);
    Pb__LeasedLimits *leased = call->response;
    Pb__LimitLease *granted  = zeroed(call, sizeof *granted);
    bool is_starts           = strcmp(want->name, "llmkey:one/k:requests") == 0;
    pb__limit_lease__init(granted);
    said->key_asks++;
    if (said->fails_to_lease) return answer(call, STATUS_INTERNAL);
    said->spent += want->spent;
    granted->name       = want->name;
    granted->is_limited = true;
    granted->granted    = want->want < said->starts ? want->want : said->starts;
    granted->retry_us   = is_starts ? 0 : said->tokens_opens_us;
    said->starts -= granted->granted;
    if (is_starts && said->starts == 0) granted->retry_us = clock_unix_us() + INT64_C(60'000'000);
    leased->limits    = zeroed(call, sizeof *leased->limits);
    leased->limits[0] = granted;
    leased->n_limits  = 1;
    return answer(call, STATUS_OK);
}

static status lease(struct rpc_call *call, struct error *)
{
    const Pb__LeaseLimits *asked = call->request;
    if (asked->limits[0]->rule) return lease_of_key(call, asked->limits[0]);
    struct said *said         = said_of(call);
    const Pb__LimitWant *want = ((const Pb__LeaseLimits *)call->request)->limits[0];
    Pb__LeasedLimits *leased  = call->response;
    Pb__LimitLease *granted   = zeroed(call, sizeof *granted);
    uint32_t free_now         = said->permits > want->held ? said->permits - want->held : 0;
    pb__limit_lease__init(granted);
    granted->name       = want->name;
    granted->is_limited = said->is_limited;
    granted->granted    = want->want < free_now ? want->want : free_now;
    leased->limits      = zeroed(call, sizeof *leased->limits);
    leased->limits[0]   = granted;
    leased->n_limits    = 1;
    said->held          = want->held + granted->granted;
    return answer(call, STATUS_OK);
}

static const struct rpc_method budget_methods[]  = {{.name = "List", .handle = list_budgets},
                                                    {.name = "Reserve", .handle = reserve},
                                                    {.name = "Settle", .handle = settle},
                                                    {}};
static const struct rpc_method breaker_methods[] = {{.name = "Report", .handle = report}, {}};
static const struct rpc_method limit_methods[]   = {
      {.name = "List", .handle = list_limits}, {.name = "Lease", .handle = lease}, {}};

/* --- the world ---------------------------------------------------------------------------------
 */

static int64_t now_ms(void *context)
{
    struct world *world = context;
    return atomic_load(&world->now_ms);
}

static struct said look(struct world *world)
{
    (void)pthread_mutex_lock(&world->mutex);
    struct said said = world->said;
    (void)pthread_mutex_unlock(&world->mutex);
    return said;
}

/* Its answer is about to be posted to the loop. */
static void on_observed(const struct rpc_observation *, void *context)
{
    struct world *world = context;
    atomic_fetch_add(&world->answered, 1);
}

/* A tick, until what it asks has been answered. */
static void tick(struct world *world)
{
    enum { ASKED = 3 /* breakers, limits, budgets */ };
    unsigned until = atomic_load(&world->answered) + ASKED;
    atomic_fetch_add(&world->now_ms, SECOND_MS);
    for (int i = 0; i < TURNS_MAX && atomic_load(&world->answered) < until; i++) {
        loop_turn(world->loop, 1);
    }
    assert_true(atomic_load(&world->answered) >= until);
    loop_turn(world->loop, 0);
}

/* The answers to the first one have been taken when those to the second one are there. */
static void refresh(struct world *world)
{
    tick(world);
    tick(world);
}

static void begin_said(struct world *world, struct said said)
{
    static atomic_uint number;
    *world = (struct world){.said = said};
    (void)pthread_mutex_init(&world->mutex, NULL);
    (void)snprintf(world->url, sizeof world->url, "inproc://guard-test-%u", number++);
    const struct rpc_service services[]    = {{&pb__budgets__descriptor, budget_methods, world},
                                              {&pb__breakers__descriptor, breaker_methods, world},
                                              {&pb__limits__descriptor, limit_methods, world},
                                              {}};
    const struct rpc_server_options server = {
        .url = world->url, .services = services, .drain_ms = 100};
    static const ProtobufCServiceDescriptor *const asked[] = {
        &pb__budgets__descriptor, &pb__breakers__descriptor, &pb__limits__descriptor, NULL};
    struct error error = {};
    if (rpc_server_start(&server, &world->server, &error) != STATUS_OK) fail_msg("%s", error.text);
    const struct rpc_client_options client = {.endpoints = world->url,
                                              .choice    = RPC_OWNER,
                                              .services  = asked,
                                              .observe   = on_observed,
                                              .context   = world};
    if (rpc_client_open(&client, &world->client, &error) != STATUS_OK) fail_msg("%s", error.text);
    const struct loop_options loop = {.clock = now_ms, .clock_context = world};
    assert_int_equal(loop_new(&loop, &world->loop, NULL), STATUS_OK);
    world->catalog                    = mem_new(1, sizeof *world->catalog);
    world->catalog->providers[0].name = "one";
    world->catalog->providers[1].name = "two";
    world->catalog->provider_count    = 2;
    world->guard                      = guard_new(world->loop, world->catalog);
    guard_start(world->guard, world->client, "proxy");
    refresh(world);
}

static void end(struct world *world)
{
    rpc_client_closep(&world->client);
    rpc_server_stopp(&world->server);
    loop_turn(world->loop, 0); /* what was posted meanwhile */
    guard_stop(world->guard);
    guard_freep(&world->guard);
    loop_free(world->loop);
    (void)pthread_mutex_destroy(&world->mutex);
    free(world->catalog);
}

/* --- budgets -----------------------------------------------------------------------------------
 */

struct heard {
    struct guard_fund fund;
    bool is_decided;
    enum guard_verdict verdict;
    char reason[64];
    bool needs_price;
    int64_t resets_us;
};

static void on_funded(enum guard_verdict verdict, const struct guard_refusal *refusal,
                      void *context)
{
    struct heard *heard = context;
    assert_false(heard->is_decided);
    heard->is_decided  = true;
    heard->verdict     = verdict;
    heard->needs_price = refusal->needs_price;
    heard->resets_us   = refusal->resets_us;
    (void)snprintf(heard->reason, sizeof heard->reason, STR_FMT, STR_ARG(refusal->reason));
}

static enum guard_verdict ask(struct world *world, struct heard *heard)
{
    Pb__ReserveBudgets asked = PB__RESERVE_BUDGETS__INIT;
    *heard                   = (struct heard){.fund = {.decided = on_funded, .context = heard}};
    asked.namespace_         = "default";
    asked.key                = "key1";
    asked.input_tokens       = 10;
    return guard_reserve(world->guard, &asked, &heard->fund);
}

static enum guard_verdict asked_and_decided(struct world *world, struct heard *heard)
{
    enum guard_verdict verdict = ask(world, heard);
    if (verdict != GUARD_WAIT) return verdict;
    for (int i = 0; i < TURNS_MAX && !heard->is_decided; i++) loop_turn(world->loop, 1);
    assert_true(heard->is_decided);
    return heard->verdict;
}

/* Ticks pass until nothing is left to tell. */
static void until_settled(struct world *world)
{
    for (int i = 0; i < TURNS_MAX && guard_unsettled(world->guard) > 0; i++) {
        atomic_fetch_add(&world->now_ms, SECOND_MS / 10);
        loop_turn(world->loop, 1);
    }
    assert_int_equal(guard_unsettled(world->guard), 0);
}

static Pb__Usage usage_of(int64_t tokens, int64_t nanos, bool is_priced)
{
    Pb__Usage usage      = PB__USAGE__INIT;
    usage.input_tokens   = tokens - 1;
    usage.output_tokens  = 1;
    usage.cost_usd_nanos = nanos;
    usage.cost_source =
        is_priced ? PB__COST_SOURCE__COST_SOURCE_REPORTED : PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    return usage;
}

static void where_there_are_no_budgets_nobody_is_asked(void **)
{
    struct world world;
    struct heard heard;
    begin_said(&world, (struct said){.budgets = 0, .verdict = REFUSED});
    assert_int_equal(ask(&world, &heard), GUARD_GO);
    guard_settle(world.guard, &heard.fund, NULL);
    assert_int_equal(look(&world).reserved, 0);
    assert_int_equal(guard_unsettled(world.guard), 0);
    end(&world);
}

static void what_it_cost_is_told_until_somebody_hears_it(void **)
{
    struct world world;
    struct heard heard;
    const Pb__Usage used = usage_of(30, 500, true);
    begin_said(
        &world,
        (struct said){.budgets = 1, .verdict = GRANTED, .charged = true, .fails_to_settle = 3});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_GO);
    assert_int_equal(guard_unsettled(world.guard), 1);
    refresh(&world);
    assert_true(look(&world).settled > 0); /* that it is still there */
    assert_int_equal(look(&world).end_count, 0);
    guard_settle(world.guard, &heard.fund, &used);
    guard_settle(world.guard, &heard.fund, &used); /* once is enough */
    until_settled(&world);
    const struct said said = look(&world);
    assert_int_equal(said.fails_to_settle, 0);
    assert_int_equal(said.end_count, 1);
    assert_int_equal(said.ends[0].tokens, 30);
    assert_int_equal(said.ends[0].nanos, 500);
    assert_false(said.ends[0].is_unpriced);
    assert_true(id_is_valid(str_from(said.ends[0].call)));
    end(&world);
}

static void what_has_no_price_says_so(void **)
{
    struct world world;
    struct heard heard;
    const Pb__Usage used = usage_of(30, 0, false);
    begin_said(&world, (struct said){.budgets = 1, .verdict = GRANTED, .charged = true});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_GO);
    guard_settle(world.guard, &heard.fund, &used);
    until_settled(&world);
    assert_true(look(&world).ends[0].is_unpriced);
    end(&world);
}

static void whom_no_budget_charges_settles_nothing(void **)
{
    struct world world;
    struct heard heard;
    const Pb__Usage used = usage_of(30, 0, true);
    begin_said(&world, (struct said){.budgets = 1, .verdict = GRANTED});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_GO);
    assert_int_equal(guard_unsettled(world.guard), 0);
    guard_settle(world.guard, &heard.fund, &used);
    assert_int_equal(guard_unsettled(world.guard), 0);
    end(&world);
}

static void refusals_say_why(void **)
{
    struct world world;
    struct heard heard;
    begin_said(&world, (struct said){
                           .budgets = 1, .verdict = REFUSED, .needs_price = true, .resets_us = 77});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_BUDGET);
    assert_string_equal(heard.reason, "budget `b`: it is spent");
    assert_true(heard.needs_price);
    assert_int_equal(heard.resets_us, 77);
    guard_settle(world.guard, &heard.fund, NULL);
    assert_int_equal(guard_unsettled(world.guard), 0);
    end(&world);

    begin_said(&world, (struct said){.budgets = 1, .verdict = WAITING});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_LIMIT);
    assert_int_equal(guard_unsettled(world.guard), 0);
    end(&world);
}

/* It may have been set aside: the end is told all the same, and costs nothing. */
static void an_answer_that_never_comes_lets_nobody_go(void **)
{
    struct world world;
    struct heard heard;
    begin_said(&world, (struct said){.budgets = 1, .charged = true, .fails_to_reserve = true});
    assert_int_equal(asked_and_decided(&world, &heard), GUARD_UNKNOWN);
    until_settled(&world);
    assert_int_equal(look(&world).end_count, 1);
    assert_int_equal(look(&world).ends[0].tokens, 0);
    end(&world);
}

static void whoever_goes_before_the_answer_pays_nothing(void **)
{
    struct world world;
    struct heard heard;
    begin_said(&world, (struct said){.budgets = 1, .verdict = GRANTED, .charged = true});
    assert_int_equal(ask(&world, &heard), GUARD_WAIT);
    guard_settle(world.guard, &heard.fund, NULL);
    until_settled(&world);
    assert_false(heard.is_decided);
    assert_int_equal(look(&world).end_count, 1);
    assert_int_equal(look(&world).ends[0].tokens, 0);
    end(&world);
}

/* --- breakers and limits -----------------------------------------------------------------------
 */

enum { UNDECIDED = 99 };

static void on_decided(enum guard_verdict verdict, void *context)
{
    *(enum guard_verdict *)context = verdict;
}

struct caller {
    struct guard_pass pass;
    enum guard_verdict heard;
};

static enum guard_verdict enter(struct world *world, struct caller *caller)
{
    *caller              = (struct caller){.heard = (enum guard_verdict)UNDECIDED};
    caller->pass.decided = on_decided;
    caller->pass.context = &caller->heard;
    return guard_enter(world->guard, 0, &caller->pass);
}

static enum guard_verdict decided(struct world *world, const struct caller *caller)
{
    for (int i = 0; i < TURNS_MAX && caller->heard == (enum guard_verdict)UNDECIDED; i++) {
        loop_turn(world->loop, 1);
    }
    return caller->heard;
}

static void an_open_breaker_refuses_at_once(void **)
{
    struct world world;
    struct caller caller;
    begin_said(&world, (struct said){.breaker = PB__BREAKER_STATE__BREAKER_STATE_OPEN});
    assert_int_equal(enter(&world, &caller), GUARD_BREAKER);
    assert_true(guard_retry_ms(world.guard, 0) >= SECOND_MS);
    (void)pthread_mutex_lock(&world.mutex);
    world.said.breaker = PB__BREAKER_STATE__BREAKER_STATE_CLOSED;
    (void)pthread_mutex_unlock(&world.mutex);
    refresh(&world);
    assert_int_equal(enter(&world, &caller), GUARD_GO);
    guard_leave(world.guard, &caller.pass, GUARD_SUCCEEDED);
    end(&world);
}

static void who_asks_for_rest_has_it(void **)
{
    struct world world;
    struct caller caller;
    begin_said(&world, (struct said){.rests_until_us = clock_unix_us() + INT64_C(3'600'000'000)});
    assert_int_equal(enter(&world, &caller), GUARD_BREAKER);
    assert_true(guard_retry_ms(world.guard, 0) > 3'500 * SECOND_MS);
    end(&world);
}

static void a_half_open_breaker_lets_one_go(void **)
{
    struct world world;
    struct caller one;
    struct caller two;
    begin_said(&world,
               (struct said){.breaker = PB__BREAKER_STATE__BREAKER_STATE_HALF_OPEN, .probes = 1});
    assert_int_equal(enter(&world, &one), GUARD_WAIT);
    assert_int_equal(enter(&world, &two), GUARD_WAIT);
    assert_int_equal(decided(&world, &one), GUARD_GO);
    assert_int_equal(decided(&world, &two), GUARD_BREAKER);
    guard_leave(world.guard, &one.pass, GUARD_FAILED);
    for (int i = 0; i < TURNS_MAX && look(&world).probe_end == 0; i++) loop_turn(world.loop, 1);
    assert_int_equal(look(&world).probe_end, PB__PROBE_END__PROBE_END_FAILED);
    guard_note_failure(world.guard, 0);
    for (int i = 0; i < TURNS_MAX && look(&world).failures == 0; i++) loop_turn(world.loop, 1);
    assert_int_equal(look(&world).failures, 1);
    end(&world);
}

static void be_mute(struct world *world, bool is_mute)
{
    (void)pthread_mutex_lock(&world->mutex);
    world->said.is_mute = is_mute;
    (void)pthread_mutex_unlock(&world->mutex);
    refresh(world);
}

/* Until it is refused, or goes as the only one. */
static void fail_alone(struct world *world, struct caller *caller)
{
    for (int i = 0; i < 3; i++) guard_note_failure(world->guard, 0);
    enum guard_verdict verdict = GUARD_GO;
    for (int i = 0; i < TURNS_MAX && verdict == GUARD_GO; i++) {
        loop_turn(world->loop, 1);
        verdict = enter(world, caller);
        if (verdict == GUARD_GO && caller->pass.is_own_probe) return;
        if (verdict == GUARD_GO) guard_leave(world->guard, &caller->pass, GUARD_RETURNED);
    }
    assert_int_equal(verdict, GUARD_BREAKER);
}

static void failures_count_while_nobody_can_be_told(void **)
{
    struct world world;
    struct caller caller;
    begin_said(&world, (struct said){.open_us = INT64_C(3'600'000'000)});
    be_mute(&world, true);
    assert_int_equal(enter(&world, &caller), GUARD_GO);
    guard_leave(world.guard, &caller.pass, GUARD_SUCCEEDED);
    fail_alone(&world, &caller);
    assert_int_equal(enter(&world, &caller), GUARD_BREAKER);
    assert_true(guard_retry_ms(world.guard, 0) > 3'500 * SECOND_MS);
    assert_int_equal(guard_enter(world.guard, 1, &caller.pass), GUARD_GO); /* another provider */
    assert_int_equal(look(&world).failures, 0);

    be_mute(&world, false); /* it hears of it, and goes by what it says then */
    for (int i = 0; i < TURNS_MAX && look(&world).failures == 0; i++) loop_turn(world.loop, 1);
    assert_int_equal(look(&world).failures, 3);
    refresh(&world);
    assert_int_equal(look(&world).failures, 3); /* once */
    assert_int_equal(enter(&world, &caller), GUARD_GO);
    end(&world);
}

static void an_open_breaker_stays_open_while_nobody_can_be_asked(void **)
{
    struct world world;
    struct caller caller;
    begin_said(&world, (struct said){.breaker = PB__BREAKER_STATE__BREAKER_STATE_OPEN});
    be_mute(&world, true);
    assert_int_equal(enter(&world, &caller), GUARD_BREAKER);
    be_mute(&world, false);
    assert_int_equal(look(&world).failures, 0); /* that it is open the scheduler has said itself */
    end(&world);
}

static void one_probe_goes_without_asking(void **)
{
    struct world world;
    struct caller one;
    struct caller two;
    begin_said(&world, (struct said){.open_us = 1});
    be_mute(&world, true);
    for (int round = 0; round < 2; round++) {
        if (round == 0) fail_alone(&world, &one);
        for (int i = 0; i < TURNS_MAX && !one.pass.is_own_probe; i++) {
            loop_turn(world.loop, 1);
            (void)enter(&world, &one);
        }
        assert_true(one.pass.is_own_probe);
        assert_int_equal(enter(&world, &two), GUARD_BREAKER);
        guard_leave(world.guard, &one.pass, round == 0 ? GUARD_FAILED : GUARD_SUCCEEDED);
    }
    assert_int_equal(enter(&world, &one), GUARD_GO);
    assert_int_equal(enter(&world, &two), GUARD_GO);
    assert_false(one.pass.is_own_probe || two.pass.is_own_probe);
    end(&world);
}

static void a_permit_serves_one_after_the_other(void **)
{
    struct world world;
    struct caller one;
    struct caller two;
    begin_said(&world, (struct said){.is_limited = true, .permits = 1});
    assert_int_equal(enter(&world, &one), GUARD_WAIT);
    assert_int_equal(enter(&world, &two), GUARD_WAIT);
    assert_int_equal(decided(&world, &one), GUARD_GO);
    assert_int_equal(decided(&world, &two), GUARD_LIMIT);
    guard_leave(world.guard, &one.pass, GUARD_SUCCEEDED);
    assert_int_equal(enter(&world, &two), GUARD_GO); /* without asking */
    assert_int_equal(look(&world).held, 1);
    guard_leave(world.guard, &two.pass, GUARD_SUCCEEDED);
    for (int i = 0; i < 100 && look(&world).held > 0; i++) refresh(&world);
    assert_int_equal(look(&world).held, 0); /* it goes back when nobody uses it */
    end(&world);
}

/* --- keys --------------------------------------------------------------------------------------
 */

struct user {
    struct guard_key_pass pass;
    bool is_decided;
    enum guard_verdict verdict;
};

static void on_key(enum guard_verdict verdict, void *context)
{
    struct user *user = context;
    user->is_decided  = true;
    user->verdict     = verdict;
}

static enum guard_verdict use(struct world *world, const struct provider_key *key,
                              struct user *user)
{
    *user                      = (struct user){.pass = {.decided = on_key, .context = user}};
    enum guard_verdict verdict = guard_enter_key(world->guard, "one", key, &user->pass);
    for (int i = 0; verdict == GUARD_WAIT && !user->is_decided && i < TURNS_MAX; i++) {
        loop_turn(world->loop, 1);
    }
    if (verdict == GUARD_WAIT) assert_true(user->is_decided);
    return verdict == GUARD_WAIT ? user->verdict : verdict;
}

static void a_key_without_a_start_is_shut(void **)
{
    const struct provider_key key = {.name = "k", .requests_per_minute = 100};
    struct world world;
    struct user users[2];
    begin_said(&world, (struct said){.starts = 1});
    assert_int_equal(use(&world, &key, &users[0]), GUARD_GO);
    assert_int_equal(use(&world, &key, &users[1]), GUARD_LIMIT);
    assert_null(users[1].pass.tollgate.gate);
    assert_true(guard_key_opens_ms(world.guard, "one", &key) > now_ms(&world));
    uint32_t asks = look(&world).key_asks;
    assert_int_equal(use(&world, &key, &users[1]), GUARD_LIMIT); /* that is known now */
    assert_int_equal(look(&world).key_asks, asks);
    guard_leave_key(&users[0].pass, 0);
    end(&world);
}

static void tokens_of_a_key_are_told_and_shut_it(void **)
{
    const struct provider_key key = {.name = "k", .tokens_per_minute = 1'000};
    struct world world;
    struct user user;
    begin_said(&world, (struct said){.tokens_opens_us = clock_unix_us() + INT64_C(60'000'000)});
    (void)use(&world, &key, &user); /* nobody knows yet */
    guard_leave_key(&user.pass, 300);
    for (int i = 0; i < TURNS_MAX && look(&world).spent < 300; i++) tick(&world);
    assert_int_equal(look(&world).spent, 300);
    for (int i = 0; i < 3; i++) tick(&world);
    assert_int_equal(look(&world).spent, 300); /* once */
    assert_int_equal(use(&world, &key, &user), GUARD_LIMIT);
    end(&world);
}

static void a_key_is_used_alone_while_nobody_can_be_asked(void **)
{
    const struct provider_key key  = {.name = "k", .requests_per_minute = 1};
    const struct provider_key free = {.name = "free"};
    struct world world;
    struct user user;
    begin_said(&world, (struct said){.fails_to_lease = true});
    assert_int_equal(use(&world, &key, &user), GUARD_GO);
    guard_leave_key(&user.pass, 0);
    uint32_t asks = look(&world).key_asks;
    assert_int_equal(use(&world, &free, &user), GUARD_GO);
    assert_int_equal(look(&world).key_asks, asks); /* it has no limits */
    end(&world);
}

static void before_the_start_all_may_go(void **)
{
    struct loop *loop       = NULL;
    struct heard heard      = {};
    struct catalog *catalog = mem_new(1, sizeof *catalog);
    struct caller caller    = {};
    catalog->provider_count = 1;
    catalog->providers[0]   = (struct provider){.name = "one"};
    assert_int_equal(loop_new(NULL, &loop, NULL), STATUS_OK);
    struct world world = {.guard = guard_new(loop, catalog)};
    assert_int_equal(enter(&world, &caller), GUARD_GO);
    assert_int_equal(ask(&world, &heard), GUARD_GO);
    guard_freep(&world.guard);
    loop_free(loop);
    free(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_there_are_no_budgets_nobody_is_asked),
        cmocka_unit_test(what_it_cost_is_told_until_somebody_hears_it),
        cmocka_unit_test(what_has_no_price_says_so),
        cmocka_unit_test(whom_no_budget_charges_settles_nothing),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(an_answer_that_never_comes_lets_nobody_go),
        cmocka_unit_test(whoever_goes_before_the_answer_pays_nothing),
        cmocka_unit_test(an_open_breaker_refuses_at_once),
        cmocka_unit_test(who_asks_for_rest_has_it),
        cmocka_unit_test(a_half_open_breaker_lets_one_go),
        cmocka_unit_test(failures_count_while_nobody_can_be_told),
        cmocka_unit_test(an_open_breaker_stays_open_while_nobody_can_be_asked),
        cmocka_unit_test(one_probe_goes_without_asking),
        cmocka_unit_test(a_permit_serves_one_after_the_other),
        cmocka_unit_test(a_key_without_a_start_is_shut),
        cmocka_unit_test(tokens_of_a_key_are_told_and_shut_it),
        cmocka_unit_test(a_key_is_used_alone_while_nobody_can_be_asked),
        cmocka_unit_test(before_the_start_all_may_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
