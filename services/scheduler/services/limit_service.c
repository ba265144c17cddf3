/* Limits: kept in the system partition; how many jobs wait, all partitions know together. */
#include "scheduler/breaker/breaker_rules.h"
#include "scheduler/breaker/target_name.h"
#include "scheduler/engine/limits/limit_board.h"
#include "scheduler/engine/limits/token_limit.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"

#include <stdlib.h>

enum { LEASES_MAX = 1'000, PERMITS_MAX = 1'000'000 };

/* Of rules that are brought along. */
#define PERIOD_MIN_US INT64_C(1'000)
#define PERIOD_MAX_US INT64_C(31'536'000'000'000) /* a year */

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* What other partitions of this process add to a limit: jobs that wait. */
static status add_waiting(struct rpc_call *call, Pb__LimitView *view, struct error *reterr)
{
    for (uint16_t i = 1; i < scheduler_partition_count(call->context); i++) {
        const struct shard *shard = scheduler_shard(call->context, i);
        Pb__LimitList list        = PB__LIMIT_LIST__INIT;
        if (!shard) continue;
        TRY(limit_board_list(board_limits(shard->board), str_from(view->name), call->arena, &list,
                             reterr));
        if (list.n_limits > 0) view->waiting += list.limits[0]->waiting;
    }
    return STATUS_OK;
}

static Pb__LimitView *find(const Pb__LimitList *list, str name)
{
    for (size_t i = 0; i < list->n_limits; i++) {
        if (str_is(name, list->limits[i]->name)) return list->limits[i];
    }
    return NULL;
}

/* A target that has a limit of tokens only. */
static Pb__LimitView *target_view(struct rpc_call *call, const Pb__LimitView *tokens, str target)
{
    Pb__LimitView *view = arena_alloc(call->arena, sizeof *view);
    Pb__LimitRule *rule = arena_alloc(call->arena, sizeof *rule);
    char *name          = text_in(call->arena, target);
    if (!view || !rule || !name) return NULL;
    *view        = (Pb__LimitView)PB__LIMIT_VIEW__INIT;
    *rule        = (Pb__LimitRule)PB__LIMIT_RULE__INIT;
    view->name   = name;
    view->rule   = rule;
    view->source = tokens->source;
    return view;
}

/* Limits of tokens are shown as part of those of their targets. */
static status fold_tokens(struct rpc_call *call, Pb__LimitList *list, struct error *reterr)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->n_limits; i++) {
        Pb__LimitView *view = list->limits[i];
        str target          = token_limit_target(str_from(view->name));
        Pb__LimitView *of   = target.len > 0 ? find(list, target) : NULL;
        bool is_new         = target.len > 0 && !of;
        if (is_new) of = target_view(call, view, target);
        if (target.len > 0 && !of) return no_memory(reterr);
        if (of) token_limit_fold(view, of);
        if (target.len == 0 || is_new) list->limits[kept++] = is_new ? of : view;
    }
    list->n_limits = kept;
    return STATUS_OK;
}

/* What the board has of one target, or of all. */
static status list_shown(struct rpc_call *call, const struct shard *shard, str name,
                         Pb__LimitList *ret_list, struct error *reterr)
{
    char tokens_name[TOKEN_LIMIT_NAME_SIZE];
    Pb__LimitList tokens = PB__LIMIT_LIST__INIT;
    TRY(limit_board_list(board_limits(shard->board), name, call->arena, ret_list, reterr));
    if (name.len > 0 && token_limit_name(name, tokens_name)) {
        TRY(limit_board_list(board_limits(shard->board), str_from(tokens_name), call->arena,
                             &tokens, reterr));
    }
    if (tokens.n_limits > 0) {
        Pb__LimitView **both = arena_alloc(call->arena, 2 * sizeof *both);
        if (!both) return no_memory(reterr);
        size_t count = ret_list->n_limits; /* of that name: at most one */
        if (count > 0) both[0] = ret_list->limits[0];
        both[count]        = tokens.limits[0];
        ret_list->limits   = both;
        ret_list->n_limits = count + 1;
    }
    return fold_tokens(call, ret_list, reterr);
}

static void fill_rule(const struct target_limit *limit, Pb__LimitRule *rule)
{
    rule->concurrency     = limit->concurrency;
    rule->rate_count      = limit->rate_count;
    rule->rate_period_us  = limit->rate_period_us;
    rule->token_count     = limit->token_count;
    rule->token_period_us = limit->token_period_us;
}

