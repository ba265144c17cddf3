/* What callers set, and permits of calls that are no jobs. */
#include "base/log.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/engine/limits/limit_board.h"
#include "scheduler/engine/limits/token_limit.h"

static struct limits *limits_of(const struct engine *engine)
{
    return job_queues_limits(engine->queues);
}

/* NULL: none was set, and there is none to be taken away. `ret_refused`: there are too many. */
static struct limit *set_tokens(struct engine *engine, const Pb__SetLimit *request,
                                bool *ret_refused)
{
    char name[TOKEN_LIMIT_NAME_SIZE];
    const struct queue_limits rule =
        request->rule ? token_limit_rule(request->rule->token_count, request->rule->token_period_us)
                      : (struct queue_limits){};
    bool is_one  = token_limit_name(str_from(request->name), name);
    *ret_refused = false;
    if (!is_one) return NULL;
    engine_limit_known(engine, str_from(name));
    struct limit *limit = limits_find(limits_of(engine), str_from(name));
    if (!limit && rule.rate_count == 0) return NULL;
    if (!limit) limit = limits_at(limits_of(engine), str_from(name));
    *ret_refused = !limit;
    if (limit) engine_limit_rule(engine, limit, &rule, limit_rule_is_any(request->rule));
    return limit;
}

static status tell_all(struct engine *engine, const Pb__SetLimit *request, struct error *reterr)
{
    for (uint16_t i = 1; i < engine->partition->count; i++) {
        Pb__LimitNews news   = PB__LIMIT_NEWS__INIT;
        Pb__Message message  = PB__MESSAGE__INIT;
        message.content_case = PB__MESSAGE__CONTENT_LIMIT_NEWS;
        message.limit_news   = &news;
        news.name            = request->name;
        news.rule            = request->rule;
        news.is_rule         = true;
        TRY(engine_tell(engine, i, &message, reterr));
    }
    return STATUS_OK;
}

status engine_set_limit(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__SetLimit *request = command->request;
    Pb__LimitView *view         = command->response;
    str name                    = str_from(request->name);
    engine_answer(engine, command);
    bool is_refused            = false;
    struct limit *limit        = limits_at(limits_of(engine), name);
    const struct limit *tokens = limit ? set_tokens(engine, request, &is_refused) : NULL;
    if (!limit || is_refused) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                              "over %d limits", LIMITS_MAX);
    }
    const struct queue_limits rule = limit_rule_from(request->rule);
    engine_limit_rule(engine, limit, &rule, limit_rule_is_any(request->rule));
    log_write(LOG_INFO, "limit.set", LOG_STR("limit", name), LOG_TEXT_OF("by", request->by));
    TRY(tell_all(engine, request, reterr));
    if (!limit_view_fill(limit, engine->now_us, command->arena, view)) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory");
    }
    view->name = request->name;
    Pb__LimitView shown;
    bool is_shown = !tokens || limit_view_fill(tokens, engine->now_us, command->arena, &shown);
    if (tokens && is_shown) token_limit_fold(&shown, view);
    return is_shown ? STATUS_OK
                    : command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory");
}

/* --- replicas ----------------------------------------------------------------------------------
 */

struct limit *engine_limit_brought(struct engine *engine, str name, const struct queue_limits *rule)
{
    struct limit *limit = limits_at(limits_of(engine), name);
    bool is_new         = limit && !queue_limits_are_same(&limit->rule, rule);
    if (is_new) limit_set(limits_of(engine), limit, rule, engine->now_us);
    return limit;
}

/* What it does not hold any more is over, whatever it forgot to say, but for what it has not used.
 */
static void end_calls(struct engine *engine, struct limit *limit, struct limit_holder *holder,
                      const Pb__LimitWant *want)
{
    uint32_t kept   = want->held < holder->given ? want->held : holder->given;
    uint32_t gone   = holder->given - kept;
    uint32_t unused = want->unused < gone ? want->unused : gone;
    holder->given   = kept;
    if (gone > 0) limit_take_back(limits_of(engine), limit, gone - unused, unused, engine->now_us);
}

static uint32_t lease(struct engine *engine, struct limit *limit, str name,
                      const Pb__LimitWant *want)
{
    bool is_known               = want->want > 0 || want->held > 0;
    struct limit_holder *holder = limit_holder_of(limit, name, is_known);
    if (!holder) return 0;
    end_calls(engine, limit, holder, want);
    uint32_t granted = limit_room(limits_of(engine), limit, want->want, engine->now_us);
    holder->given += granted;
    holder->until_us = engine->now_us + LIMIT_HOLDER_US;
    limit_give(limits_of(engine), limit, granted, engine->now_us);
    if (holder->given == 0) limit_holder_drop(limit, holder);
    return granted;
}

