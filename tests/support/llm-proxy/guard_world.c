#include "support/llm-proxy/guard_world.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "support/cmocka.h"
#include "usage.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* NULL: nobody keeps books, or they are full. */
static struct booked *book_of(struct world *world, const char *call, bool may_add)
{
    for (size_t i = 0; i < world->booked_count; i++) {
        if (strcmp(world->booked[i].call, call) == 0) return &world->booked[i];
    }
    if (!may_add || !world->booked || world->booked_count == BOOKED_MAX) return NULL;
    struct booked *booked = &world->booked[world->booked_count++];
    (void)snprintf(booked->call, sizeof booked->call, "%s", call);
    return booked;
}

static status reserve(struct rpc_call *call, struct error *)
{
    struct said *said                 = said_of(call);
    const Pb__ReserveBudgets *request = call->request;
    Pb__ReservedBudgets *to           = call->response;
    bool is_held                      = said->verdict == GRANTED && said->charged;
    if (is_held) (void)book_of(call->context, request->call, true);
    to->output_tokens = said->output_tokens;
    said->reserved++;
    to->verdict     = said->verdict;
    to->charged     = said->charged;
    to->needs_price = said->needs_price;
    to->resets_us   = said->resets_us;
    to->reason      = said->verdict == GRANTED ? "" : "budget `b`: it is spent";
    if (is_held && !said->is_old) {
        static const char *names[] = {"b", "run/r"};
        to->namespace_             = request->namespace_;
        to->budgets                = names;
        to->n_budgets              = ARRAY_LEN(names);
    }
    return answer(call, said->fails_to_reserve ? STATUS_INTERNAL : STATUS_OK);
}

static void take_end(struct world *world, const Pb__CallEnd *end)
{
    struct said *said     = &world->said;
    struct booked *booked = book_of(world, end->call, false);
    if (booked) booked->ends++;
    if (booked) booked->tokens += end->used_tokens;
    if (said->end_count == ENDS_MAX) return;
    struct ended *ended = &said->ends[said->end_count++];
    (void)snprintf(ended->call, sizeof ended->call, "%s", end->call);
    ended->tokens      = end->used_tokens;
    ended->nanos       = end->used_nanos;
    ended->is_unpriced = end->unpriced;
    ended->payers      = end->n_budgets;
}

/* Of no run: its answer is lost. */
static status admit(struct rpc_call *call, struct error *)
{
    (void)said_of(call);
    return answer(call, STATUS_UNAVAILABLE);
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
    for (size_t i = 0; i < request->n_ends; i++) take_end(call->context, request->ends[i]);
    return answer(call, STATUS_OK);
}

static void count_usage(struct world *world, const Pb__UsageReport *report)
{
    struct said *said = &world->said;
    bool is_same      = strcmp(world->source, report->source) == 0;
    if (is_same && report->number <= world->last_report) return;
    (void)snprintf(world->source, sizeof world->source, "%s", report->source);
    world->last_report = report->number;
    said->counted++;
    for (size_t i = 0; i < report->n_rows; i++) {
        const Pb__UsageRecord *row = report->rows[i];
        if (*row->label) continue;
        said->run_ends += *row->call && *row->run && row->counters->calls == 0;
        said->counted_tokens += row->counters->input_tokens + row->counters->output_tokens;
    }
    for (size_t i = 0; i < report->n_ends; i++) take_end(world, report->ends[i]);
}