/* Those of the configuration that nobody uses now, and what nobody uses of the others. */
static status add_configured(struct rpc_call *call, Pb__LimitList *list, str name,
                             struct error *reterr)
{
    const struct breaker_rules *rules = scheduler_breaker_rules(call->context);
    size_t count                      = json_count(rules->targets);
    Pb__LimitView **all = arena_alloc(call->arena, (list->n_limits + count + 1) * sizeof *all);
    if (!all) return no_memory(reterr);
    for (size_t i = 0; i < list->n_limits; i++) all[i] = list->limits[i];
    list->limits = all;
    for (size_t i = 0; i < count; i++) {
        str target                = json_key_at(rules->targets, i);
        struct target_limit limit = {};
        bool is_asked             = name.len == 0 || str_equal(name, target);
        if (!is_asked || !breaker_rules_limit(rules, target, &limit)) continue;
        Pb__LimitView *view = arena_alloc(call->arena, sizeof *view);
        Pb__LimitRule *rule = arena_alloc(call->arena, sizeof *rule);
        char *copy          = text_in(call->arena, target);
        if (!view || !rule || !copy) return no_memory(reterr);
        Pb__LimitView *shown = find(list, target);
        if (shown) {
            if (strcmp(shown->source, "configuration") == 0) fill_rule(&limit, shown->rule);
            continue;
        }
        *view = (Pb__LimitView)PB__LIMIT_VIEW__INIT;
        *rule = (Pb__LimitRule)PB__LIMIT_RULE__INIT;
        fill_rule(&limit, rule);
        view->name                     = copy;
        view->rule                     = rule;
        view->source                   = "configuration";
        list->limits[list->n_limits++] = view;
    }
    return STATUS_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp((*(Pb__LimitView *const *)a)->name, (*(Pb__LimitView *const *)b)->name);
}

static void keep_prefix(Pb__LimitList *list, str prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < list->n_limits; i++) {
        bool is_kept = str_starts_with(str_from(list->limits[i]->name), prefix);
        if (is_kept) list->limits[count++] = list->limits[i];
    }
    list->n_limits = count;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListLimits *request = call->request;
    Pb__LimitList *answer         = call->response;
    const struct shard *shard     = scheduler_shard(call->context, 0);
    str name                      = str_from(request->name);
    if (!shard) return call_moved(call, 0);
    TRY(list_shown(call, shard, name, answer, reterr));
    TRY(add_configured(call, answer, name, reterr));
    keep_prefix(answer, str_from(request->prefix));
    for (size_t i = 0; i < answer->n_limits; i++) {
        TRY(add_waiting(call, answer->limits[i], reterr));
    }
    if (name.len > 0 && answer->n_limits == 0) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no limit %s",
                         request->name);
    }
    if (answer->n_limits > 1) {
        qsort(answer->limits, answer->n_limits, sizeof(Pb__LimitView *), compare);
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- commands ----------------------------------------------------------------------------------
 */

static status post(struct rpc_call *call, enum command_kind kind, struct error *reterr)
{
    struct shard *shard = scheduler_shard(call->context, 0);
    if (!shard) return call_moved(call, 0);
    struct command *command = call_command(call, kind, 0);
    if (!command) return no_memory(reterr);
    call_post(call, shard, command);
    return STATUS_OK;
}

static status set(struct rpc_call *call, struct error *reterr)
{
    const Pb__SetLimit *request      = call->request;
    const Pb__LimitRule *rule        = request->rule;
    str name                         = str_from(request->name);
    const struct queue_limits limits = {.concurrency    = rule ? rule->concurrency : 0,
                                        .rate_count     = rule ? rule->rate_count : 0,
                                        .rate_period_us = rule ? rule->rate_period_us : 0};
    if (!target_name_is_valid(name)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                         "a target is `tool:HOST:PORT` (the host in small letters), "
                         "`tool:CONNECTION`, `llm:PROVIDER`, `llm:PROVIDER/MODEL` or "
                         "`worker:FUNCTION`, at most %d bytes",
                         TARGET_NAME_MAX);
    }
    if (!breaker_rules_allow(scheduler_breaker_rules(call->context), name)) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "conflict",
                         "%s has no limit: name it in `limits.targets`", request->name);
    }
    TRY(queue_limits_check(&limits, 1, reterr));
    TRY(token_limit_check(name, rule, reterr));
    return post(call, COMMAND_SET_LIMIT, reterr);
}