/* Of a rate nobody holds anything: what was granted has started, or comes back as unused. */
static uint32_t lease_starts(struct engine *engine, struct limit *limit, const Pb__LimitWant *want)
{
    struct limits *limits = limits_of(engine);
    limit_unspend(limits, limit, want->unused, engine->now_us);
    uint32_t granted = limit_room(limits, limit, want->want, engine->now_us);
    limit_spend(limits, limit, granted, engine->now_us);
    limit_spend(limits, limit, want->spent, engine->now_us);
    return granted;
}

/* Of tokens likewise; what is wanted by the first who waits is given whole, or not at all. */
static void lease_tokens(struct engine *engine, struct limit *limit, const Pb__LimitWant *want,
                         Pb__LimitLease *ret_lease)
{
    struct limits *limits           = limits_of(engine);
    const struct queue_limits *rule = &limit->rule;
    uint32_t most                   = rule->rate_count;
    uint32_t least                  = token_permits_up(rule, want->least);
    uint32_t wanted                 = token_permits_up(rule, want->want);
    if (least > most) least = most;
    limit_unspend(limits, limit, token_permits_down(rule, want->unused), engine->now_us);
    limit_spend(limits, limit, token_permits_up(rule, want->spent), engine->now_us);
    uint32_t room      = limit_room(limits, limit, wanted, engine->now_us);
    bool is_enough     = room > 0 && room >= least;
    int64_t due_us     = start_rate_due_us(&limit->rate, least > 0 ? least : 1);
    bool is_short      = wanted > 0 && !is_enough;
    ret_lease->granted = is_enough ? token_count_of(rule, room) : 0;
    if (is_enough) limit_spend(limits, limit, room, engine->now_us);
    ret_lease->retry_us = is_short && due_us > engine->now_us ? due_us : 0;
}

static bool is_of_tokens(const Pb__LimitWant *want)
{
    return !want->rule && token_limit_target(str_from(want->name)).len > 0;
}

static int64_t opens_us(const struct engine *engine, const struct limit *limit)
{
    int64_t at_us = start_rate_opens_us(&limit->rate);
    return at_us > engine->now_us ? at_us : 0;
}

static void grant(struct engine *engine, str holder, const Pb__LimitWant *want,
                  Pb__LimitLease *ret_lease)
{
    str name                       = str_from(want->name);
    const struct queue_limits rule = limit_rule_from(want->rule);
    if (!want->rule) engine_limit_known(engine, name);
    struct limit *limit = want->rule ? engine_limit_brought(engine, name, &rule)
                                     : limits_find(limits_of(engine), name);
    if (!limit) return;
    bool is_rate          = want->rule && rule.concurrency == 0;
    ret_lease->is_limited = limit_has_rule(limit);
    if (is_of_tokens(want)) {
        if (ret_lease->is_limited) lease_tokens(engine, limit, want, ret_lease);
        return;
    }
    ret_lease->granted =
        is_rate ? lease_starts(engine, limit, want) : lease(engine, limit, holder, want);
    bool is_short       = ret_lease->granted < want->want;
    ret_lease->retry_us = is_short || is_rate ? opens_us(engine, limit) : 0;
    if (want->rule) limit_unshow(limit);
}

/* Says whether tokens of that target were asked for as well, and there are too few: then its calls
 * are not let go, and would take a start from others for nothing. */
static bool lacks_tokens(const Pb__LeaseLimits *request, const Pb__LimitLease *granted,
                         const char *target)
{
    for (size_t i = 0; i < request->n_limits; i++) {
        const Pb__LimitWant *want = request->limits[i];
        bool is_short = want->want > 0 && granted[i].is_limited && granted[i].granted == 0;
        bool is_its =
            is_of_tokens(want) && str_is(token_limit_target(str_from(want->name)), target);
        if (is_its && is_short) return true;
    }
    return false;
}

status engine_lease_limits(struct engine *engine, struct command *command, struct error *)
{
    const Pb__LeaseLimits *request = command->request;
    Pb__LeasedLimits *answer       = command->response;
    size_t count                   = request->n_limits;
    engine_answer(engine, command);
    answer->limits          = arena_alloc(command->arena, (count + 1) * sizeof *answer->limits);
    Pb__LimitLease *granted = arena_alloc(command->arena, (count + 1) * sizeof *granted);
    if (!answer->limits || !granted) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "too many limits");
    }
    for (size_t i = 0; i < count; i++) {
        granted[i]        = (Pb__LimitLease)PB__LIMIT_LEASE__INIT;
        granted[i].name   = request->limits[i]->name;
        answer->limits[i] = &granted[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (is_of_tokens(request->limits[i])) {
            grant(engine, str_from(request->holder), request->limits[i], &granted[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (is_of_tokens(request->limits[i])) continue;
        Pb__LimitWant want = *request->limits[i];
        if (lacks_tokens(request, granted, want.name)) want.want = 0;
        grant(engine, str_from(request->holder), &want, &granted[i]);
    }
    answer->n_limits = count;
    return STATUS_OK;
}