static status report_usage(struct rpc_call *call, struct error *)
{
    struct said *said = said_of(call);
    if (said->fails_to_count > 0) {
        said->fails_to_count--;
        return answer(call, STATUS_UNAVAILABLE);
    }
    count_usage(call->context, call->request);
    if (said->loses_counted == 0) return answer(call, STATUS_OK);
    said->loses_counted--;
    return answer(call, STATUS_UNAVAILABLE);
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

static void take_met(struct said *said, const Pb__TargetReport *target)
{
    said->failures += target->failures;
    if (target->probe == PB__PROBE_END__PROBE_END_NONE) return;
    said->probe_end = target->probe;
    said->probe_ends++;
}

static status report(struct rpc_call *call, struct error *)
{
    struct said *said                = said_of(call);
    const Pb__BreakerReport *request = call->request;
    Pb__BreakerList *list            = call->response;
    list->breakers                   = zeroed(call, request->n_targets * sizeof *list->breakers);
    said->reports++;
    if (said->is_mute) return answer(call, STATUS_UNAVAILABLE);
    bool is_new = request->number == 0 || request->number > said->met_number;
    for (size_t i = 0; i < request->n_targets; i++) {
        const Pb__TargetReport *target = request->targets[i];
        if (strcmp(target->target, "llm:one") != 0) continue;
        Pb__BreakerView *view = zeroed(call, sizeof *view);
        if (is_new) take_met(said, target);
        fill_breaker(said, target, view);
        list->breakers[list->n_breakers++] = view;
    }
    if (request->number == 0) return answer(call, STATUS_OK);
    said->met_number = request->number;
    if (said->loses_met == 0) return answer(call, STATUS_OK);
    said->loses_met--;
    list->n_breakers = 0;
    return answer(call, STATUS_UNAVAILABLE);
}

static void add_limit(struct rpc_call *call, const char *name, uint32_t concurrency,
                      uint32_t starts, uint32_t tokens)
{
    Pb__LimitList *list = call->response;
    Pb__LimitView *view = zeroed(call, sizeof *view);
    Pb__LimitRule *rule = zeroed(call, sizeof *rule);
    pb__limit_view__init(view);
    pb__limit_rule__init(rule);
    rule->concurrency              = concurrency;
    rule->rate_count               = starts;
    rule->token_count              = tokens;
    view->name                     = name;
    view->rule                     = rule;
    list->limits[list->n_limits++] = view;
}

static status list_limits(struct rpc_call *call, struct error *)
{
    enum { LISTED_MAX = 3 };
    struct said *said    = said_of(call);
    Pb__LimitList *list  = call->response;
    list->limits         = zeroed(call, LISTED_MAX * sizeof *list->limits);
    uint32_t concurrency = said->counts_starts ? 0 : 1;
    uint32_t starts      = said->counts_starts ? 1 : 0;
    if (said->is_limited) add_limit(call, "llm:one", concurrency, starts, 0);
    if (said->tokens_of_one > 0) add_limit(call, "llm:one", 0, 0, said->tokens_of_one);
    bool is_model_limited =
        said->model_permits > 0 || said->model_starts > 0 || said->tokens_max > 0;
    if (is_model_limited) {
        add_limit(call, "llm:one/m", said->model_permits, said->model_starts, said->tokens_max);
    }
    return answer(call, STATUS_OK);
}

/* What calls of a model take. */
static void lease_of_model(struct said *said, const Pb__LimitWant *want, Pb__LimitLease *granted)
{
    bool is_tokens = strcmp(want->name, "tokens:llm:one/m") == 0;
    if (!is_tokens && said->model_starts > 0) {
        said->starts_left += want->unused;
        granted->is_limited = true;
        granted->granted    = want->want < said->starts_left ? want->want : said->starts_left;
        said->starts_left -= granted->granted;
        said->start_asks++;
        return;
    }
    if (!is_tokens) {
        uint32_t left       = said->model_permits - want->held;
        granted->is_limited = said->model_permits > 0;
        granted->granted    = want->want < left ? want->want : left;
        said->model_held    = want->held + granted->granted;
        return;
    }
    said->token_asks++;
    said->tokens_unused += want->unused;
    said->tokens_spent += want->spent;
    said->tokens_left += want->unused;
    said->tokens_left -= want->spent < said->tokens_left ? want->spent : said->tokens_left;
    granted->is_limited = said->tokens_max > 0;
    granted->granted    = want->want < said->tokens_left ? want->want : said->tokens_left;
    if (granted->granted < want->least) granted->granted = 0;
    if (granted->granted == 0) granted->retry_us = clock_unix_us() + INT64_C(60'000'000);
    said->tokens_left -= granted->granted;
}

static status lease_model(struct rpc_call *call, const Pb__LeaseLimits *asked)
{
    struct said *said        = said_of(call);
    Pb__LeasedLimits *leased = call->response;
    if (said->fails_to_lease) return answer(call, STATUS_INTERNAL);
    if (said->lets_wait) {
        struct world *world = call->context;
        said->let_wait++;
        (void)pthread_mutex_unlock(&world->mutex);
        return STATUS_OK; /* nobody is answered */
    }
    leased->limits = zeroed(call, asked->n_limits * sizeof *leased->limits);
    for (size_t i = 0; i < asked->n_limits; i++) {
        leased->limits[i] = zeroed(call, sizeof *leased->limits[i]);
        pb__limit_lease__init(leased->limits[i]);
        leased->limits[i]->name = asked->limits[i]->name;
        lease_of_model(said, asked->limits[i], leased->limits[i]);
    }
    leased->n_limits = asked->n_limits;
    return answer(call, STATUS_OK);
}

/* Tokens of "llm:one": as many as are wanted. */
static status lease_tokens_of_one(struct rpc_call *call, const Pb__LimitWant *want)
{
    struct said *said        = said_of(call);
    Pb__LeasedLimits *leased = call->response;
    Pb__LimitLease *granted  = zeroed(call, sizeof *granted);
    pb__limit_lease__init(granted);
    said->one_granted += want->want;
    said->one_unused += want->unused;
    said->one_spent += want->spent;
    granted->name       = want->name;
    granted->is_limited = true;
    granted->granted    = want->want;
    leased->limits      = zeroed(call, sizeof *leased->limits);
    leased->limits[0]   = granted;
    leased->n_limits    = 1;
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
    if (strstr(asked->limits[0]->name, "llm:one/m")) return lease_model(call, asked);
    if (strcmp(asked->limits[0]->name, "tokens:llm:one") == 0) {
        return lease_tokens_of_one(call, asked->limits[0]);
    }
    struct said *said         = said_of(call);
    const Pb__LimitWant *want = ((const Pb__LeaseLimits *)call->request)->limits[0];
    Pb__LeasedLimits *leased  = call->response;
    Pb__LimitLease *granted   = zeroed(call, sizeof *granted);
    if (said->counts_starts) said->permits += want->unused;
    uint32_t held     = said->counts_starts ? 0 : want->held;
    uint32_t free_now = said->permits > held ? said->permits - held : 0;
    pb__limit_lease__init(granted);
    granted->name       = want->name;
    granted->is_limited = said->is_limited;
    granted->granted    = want->want < free_now ? want->want : free_now;
    leased->limits      = zeroed(call, sizeof *leased->limits);
    leased->limits[0]   = granted;
    leased->n_limits    = 1;
    said->held          = want->held + granted->granted;
    if (said->counts_starts) said->permits -= granted->granted;
    said->leases++;
    return answer(call, STATUS_OK);
}

static const struct rpc_method budget_methods[]  = {{.name = "List", .handle = list_budgets},
                                                    {.name = "Reserve", .handle = reserve},
                                                    {.name = "Settle", .handle = settle},
                                                    {.name = "Admit", .handle = admit},
                                                    {}};
static const struct rpc_method breaker_methods[] = {{.name = "Report", .handle = report}, {}};
static const struct rpc_method usage_methods[]   = {{.name = "Report", .handle = report_usage}, {}};
static const struct rpc_method limit_methods[]   = {
      {.name = "List", .handle = list_limits}, {.name = "Lease", .handle = lease}, {}};

/* --- the world ---------------------------------------------------------------------------------
 */

static int64_t now_ms(void *context)
{
    struct world *world = context;
    return atomic_load(&world->now_ms);
}

struct said guard_world_look(struct world *world)
{
    (void)pthread_mutex_lock(&world->mutex);
    struct said said = world->said;
    (void)pthread_mutex_unlock(&world->mutex);
    return said;
}

/* Its answer is about to be posted to the loop. */
static void on_observed(const struct rpc_observation *observation, void *context)
{
    struct world *world = context;
    bool is_each_second = strcmp(observation->service, "tutti.v1.Usages") != 0;
    if (is_each_second) atomic_fetch_add(&world->answered, 1);
}

void guard_world_settle(struct world *world)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        bool is_known =
            guard_unsettled(world->guard) == 0 && !usage_journal_is_pending(world->journal);
        if (is_known) return;
        atomic_fetch_add(&world->now_ms, SECOND_MS / 10);
        loop_turn(world->loop, 1);
    }
    fail_msg("%zu calls are not settled", guard_unsettled(world->guard));
}