/* What brings its rule along: the key of a provider, the connection of an adapter, the host of a
 * page. Not what a target or an API key is called. */
static bool is_brought(str name)
{
    static const char *const kinds[] = {"llmkey:", "connection:", "host:"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_starts_with(name, str_from(kinds[i]))) return name.len <= LIMIT_NAME_MAX;
    }
    return false;
}

/* A gap between two starts may be shorter than what queues and workflows ask for, and five starts
 * of one a day are five days' worth. */
static bool is_rule_sound(const Pb__LimitRule *rule)
{
    bool is_rate = rule->rate_count > 0;
    if ((rule->concurrency > 0) == is_rate) return false;
    if (!is_rate) return rule->concurrency <= QUEUE_CONCURRENCY_MAX;
    return rule->rate_count <= QUEUE_RATE_COUNT_MAX && rule->rate_period_us >= PERIOD_MIN_US &&
           rule->rate_period_us <= PERIOD_MAX_US;
}

static bool is_sound(const Pb__LimitWant *want)
{
    str name = str_from(want->name);
    if (!want->rule && token_limit_target(name).len > 0) {
        return want->want <= TOKEN_LIMIT_MAX && want->least <= want->want &&
               want->unused <= TOKEN_LIMIT_MAX && want->spent <= TOKEN_LIMIT_MAX;
    }
    if (!want->rule) return target_name_is_valid(name);
    return is_brought(name) && want->want <= PERMITS_MAX && want->unused <= PERMITS_MAX &&
           want->spent <= PERMITS_MAX && is_rule_sound(want->rule);
}

static status lease(struct rpc_call *call, struct error *reterr)
{
    const Pb__LeaseLimits *request = call->request;
    bool is_fine                   = request->n_limits <= LEASES_MAX && *request->holder &&
                   strlen(request->holder) <= TARGET_NAME_MAX;
    for (size_t i = 0; is_fine && i < request->n_limits; i++) {
        is_fine = is_sound(request->limits[i]);
    }
    if (!is_fine) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "at most %d targets, or limits with a rule of their own, and a holder",
                    LEASES_MAX);
    }
    return post(call, COMMAND_LEASE_LIMITS, reterr);
}

static bool is_of_key(const char *name)
{
    return str_starts_with(str_from(name), str_from("apikey:")) && strlen(name) <= LIMIT_NAME_MAX;
}

static status pass(struct rpc_call *call, struct error *reterr)
{
    const Pb__PassLimits *request = call->request;
    bool is_fine                  = *request->holder && strlen(request->holder) <= TARGET_NAME_MAX;
    for (size_t i = 0; is_fine && i < request->n_limits; i++) {
        const Pb__LimitPass *one         = request->limits[i];
        const Pb__LimitRule *rule        = one->rule;
        const struct queue_limits limits = {.concurrency    = rule ? rule->concurrency : 0,
                                            .rate_count     = rule ? rule->rate_count : 0,
                                            .rate_period_us = rule ? rule->rate_period_us : 0};
        bool is_one                      = limits.concurrency > 0 || limits.rate_count > 0;
        is_fine = is_one && one->count > 0 && one->count <= PERMITS_MAX && is_of_key(one->name);
        if (is_fine) TRY(queue_limits_check(&limits, 1, reterr));
    }
    if (!is_fine) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a holder, and limits of API keys with a rule and 1 to %d permits each",
                    PERMITS_MAX);
    }
    return post(call, COMMAND_PASS_LIMITS, reterr);
}

static status hold(struct rpc_call *call, struct error *reterr)
{
    const Pb__HoldLimits *request = call->request;
    bool is_fine                  = request->n_holds <= LEASES_MAX;
    for (size_t i = 0; is_fine && i < request->n_holds; i++) {
        is_fine = is_of_key(request->holds[i]->name);
    }
    if (!is_fine) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "at most %d limits of API keys", LEASES_MAX);
    }
    return post(call, COMMAND_HOLD_LIMITS, reterr);
}

const struct rpc_method limit_service_methods[] = {
    {.name = "List", .handle = list},   {.name = "Set", .handle = set},
    {.name = "Lease", .handle = lease}, {.name = "Pass", .handle = pass},
    {.name = "Hold", .handle = hold},   {},
};