void guard_world_tick(struct world *world)
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
void guard_world_refresh(struct world *world)
{
    guard_world_tick(world);
    guard_world_tick(world);
}

void guard_world_begin(struct world *world, struct said said)
{
    static atomic_uint number;
    *world = (struct world){.said = said};
    (void)pthread_mutex_init(&world->mutex, NULL);
    (void)snprintf(world->url, sizeof world->url, "inproc://guard-test-%u", number++);
    const struct rpc_service services[]    = {{&pb__budgets__descriptor, budget_methods, world},
                                              {&pb__breakers__descriptor, breaker_methods, world},
                                              {&pb__limits__descriptor, limit_methods, world},
                                              {&pb__usages__descriptor, usage_methods, world},
                                              {}};
    const struct rpc_server_options server = {
        .url = world->url, .services = services, .drain_ms = 100};
    static const ProtobufCServiceDescriptor *const asked[] = {
        &pb__budgets__descriptor, &pb__breakers__descriptor, &pb__limits__descriptor,
        &pb__usages__descriptor, NULL};
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
    assert_int_equal(usage_journal_open(NULL, &world->journal, &error), STATUS_OK);
    guard_set_journal(world->guard, world->journal);
    guard_start(world->guard, world->client, "proxy");
    guard_world_refresh(world);
}

void guard_world_end(struct world *world)
{
    rpc_client_closep(&world->client);
    rpc_server_stopp(&world->server);
    loop_turn(world->loop, 0); /* what was posted meanwhile */
    guard_stop(world->guard);
    guard_freep(&world->guard);
    usage_journal_freep(&world->journal);
    loop_free(world->loop);
    (void)pthread_mutex_destroy(&world->mutex);
    free(world->catalog);
}
